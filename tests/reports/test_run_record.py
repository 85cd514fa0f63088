"""Reading run folders, complete or damaged."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures import invented_runs as invented
from impasto.errors import ImpastoError
from impasto.reports.run_record import RunRecord


def test_scores_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run")
    assert RunRecord.read(run).evaluation is None
    scores = invented.evaluation(content=invented.CONTENT)
    invented.score(run, scores)
    assert RunRecord.read(run).evaluation == scores


def test_other_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ImpastoError) as raised:
            RunRecord.read(folder)
        assert "is not a run folder" in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("file", "content", "text"),
    [
        ("run.json", "{", "run.json is not valid JSON"),
        ("run.json", json.dumps(invented.FACTS | {"seed": "x"}), "seed"),
        ("run.json", "[]", "run.json is not valid JSON: it does not contain an object"),
        ("run.json", "\udcff", "run.json is not valid JSON"),
        ("run.json", "[" * 100_000, "run.json is not valid JSON"),
        ("log.jsonl", '{"step": 1' + "0" * 400 + "}\n{}\n", "log.jsonl, line 1 is damaged"),
        ("log.jsonl", "[" * 100_000 + "\n{}\n", "log.jsonl, line 1 is damaged"),
        ("recipe.yaml", "size: 64\nsize: 128", "'size' is given twice"),
        ("recipe.yaml", "a: &a [*a]", "contains itself"),
        ("evaluation.json", "null", "evaluation.json is not valid JSON"),
        ("recipe.yaml", "a: [", "is not YAML"),
        ("recipe.yaml", "- 1", "is not a recipe"),
        ("evaluation.json", "{", "evaluation.json is not valid JSON"),
        ("evaluation.json", '{"impasto": "0.1.0"}', "evaluate again"),
    ],
)
def test_a_damaged_file_is_reported_in_one_line(tmp_path: Path, file: str, content: str, text: str) -> None:
    run = invented.begin(tmp_path / "run")
    (run / file).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ImpastoError) as raised:
        RunRecord.read(run)
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


def test_unknown_facts_are_ignored(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run", parameters=12, host={"cores": 2})
    assert RunRecord.read(run).facts.seed == 0


def test_translations_have_the_size_of_the_stored_photos(tmp_path: Path) -> None:
    def shown(size: int, least: float, photos: dict[str, Any] | None) -> int:
        run = tmp_path / f"{size}-{least}-{photos is None}-{(photos or {}).get('size')}"
        invented.begin(run, size, photos=photos)
        augment = {"augment": {"flip": True, "scale": [least, 1.0]}}
        (run / "recipe.yaml").write_text(yaml.safe_dump(invented.RECIPE | augment | {"size": size}))
        return RunRecord.read(run).sample_size

    assert shown(128, 0.5, invented.PHOTOS | {"size": 256}) == 256
    assert shown(128, 0.8, invented.PHOTOS | {"size": 512}) == 160
    assert shown(128, 0.5, invented.PHOTOS | {"size": 200}) == 200  # nobody makes photos larger than they were packed
    assert shown(64, 0.8, None) == 64  # noise becomes a picture of the size that is learned at
