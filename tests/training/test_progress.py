"""The line of a training in the terminal."""

import io
from typing import Any

from rich.console import Console

from fixtures.clock import FakeClock
from impasto.training.callbacks import Estimate
from impasto.training.progress import ProgressDisplay


def row(step: int, **values: float) -> dict[str, Any]:
    return {
        "step": step,
        "loss_generator": 1.5,
        "loss_discriminator": 0.25,
        "accuracy_real": 0.96,
        "accuracy_fake": 0.9,
        "pictures_per_second": 151.0,
        "memory": 6e8,
    } | values


def displayed(*rows: dict[str, Any], heldout: int = 30) -> str:
    screen = io.StringIO()
    display = ProgressDisplay(heldout, Console(file=screen, width=200))
    display.on_start()
    display.on_rows(rows, Estimate(1000, 75.0))
    display.close()
    return screen.getvalue()


def test_the_line_has_losses_accuracies_scores_speed_memory_and_eta() -> None:
    line = displayed(row(7, **{"KID[efficientnet-lite0] 256 v 270": 0.0812}), row(8))
    assert line.startswith("step 8/1000 · loss G 1.50 D 0.25")
    assert "D accuracy: real 96%, fake 90% (separates real from fake easily)" in line
    assert "KID[efficientnet-lite0] 0.081 (256 v 270)" in line  # brackets are not markup
    assert line.endswith("151 img/s · memory 600 MB · ETA 1:15\n")


def test_accuracies_near_chance_are_healthy() -> None:
    assert "D accuracy: real 53%, fake 60% (near chance: healthy)" in displayed(
        row(8, accuracy_real=0.53, accuracy_fake=0.6)
    )


def test_the_last_loss_stays_where_a_step_has_none() -> None:
    without = row(8, loss_discriminator=0.5)
    del without["loss_generator"]
    assert "loss G 1.50 D 0.50" in displayed(row(7), without)
    assert "step 8/1000 · loss D 0.50 · D accuracy" in displayed(without)


def test_components_of_a_loss_are_not_displayed() -> None:
    parts = {"loss_cycle": 0.25, "loss_cycle_back": 0.5, "loss_discriminator_back": 0.75, "loss_adversarial": 9.0}
    assert "· loss G 1.50 D 0.25 D back 0.75 · D accuracy" in displayed(row(7, **parts))


def test_a_row_without_losses_is_displayed() -> None:
    line = displayed({"step": 3, "pictures_per_second": 1.0, "memory": 6e8, "accuracy_heldout": 0.5})
    assert line.startswith("step 3/1000 · 1 img/s")


def test_a_memorising_discriminator_is_named() -> None:
    assert "held-out 40% (memorising)" in displayed(row(10, accuracy_heldout=0.4))
    assert "memorising" not in displayed(row(10, accuracy_heldout=0.94))
    assert "memorising" not in displayed(row(10, accuracy_heldout=0.5), heldout=4)  # too few


def test_accuracies_are_means_of_recent_batches() -> None:
    calm = [row(k, accuracy_heldout=0.95) for k in range(10, 200, 10)]
    assert "memorising" not in displayed(*calm, row(200, accuracy_heldout=0.1))


def test_plain_lines_are_printed_every_ten_seconds_and_at_the_end() -> None:
    screen, clock = io.StringIO(), FakeClock()
    display = ProgressDisplay(0, Console(file=screen, width=200), clock)
    for step in range(1, 13):
        display.on_rows([row(step)], Estimate())
        clock.advance(2)
    display.close()
    assert [line.split(" · ")[0] for line in screen.getvalue().splitlines()] == [
        "step 1",
        "step 6",
        "step 11",
        "step 12",
    ]
    assert "measuring the speed" in screen.getvalue()
