"""Only comparable scores share a table."""

from pathlib import Path

import pytest

from fixtures import invented_runs as invented
from fixtures.invented_runs import entry
from fixtures.parsed import plain
from impasto.metrics.results import Value
from impasto.reports.comparison import compare_runs
from impasto.reports.comparison_results import Entry
from impasto.reports.comparison_tables import score_blocks


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    return invented.three_entries(tmp_path_factory.mktemp("runs"))


def test_incomparable_scores_are_in_different_tables(entries: list[Entry]) -> None:
    blocks = score_blocks(compare_runs(entries).runs)
    assert [block.runs for block in blocks] == [[0, 1], [0, 1], [2], [2]]
    for block in blocks:
        assert any(counts in block.caption for counts in ("256 v 270", "128 v 270"))
        for line in block.lines[:-1]:
            assert block.caption.partition(",")[0] in line.label
    kid = blocks[0].lines[0]
    assert kid.best == [False, True]
    assert [plain(text) for text in kid.texts] == ["0.0800 ± 0.0021", "0.0500 ± 0.0021"]
    assert kid.notes == ["floor 0.0004, 135 v 135"] * 2


def test_the_lower_checkerboard_is_better(tmp_path: Path) -> None:
    made = [
        entry(tmp_path / name, invented.evaluation(checkerboard=checkerboard))
        for name, checkerboard in (
            ("woven", Value(value=6.5, error=0.3, floor=0.2)),
            ("smooth", Value(value=0.4, error=0.1, floor=0.2)),
            ("older", None),
        )
    ]
    blocks = score_blocks(compare_runs(made).runs)
    lines = [line for line in blocks[0].lines if line.label == "checkerboard"]
    assert [plain(text) for text in lines[0].texts] == ["6.50 ± 0.30", "0.40 ± 0.10", "—"]
    assert lines[0].best == [False, True, False]
    assert lines[0].notes == ["reals 0.20", "reals 0.20", ""]
    assert not any(line.label == "checkerboard" for line in blocks[1].lines)  # once, not once a network
