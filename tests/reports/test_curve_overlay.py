"""Curves of several runs over the same axes."""

from pathlib import Path

import pytest

from fixtures import invented_runs as invented
from impasto.reports.comparison_results import Entry
from impasto.reports.curve_overlay import draw_overlay, overlay_panels
from impasto.reports.figure_style import DARK, LIGHT
from impasto.reports.run_record import RunRecord


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    return invented.three_entries(tmp_path_factory.mktemp("runs"))


def test_scores_are_drawn_over_images_and_over_time(entries: list[Entry]) -> None:
    records = [each.record for each in entries]
    drawn = overlay_panels(records)
    assert [(panel.column, panel.along) for panel in drawn[:2]] == [
        (invented.KID, "pictures"),
        (invented.KID, "seconds"),
    ]
    assert {"loss_generator", "loss_discriminator", "accuracy_fake", "accuracy_real"} < {each.column for each in drawn}
    for theme in (LIGHT, DARK):
        axes = draw_overlay(records, theme).axes
        assert all(len({line.get_color() for line in each.lines}) == 3 for each in axes[: len(drawn)])
        assert axes[0].get_title(loc="left") == invented.KID
        assert axes[1].get_xlabel() == "minutes of training"


def test_a_loss_of_a_single_run_is_left_out(tmp_path: Path) -> None:
    cycle, gan = invented.begin(tmp_path / "cycle"), invented.begin(tmp_path / "gan")
    invented.write_log(cycle, invented.cycle_rows(20))
    invented.write_log(gan, invented.log_rows(20))
    both = [RunRecord.read(cycle), RunRecord.read(gan)]
    drawn = [panel.column for panel in overlay_panels(both) if panel.column.startswith("loss_")]
    assert drawn == ["loss_generator", "loss_discriminator"]
    assert "loss_cycle_back" in {panel.column for panel in overlay_panels(both[:1])}
