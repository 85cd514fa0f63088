"""Failure detection, and rollback with half the learning rate."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.clock import FakeClock, take_time
from fixtures.trainers import after_step, before_step, kid_scores, log_rows, same, trainer
from impasto.data.loader import Batch
from impasto.errors import ImpastoError
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.recovery import COLLAPSED, GRACE, MAX_ROLLBACKS, WINDOW, FailureDetector
from impasto.training.trainer import Trainer


def row(step: int, diversity_ratio: float = 0.8, loss: float = 1.0) -> dict[str, float]:
    return {"step": step, "loss_generator": loss, "diversity_ratio": diversity_ratio}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinite_losses_are_detected_at_once(bad: float) -> None:
    detector = FailureDetector()
    assert detector.check(row(1)) is None
    assert "loss generator became NaN or infinite" in (detector.check(row(2, loss=bad)) or "")


def test_identical_fakes_for_a_while_are_mode_collapse() -> None:
    detector = FailureDetector()
    found = [detector.check(row(GRACE + k, 0.01)) for k in range(1, WINDOW + 1)]
    assert found[:-1] == [None] * (WINDOW - 1)
    assert "collapsed" in (found[-1] or "")


def test_grey_images_at_the_start_and_short_dips_are_no_mode_collapse() -> None:
    detector = FailureDetector()
    assert all(detector.check(row(step, 0.0)) is None for step in range(1, GRACE + 1))
    for step in range(GRACE + 1, GRACE + 1000):
        dip = step % WINDOW != 0
        assert detector.check(row(step, 0.0 if dip else 0.5)) is None


def test_a_state_close_to_collapse_is_not_healthy() -> None:
    detector = FailureDetector()
    healthy = [detector.healthy]
    for step, diversity_ratio in ((GRACE + 1, 1.5 * COLLAPSED), (GRACE + 2, 0.5)):
        detector.check(row(step, diversity_ratio))
        healthy.append(detector.healthy)
    assert healthy == [True, False, True]


def break_weights(t: Trainer, value: float) -> None:
    with torch.no_grad():
        next(t.state.method.style().parameters()).fill_(value)


def events(t: Trainer) -> list[str]:
    return [row["event"] for row in log_rows(t.run) if "event" in row]


def test_after_nan_the_training_rolls_back_with_half_the_learning_rate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    t = trainer(tmp_path / "run", budget="60steps")
    broken: list[bool] = []

    def break_once(_: Batch) -> None:
        if t.step == 30 and not broken:
            broken.append(True)
            break_weights(t, float("nan"))

    before_step(t, break_once)
    assert t.train().finished
    (event,) = events(t)
    assert "became NaN or infinite" in event and "Rolled back to step 25" in event and event in caplog.text
    rows = log_rows(t.run)
    assert [row["step"] for row in rows if "event" not in row] == list(range(1, 61))
    assert rows[-1]["lr"] == 1e-4  # half
    assert all(np.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))
    assert Style.load(t.run.last).network.state_dict()["layers.0.weight"].isfinite().all()


@pytest.mark.parametrize("step", [25, 60])
def test_weights_that_become_infinite_in_the_last_update_before_a_save_are_not_saved(tmp_path: Path, step: int) -> None:
    """Even in the last step of all, whose losses are finite."""
    t = trainer(tmp_path / "run", budget="60steps")
    broken: list[bool] = []

    def break_once(_: Batch) -> None:
        if t.step + 1 == step and not broken:
            broken.append(True)
            break_weights(t, float("inf"))

    after_step(t, break_once)
    assert t.train().finished
    assert "Rolled back" in str(events(t))
    for path in checkpoint.steps(t.run.checkpoints):
        assert checkpoint.load(path)["networks"]["generator"]["layers.0.weight"].isfinite().all()
    assert Style.load(t.run.last).network.state_dict()["layers.0.weight"].isfinite().all()


def test_mode_collapse_rolls_back(tmp_path: Path) -> None:
    """The last layer is zero until the rollback, so that all fakes are the same grey."""
    t = trainer(tmp_path / "run", budget="260steps")

    def collapse(_: Batch) -> None:
        if t.step > 220 and not t.recovery.rollbacks:
            with torch.no_grad():
                list(t.state.method.style().parameters())[-1].zero_()

    before_step(t, collapse)
    assert t.train().finished
    (event,) = events(t)
    assert "nearly identical images" in event and "Rolled back to step" in event
    assert [row["step"] for row in log_rows(t.run) if "event" not in row] == list(range(1, 261))


def test_a_training_that_fails_again_and_again_ends_with_its_last_good_state(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", settings=("generator.lr=1e30", "discriminator.lr=1e30"))
    with pytest.raises(ImpastoError, match="lower learning rate"):
        t.train()
    assert len(events(t)) == MAX_ROLLBACKS
    assert not [path for path in t.run.samples.glob("step-*.jpg") if path.name > f"step-{t.step:08d}.jpg"]
    assert Style.load(t.run.last).network.state_dict()["layers.0.weight"].isfinite().all()


def test_the_seconds_before_a_rollback_count_once(tmp_path: Path) -> None:
    clock = FakeClock()
    t = trainer(tmp_path / "run", settings=("generator.lr=1e30",), clock=clock)
    take_time(t, clock, 0.25)
    with pytest.raises(ImpastoError):
        t.train()
    assert t.timer.elapsed == clock.now > 0


def failing(path: Path, at: tuple[int, ...], stops: tuple[int, ...] = (), saves: tuple[int, ...] = ()) -> Trainer:
    """Return a trainer whose weights break once after each of these steps, and which is stopped and saved after others.

    What has happened is recorded in the folder, as resumed processes do not remember it.
    """
    t = trainer(path, budget="120steps", scorer=lambda images: kid_scores(float(images.astype(float).std())))

    def act(_: Batch) -> None:
        for kind, steps in (("break", at), ("stop", stops), ("save", saves)):
            done = path / f"{kind}-{t.step}"
            if t.step not in steps or done.exists():
                continue
            done.touch()
            if kind == "break":
                break_weights(t, float("nan"))
            elif kind == "stop":
                os.kill(os.getpid(), signal.SIGINT)
            else:
                t.timer._saved -= 1000.0  # long ago by the clock

    after_step(t, act)
    return t


FAILS = (63, 74, 76)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A training that only fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("impasto.training.schedule.SCORE_SPACING", 80)
        t = failing(tmp_path_factory.mktemp("alone") / "run", FAILS)
        assert t.train().finished
    assert [event.split("Rolled back to step ")[1].split()[0] for event in events(t)] == ["50", "25", "75"]
    return t


@pytest.mark.parametrize(
    ("stops", "saves"),
    [
        pytest.param((), (33, 58, 71), marks=pytest.mark.long),
        pytest.param((40,), (), marks=pytest.mark.long),
        pytest.param((55, 70), (33, 58, 71), marks=pytest.mark.long),
        ((24, 62), ()),
    ],
)
def test_a_training_that_fails_and_is_stopped_equals_one_that_only_fails_bit_for_bit(
    alone: Trainer, tmp_path: Path, stops: tuple[int, ...], saves: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The states to roll back to depend on neither the clock nor on when it was stopped."""
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 80)
    t = failing(tmp_path / "stopped", FAILS, stops, saves)
    finished = t.train().finished
    while not finished:
        t = failing(tmp_path / "stopped", FAILS, stops, saves)
        t.resume(checkpoint.newest(t.run.checkpoints)[0])
        finished = t.train().finished
    one, two = alone.state_dict(), t.state_dict()
    del one["seconds"], two["seconds"]
    same(one, two)
    rows = [[row for row in log_rows(each.run) if "event" not in row] for each in (alone, t)]
    assert rows[0] == rows[1]
    cards = [Style.load(each.run.best).card for each in (alone, t)]
    assert cards[0].steps == cards[1].steps and cards[0].scores == cards[1].scores


