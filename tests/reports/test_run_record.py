"""What a run folder tells, whole, damaged or half-written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fixtures import invented_runs as invented
from impasto.errors import ImpastoError
from impasto.reports.run_log import read_log
from impasto.reports.run_record import RunRecord


def test_a_line_cut_off_by_a_kill_costs_nothing_but_itself(tmp_path: Path) -> None:
    invented.write_log(tmp_path, invented.log_rows(30))
    log = tmp_path / "log.jsonl"
    whole = log.read_bytes()
    for cut_off in (
        b"{",
        b'{"step": 31, "pict',
        b'{"step": 31, "event": "na\xc3',
        whole.splitlines()[-1][:-1],
    ):
        log.write_bytes(whole + cut_off)
        assert read_log(log).columns["step"].tolist() == list(range(1, 31))


def test_a_damaged_line_within_the_log_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": \n{"step": 3}\n')
    with pytest.raises(ImpastoError, match="line 2 is damaged"):
        read_log(log)


def test_measures_taken_now_and_then_keep_their_steps(tmp_path: Path) -> None:
    invented.write_log(tmp_path, invented.log_rows(100, every=25))
    log = read_log(tmp_path / "log.jsonl")
    steps, values = log.series(invented.KID)
    assert steps.tolist() == [25, 50, 75, 100]
    assert np.isfinite(values).all()
    assert np.isnan(log.columns[invented.KID]).sum() == 96
    assert log.series("no such measure")[0].size == 0


def test_the_best_is_the_lowest(tmp_path: Path) -> None:
    values = {10: 0.6, 20: 0.5, 30: 0.3, 40: 0.4}
    run = invented.begin(tmp_path / "run")
    invented.write_log(run, [{"step": step, invented.KID: value} for step, value in values.items()])
    assert RunRecord.read(run).log.best(invented.KID) == (30, 0.3)
    assert RunRecord.read(run).log.best("no such measure") is None


def test_scores_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run")
    assert RunRecord.read(run).evaluation is None
    scores = invented.evaluation(content=invented.CONTENT)
    invented.score(run, scores)
    assert RunRecord.read(run).evaluation == scores


def test_after_going_back_only_the_path_that_led_on_is_kept(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"step": step, "loss_generator": 1.0} for step in (1, 2, 3, 4)]
    rows.append({"step": 2, "event": "went back to step 2"})
    rows.append({"step": 3, "loss_generator": 2.0})
    invented.write_log(tmp_path, rows)
    log = read_log(tmp_path / "log.jsonl")
    assert log.columns["step"].tolist() == [1, 2, 3]
    assert log.columns["loss_generator"].tolist() == [1.0, 1.0, 2.0]
    assert [(event.step, event.text) for event in log.events] == [(2, "went back to step 2")]


def test_numbers_that_are_none_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss_generator": 2.0}\n{"step": 2, "loss_generator": NaN}\n')
    log = read_log(tmp_path / "log.jsonl")
    assert log.last("loss_generator") == 2.0
    assert len(log) == 2


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ImpastoError) as raised:
            RunRecord.read(folder)
        assert "is not a run folder" in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("run.json", "{", "run.json is not valid JSON"),
        ("run.json", json.dumps(invented.FACTS | {"seed": "x"}), "seed"),
        ("recipe.yaml", "a: [", "is not YAML"),
        ("recipe.yaml", "- 1", "is not a recipe"),
        ("evaluation.json", "{", "evaluation.json is not valid JSON"),
        ("evaluation.json", '{"impasto": "0.1.0"}', "evaluate again"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, file: str, content: str, said: str) -> None:
    run = invented.begin(tmp_path / "run")
    (run / file).write_text(content)
    with pytest.raises(ImpastoError) as raised:
        RunRecord.read(run)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_later_versions_add_to_a_run_is_no_obstacle(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run", parameters=12, host={"cores": 2})
    assert RunRecord.read(run).facts.seed == 0


def test_a_translator_s_pictures_are_as_large_as_the_photos_it_cuts_squares_from(tmp_path: Path) -> None:
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


def test_a_sample_knows_how_many_pictures_came_before(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run")
    assert RunRecord.read(run).log.images_at(0) == 0
    invented.write_log(run, invented.log_rows(10))
    assert RunRecord.read(run).log.images_at(7) == 7 * invented.BATCH
    assert RunRecord.read(run).log.images_at(11) is None
