"""Curves show what was logged."""

import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fixtures import invented_runs as invented
from impasto.metrics.choice import Choice
from impasto.reports.curves import draw_curves, group_losses, needs_log_scale
from impasto.reports.figure_style import DARK, LIGHT, png
from impasto.reports.run_log import Event, Log
from impasto.reports.run_record import RunRecord


def titles(drawn: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in drawn.axes]


def legends(drawn: Figure) -> list[list[str]]:
    return [[text.get_text() for text in legend.get_texts()] for axes in drawn.axes if (legend := axes.get_legend())]


def record(folder: Path, rows: list[dict[str, Any]]) -> RunRecord:
    run = invented.begin(folder / "run")
    invented.write_log(run, rows)
    return RunRecord.read(run)


def test_every_loss_is_drawn_whatever_its_name(tmp_path: Path) -> None:
    logged = ("loss_discriminator", "loss_whatever_there", "loss_generator", "loss_identity")
    rows = [{"step": step, "pictures": step} | dict.fromkeys(logged, 1.0 / step) for step in range(1, 9)]
    drawn = draw_curves(record(tmp_path, rows), LIGHT)
    assert legends(drawn) == [["generator", "discriminator"], ["identity", "whatever there"]]


def test_loss_terms_and_totals_have_separate_panels(tmp_path: Path) -> None:
    drawn = draw_curves(record(tmp_path, list(invented.cycle_rows(60))), LIGHT)
    assert titles(drawn)[:3] == [
        "Total losses",
        "Generator: adversarial loss",
        "Generator: other loss terms, unweighted",
    ]
    assert legends(drawn)[:3] == [
        ["generator", "discriminator", "discriminator (reverse)"],
        ["adversarial", "adversarial (reverse)"],
        ["cycle", "cycle (reverse)", "identity", "identity (reverse)"],
    ]


def test_an_only_adversarial_loss_is_drawn_as_the_total() -> None:
    ones = dict.fromkeys(("step", "loss_discriminator", "loss_adversarial", "loss_generator"), np.ones(3))
    assert group_losses(Log(ones)) == {"Total losses": ["loss_generator", "loss_discriminator"]}
    assert "loss_adversarial" in group_losses(Log(ones | {"loss_content": np.ones(3)}))["Generator: adversarial loss"]


def test_the_reverse_direction_is_dashed_in_the_same_colour(tmp_path: Path) -> None:
    drawn = draw_curves(record(tmp_path, list(invented.cycle_rows(60))), LIGHT)
    lines = {line.get_label(): line for axes in drawn.axes[:3] for line in axes.lines}
    for name in ("discriminator", "adversarial", "cycle", "identity"):
        there, back = lines[name], lines[f"{name} (reverse)"]
        assert there.get_color() == back.get_color()
        assert there.is_dashed() is not back.is_dashed()
    assert len({lines[name].get_color() for name in ("cycle", "identity")}) == 2


def test_steps_without_a_generator_loss_leave_no_gap(tmp_path: Path) -> None:
    drawn = draw_curves(record(tmp_path, list(invented.cycle_rows(60))), LIGHT)
    (line,) = [line for line in drawn.axes[0].lines if line.get_label() == "generator"]
    assert np.asarray(line.get_xdata()).tolist() == list(range(1, 60, 2))


def test_positive_losses_far_apart_share_a_logarithmic_axis(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"step": k, "pictures": k, "loss_generator": 9.0 + 1 / k, "loss_discriminator": 0.2} for k in range(1, 9)
    ]
    assert draw_curves(record(tmp_path, rows), LIGHT).axes[0].get_yscale() == "log"
    rows[3]["loss_discriminator"] = -0.1
    invented.write_log(tmp_path / "run", rows)
    assert draw_curves(RunRecord.read(tmp_path / "run"), LIGHT).axes[0].get_yscale() == "linear"
    assert not needs_log_scale([np.full(3, 0.5), np.full(3, 4.0)])
    assert not needs_log_scale([np.full(3, 0.01)])


def test_panels_and_their_axis_labels(tmp_path: Path) -> None:
    drawn = draw_curves(record(tmp_path, list(invented.log_rows(60))), DARK)
    assert len(titles(drawn)) == 4
    assert drawn.axes[-1].get_xlabel() == "step (16 images each)"
    assert all(axes.get_ylabel() for axes in drawn.axes)


@pytest.mark.parametrize(
    ("best", "step", "name", "values"),
    [(None, 300, "lowest", (0.2, 0.4)), (250, 250, "best style", (0.4, 0.8)), (7, 300, "lowest", (0.2, 0.4))],
)
def test_each_score_has_a_panel_with_the_best_style_marked_or_the_lowest_value(
    tmp_path: Path, best: int | None, step: int, name: str, values: tuple[float, float]
) -> None:
    """Another step than the lowest may be the best style: one that does not reproduce training images."""
    other = "KID[$net$] 128 v 30"
    rows: list[dict[str, Any]] = [{"step": step, "pictures": step} for step in range(1, 401)]
    for scored, value in {100: 0.5, 250: 0.4, 300: 0.2, 400: 0.3}.items():
        rows[scored - 1] |= {invented.KID: value, other: 2 * value}
    run = record(tmp_path, rows)
    choice = best and Choice(step=best, decided_by=invented.KID, value=0.4, memorisation="none", copies=0.0)
    drawn = draw_curves(replace(run, facts=run.facts.model_copy(update={"best": choice})), LIGHT)
    assert titles(drawn) == [invented.KID, other]
    for axes, value in zip(drawn.axes, values, strict=True):
        (ring,) = [line for line in axes.lines if line.get_markersize() == 10]
        assert (ring.get_xdata(), ring.get_ydata()) == ([step], [value])
        assert any(f"{name}: {value:.3g}" == text.get_text() for text in axes.texts)


def test_100_000_steps_are_read_and_drawn_within_5_cpu_seconds(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run")
    measures = ("loss_generator", "loss_discriminator", "accuracy_real", "accuracy_fake", "diversity_ratio")
    row = '{"step": %d, "pictures": %d, ' + ", ".join(f'"{name}": 0.%d' for name in measures) + "}\n"
    lines = (row % (step, 16 * step, *[step * 7919 % 1000] * len(measures)) for step in range(1, 100_001))
    (run / "log.jsonl").write_text("".join(lines))
    began = time.process_time()
    content = png(draw_curves(RunRecord.read(run), LIGHT))
    assert time.process_time() - began < 5
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.width == 1350


def test_a_single_step_and_nan_can_be_drawn() -> None:
    log = Log(
        {"step": np.ones(1), "pictures": np.ones(1), "loss_generator": np.ones(1), invented.KID: np.full(1, np.nan)}
    )
    assert titles(draw_curves(_with(log), LIGHT)) == ["Total losses"]


def test_every_panel_marks_every_event(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = list(invented.log_rows(60))
    plain = draw_curves(record(tmp_path, rows), LIGHT)
    log = RunRecord.read(tmp_path / "run").log
    marked = draw_curves(_with(Log(log.columns, (Event(20, "went back"), Event(40, "stopped")))), LIGHT)
    for without, with_events in zip(plain.axes, marked.axes, strict=True):
        assert len(with_events.lines) == len(without.lines) + 2


def test_an_empty_log_has_no_curves() -> None:
    with pytest.raises(ValueError, match="no step yet"):
        draw_curves(_with(Log()), LIGHT)


def _with(log: Log) -> RunRecord:
    return RunRecord(Path("run"), invented.facts(), {}, log, ())
