"""``log.jsonl``."""

import json
from pathlib import Path

from fixtures.logged import LOSSES, create_run, log_everything
from impasto.training.loggers.jsonl import JsonLinesLogger


def test_the_file_has_one_row_a_step_and_the_events(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    log_everything(run, JsonLinesLogger)
    rows = [json.loads(line) for line in run.log_file.read_text().splitlines()]
    assert {row["step"]: row["loss"] for row in rows if "event" not in row} == LOSSES
    assert [row for row in rows if "event" in row] == [{"step": 2, "event": "Rolled back to step 2"}]


def test_rewinding_removes_later_rows_and_an_incomplete_last_line(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    run.log_file.write_text('{"step": 1}\n{"step": 2}\n{"step": 2, "event": "went back"}\n{"step": 3}\n{"step": 4, "lo')
    JsonLinesLogger(run).on_rewind(2)
    assert run.log_file.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 2, "event": "went back"}\n'


def test_damaged_lines_are_removed_when_the_log_is_rewound(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    run.log_file.write_bytes(b'{"step": 1}\n\xff\n[1]\n{"step": []}\n' + b"[" * 100_000 + b'\n{"step": 2}\n{"st')
    JsonLinesLogger(run).on_rewind(1)
    assert run.log_file.read_text() == '{"step": 1}\n'
