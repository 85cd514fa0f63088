"""Findings are read back, and what does not fit is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from fixtures.noise_images import write_noise_folder
from impasto.data.inventory import Duplicate, LeftOut
from impasto.data.pack_files import PAIRS, FileSet, finding_lines
from impasto.data.pixel_store import PixelStore, pack
from impasto.errors import ImpastoError


def test_lines_of_pairs_are_short() -> None:
    pairs = np.arange(4 * PAIRS + 2).reshape(-1, 2)
    lines = [json.loads(line)["near_duplicates"] for line in finding_lines(pairs)]
    assert [len(line) for line in lines] == [PAIRS, PAIRS, 1] and np.array_equal(np.concatenate(lines), pairs)
    for finding in (LeftOut(name="山\n水", reason="empty"), Duplicate(name="a", of="b")):
        (line,) = finding_lines(finding)
        assert "\n" not in line and finding.model_dump() in json.loads(line).values()


def test_findings_that_do_not_fit_are_damage(tmp_path: Path) -> None:
    folder = write_noise_folder(tmp_path / "in", 4, blocks=6, size=(20, 20))
    (folder / "empty.png").touch()
    pack(folder, tmp_path / "pack", 16)
    (path,) = (tmp_path / "pack").glob("*.jsonl")
    for bad in ("{", "[]", "{}", '{"left_out": {}}', '{"near_duplicates": [[0, 4]]}', '{"near_duplicates": [[1, 0]]}'):
        path.write_text(f"{bad}\n")
        with pytest.raises(ImpastoError, match="damaged") as error:
            PixelStore.open(tmp_path / "pack").inventory  # noqa: B018
        assert path.name in str(error.value)


def test_names_of_files_are_inside_the_pack() -> None:
    assert FileSet(number=3, digest="ab" * 32).name == "00003-abababababababab"
    for digest in ("../x", "AB" * 32, "ab" * 32 + "\n"):
        with pytest.raises(ValueError, match="digest"):
            FileSet(number=0, digest=digest)
