import io
from typing import Any

from rich.console import Console

from impasto.training.progress import Progress


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


def shown(*rows: dict[str, Any], heldout: int = 30) -> str:
    screen = io.StringIO()
    with Progress(heldout, Console(file=screen, width=200)) as progress:
        progress.update(list(rows), 1000, 75.0)
    return screen.getvalue()


def test_the_line_tells_all_of_a_training() -> None:
    line = shown(row(7, **{"KID[efficientnet-lite0] 256 v 270": 0.0812}), row(8))
    assert line.startswith("step 8/1000 · loss G 1.50 D 0.25")
    assert "D right real 96% fake 90%: it still tells real from fake with ease" in line
    assert "KID[efficientnet-lite0] 0.081 (256 v 270)" in line  # brackets are no markup
    assert line.endswith("151 img/s · 600 MB · 1:15 left\n")


def test_a_step_without_a_loss_leaves_the_last_one_standing() -> None:
    without = row(8, loss_discriminator=0.5)
    del without["loss_generator"]
    assert "loss G 1.50 D 0.50" in shown(row(7), without)
    assert "step 8/1000 · loss D 0.50 · D right" in shown(without)


def test_the_parts_of_a_loss_are_left_to_the_log() -> None:
    parts = {"loss_cycle": 0.25, "loss_cycle_back": 0.5, "loss_discriminator_back": 0.75, "loss_adversarial": 9.0}
    assert "· loss G 1.50 D 0.25 D back 0.75 · D right" in shown(row(7, **parts))


def test_a_training_that_measures_little_is_told_of_all_the_same() -> None:
    line = shown({"step": 3, "pictures_per_second": 1.0, "memory": 6e8, "accuracy_heldout": 0.5})
    assert line.startswith("step 3/1000 · 1 img/s")


def test_the_line_says_in_words_that_the_discriminator_memorises() -> None:
    assert "heldout 40%: it is memorising" in shown(row(10, accuracy_heldout=0.4))
    assert "it is memorising" not in shown(row(10, accuracy_heldout=0.94))
    assert "it is memorising" not in shown(row(10, accuracy_heldout=0.5), heldout=4)  # too few to tell


def test_single_batches_do_not_make_the_verdict() -> None:
    calm = [row(k, accuracy_heldout=0.95) for k in range(10, 200, 10)]
    assert "it is memorising" not in shown(*calm, row(200, accuracy_heldout=0.1))