def test_a_rollback_past_several_checkpoints_leaves_that_of_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    t = failing(tmp_path / "run", at=(47,), saves=(30, 34, 38, 42))
    left: list[int] = []
    monkeypatch.setattr(
        t.callbacks, "on_event", lambda *_: left.extend(map(checkpoint.step_of, checkpoint.steps(t.run.checkpoints)))
    )
    assert t.train().finished
    assert left == [25]


@pytest.mark.parametrize("killed", [False, True])
def test_the_best_style_of_a_state_is_restored_where_a_later_one_has_replaced_it(
    tmp_path: Path, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best one is of step 22; a better one, of step 39, is lost in a rollback or with a process, to step 25."""
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 100)
    values = iter([3.0, 2.0, 1.0])

    def lose(_: Batch) -> None:
        if t.step == 40 and not t.recovery.rollbacks:
            assert Style.load(t.run.best).card.steps == 39
            if killed:
                raise KeyboardInterrupt
            break_weights(t, float("nan"))

    t = trainer(tmp_path / "run", "60steps", scorer=lambda images: kid_scores(next(values, 3.0)))
    before_step(t, lose)
    if killed:
        with pytest.raises(KeyboardInterrupt):
            t.train()
        t = trainer(tmp_path / "run", "60steps", scorer=lambda images: kid_scores(3.0))
        t.resume(checkpoint.newest(t.run.checkpoints)[0])
        assert t.step == 25
    assert t.train().finished and t.recovery.rollbacks == (not killed)
    assert Style.load(t.run.best).card.steps == t.run.facts["best"]["step"] == 22


def test_a_killed_process_leaves_no_later_state_to_roll_back_to(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="60steps")
    t.train()
    (early,) = [path for path in checkpoint.steps(t.run.recovery) if checkpoint.step_of(path) == 25]
    again = trainer(tmp_path / "run", budget="60steps")
    again.resume(checkpoint.load(early))
    assert [checkpoint.step_of(path) for path in checkpoint.steps(t.run.recovery)] == [0, 25]
    again.callbacks.close()


def test_a_run_of_an_earlier_version_rolls_back_to_where_it_was_resumed(tmp_path: Path) -> None:
    t = failing(tmp_path / "run", at=(62,), stops=(61,))
    t.train()
    shutil.rmtree(t.run.recovery)
    again = failing(tmp_path / "run", at=(62,), stops=(61,))
    again.resume(checkpoint.newest(again.run.checkpoints)[0])
    assert again.train().finished
    assert "Rolled back to step 62" in str(events(again))


def test_a_rollback_to_the_start_keeps_the_number_of_steps_of_a_time_budget(tmp_path: Path) -> None:
    clock = FakeClock()
    t = trainer(tmp_path / "run", budget="30s", clock=clock)
    take_time(t, clock, 0.25)
    broken: list[bool] = []

    def break_once(_: Batch) -> None:
        if t.schedule.total is not None and t.step == 20 and not broken:
            broken.append(True)
            break_weights(t, float("nan"))

    before_step(t, break_once)
    assert t.train().finished
    assert "Rolled back to step 0" in str(events(t))
    assert t.step == t.schedule.total == t.run.facts["total_steps"] == 115
