"""The log of a run, complete, damaged or cut off."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import invented_runs as invented
from impasto.errors import ImpastoError
from impasto.reports.run_log import read_log
from impasto.reports.run_record import RunRecord


def test_an_incomplete_last_line_is_ignored(tmp_path: Path) -> None:
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


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": \n{"step": 3}\n')
    with pytest.raises(ImpastoError, match="line 2 is damaged"):
        read_log(log)


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "loss": {}, "seed": "x", "KID": 0.5}\n{"step": 2, "loss": 3}\n')
    columns = read_log(log).columns
    assert columns.keys() == {"step", "KID", "loss"} and np.isnan(columns["loss"][0]) and columns["loss"][1] == 3


def test_a_step_that_is_a_text_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": "5", "KID": 0.5}\n{"step": 6, "KID": 0.4}\n')
    assert read_log(log).columns["step"].tolist() == [5, 6]


def test_sparse_quantities_keep_their_steps(tmp_path: Path) -> None:
    invented.write_log(tmp_path, invented.log_rows(100, every=25))
    log = read_log(tmp_path / "log.jsonl")
    steps, values = log.series(invented.KID)
    assert steps.tolist() == [25, 50, 75, 100]
    assert np.isfinite(values).all()
    assert np.isnan(log.columns[invented.KID]).sum() == 96
    assert log.series("no such measure")[0].size == 0


def test_the_lowest_score_has_its_step(tmp_path: Path) -> None:
    values = {10: 0.6, 20: 0.5, 30: 0.3, 40: 0.4}
    run = invented.begin(tmp_path / "run")
    invented.write_log(run, [{"step": step, invented.KID: value} for step, value in values.items()])
    assert RunRecord.read(run).log.lowest(invented.KID) == (30, 0.3)
    assert RunRecord.read(run).log.lowest("no such measure") is None


def test_rows_discarded_by_a_rewind_are_left_out(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"step": step, "loss_generator": 1.0} for step in (1, 2, 3, 4)]
    rows.append({"step": 2, "event": "went back to step 2"})
    rows.append({"step": 3, "loss_generator": 2.0})
    invented.write_log(tmp_path, rows)
    log = read_log(tmp_path / "log.jsonl")
    assert log.columns["step"].tolist() == [1, 2, 3]
    assert log.columns["loss_generator"].tolist() == [1.0, 1.0, 2.0]
    assert [(event.step, event.text) for event in log.events] == [(2, "went back to step 2")]


def test_nan_and_infinity_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss_generator": 2.0}\n{"step": 2, "loss_generator": NaN}\n')
    log = read_log(tmp_path / "log.jsonl")
    assert log.last("loss_generator") == 2.0
    assert len(log) == 2


def test_images_shown_by_a_step(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run")
    assert RunRecord.read(run).log.images_at(0) == 0
    invented.write_log(run, invented.log_rows(10))
    assert RunRecord.read(run).log.images_at(7) == 7 * invented.BATCH
    assert RunRecord.read(run).log.images_at(11) is None
