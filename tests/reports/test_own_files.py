"""Reports replace their own files of an earlier time, and no others."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import ImpastoError
from impasto.reports.own_files import own_files, require_own

PATTERN = re.compile(r"(report|record)\.json|(sizes|map)\.png")


@pytest.mark.parametrize(
    ("record", "own"),
    [
        ({"impasto": "1", "files": ["record.json", "sizes.png", "gone.png", "mine.png"]}, {"record.json", "sizes.png"}),
        ({"impasto": "1"}, {"record.json", "sizes.png", "map.png"}),  # of an earlier version
        ({"impasto": "1", "files": None}, {"record.json", "sizes.png", "map.png"}),  # of a killed report
        ({"impasto": "1", "files": [1, None]}, set()),
        ({"of": "another program"}, set()),
        (["impasto"], set()),
        (None, set()),
    ],
)
def test_a_record_tells_which_files_are_own(record: Any, own: set[str], tmp_path: Path) -> None:
    for name in ("sizes.png", "map.png", "mine.png"):
        (tmp_path / name).touch()
    (tmp_path / "record.json").write_text("{" if record is None else json.dumps(record))
    assert own_files(tmp_path, PATTERN, "record.json") == own
    if own == {"record.json", "sizes.png", "map.png"}:
        require_own(tmp_path, PATTERN, "record.json")
    else:
        with pytest.raises(ImpastoError, match="choose another folder"):
            require_own(tmp_path, PATTERN, "record.json")


def test_a_folder_without_files_of_these_names_is_free(tmp_path: Path) -> None:
    (tmp_path / "mine.png").touch()
    for folder in (tmp_path, tmp_path / "new"):
        assert own_files(folder, PATTERN, "record.json") == set()
        require_own(folder, PATTERN, "record.json")
