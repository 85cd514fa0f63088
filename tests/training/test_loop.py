import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from impasto.data.loader import Loader
from impasto.errors import ImpastoError
from impasto.recipe import Recipe
from impasto.scores import Scores, Value
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.budget import Budget
from impasto.training.loop import CHANCES, Trainer, grid_count, milestones
from impasto.training.run import Run

SMALL = [
    "size=16",
    "batch=8",
    "latent=8",
    "generator.width=8",
    "generator.max_width=16",
    "discriminator.width=8",
    "discriminator.max_width=16",
]
#: What tells of the machine rather than of the training.
TIMES = {"seconds", "pictures_per_second", "memory"}


def trainer(path: Path, budget: str = "40steps", settings: tuple[str, ...] = (), **options: Any) -> Trainer:
    recipe = Recipe.load("dcgan-64").replace([*SMALL, *settings])
    facts = {"source": {"spec": "noise"}, "impasto": "0", "seed": 0, "licence": "CC0-1.0"}
    run = Run.open(path) if path.exists() else Run.create(path, recipe, facts)
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 20, 3), dtype=np.uint8)
    learned, heldout = (
        Loader(pixels, indices, recipe.size, recipe.batch, recipe.augment, 0, fabric.device)
        for indices in (np.arange(24), np.arange(24, 30))
    )
    return Trainer(run, fabric, learned, heldout, Budget.parse(budget), 0, **options)


def judged(value: float) -> Scores:
    """A judgement of that KID."""
    return Scores(network="invented", size=16, fakes=256, reals=24, values={"KID": Value(value=value)})


def same(one: Any, two: Any, where: str = "state") -> None:
    """Asserts that two states are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, Mapping):
        assert one.keys() == two.keys(), where
        for key in one:
            same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(two), where
        for k, pair in enumerate(zip(one, two, strict=True)):
            same(*pair, f"{where}[{k}]")
    else:
        assert one == two, where


def interrupt(t: Trainer, at: int) -> None:
    """Presses Ctrl-C during that step."""
    step = t.method.step

    def pressed(batch: Any) -> Any:
        if t.step + 1 == at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(batch)

    t.method.step = pressed  # type: ignore[method-assign]


def log(run: Run) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in run.log_file.read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


@pytest.mark.parametrize("stop", [1, 17, 39])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_by_bit(
    tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With scores on both sides of the stop, through a network that has no way to the training's random numbers."""
    monkeypatch.setattr("impasto.training.loop.SCORE_SPACING", 40)

    def judge(pictures: np.ndarray) -> Scores:
        return judged(float(pictures.astype(float).std()))

    whole = trainer(tmp_path / "whole", settings=("schedule.decay_from=0.3",), judge=judge)
    assert whole.train().finished

    first = trainer(tmp_path / "cut", settings=("schedule.decay_from=0.3",), judge=judge)
    interrupt(first, stop)
    assert first.train().signal == signal.SIGINT
    assert first.step == stop
    for _ in range(3):  # what a killed process did after its last checkpoint
        first._one_step()
    first._look()
    first.run.close()

    second = trainer(tmp_path / "cut", settings=("schedule.decay_from=0.3",), judge=judge)
    second.resume(checkpoint.newest(second.run.checkpoints)[0])
    assert second.step == stop
    assert second.train().finished

    one, two = whole.state(), second.state()
    del one["seconds"], two["seconds"]
    same(one, two)
    assert log(whole.run) == log(second.run)
    for sample in whole.run.samples.iterdir():
        assert sample.read_bytes() == (second.run.samples / sample.name).read_bytes(), sample.name
    best, again = Style.load(whole.run.best), Style.load(second.run.best)
    assert best.card.steps == again.card.steps and best.card.scores == again.card.scores
    same(best.network.state_dict(), again.network.state_dict())


def test_a_run_leaves_what_it_promises(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", judge=lambda pictures: judged(float(pictures.mean())))
    t.train()
    rows = log(t.run)
    assert [row["step"] for row in rows] == list(range(1, 41))
    promised = {"loss_generator", "loss_discriminator", "accuracy_real", "accuracy_fake", "lr"}
    assert all(promised <= row.keys() for row in rows)
    assert [row["step"] for row in rows if "accuracy_heldout" in row] == [10, 20, 30, 40]
    assert t.run.facts["status"] == "finished" and t.run.facts["total_steps"] == 40
    assert Style.load(t.run.last).card.steps == 40
    assert [row["step"] for row in rows if "KID[invented] 256 v 24" in row] == [40]
    assert [scores.values["KID"].value for scores in Style.load(t.run.best).card.scores] == [t.lowest]
    assert (t.run.samples / "real.jpg").exists() and (t.run.samples / "step-00000000.jpg").exists()
    assert not list(t.run.path.rglob("*.part"))


def test_the_best_style_is_the_one_with_the_lowest_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.training.loop.SCORE_SPACING", 400)
    scores = iter([0.1, 6.0, 7.0, 4.0, 5.0, float("nan")])  # before the first step, and at 22, 63, 116, 179, 250
    seen: list[np.ndarray] = []

    def judge(pictures: np.ndarray) -> Scores:
        seen.append(pictures)
        return judged(next(scores))

    t = trainer(tmp_path / "run", budget="250steps", judge=judge)
    t.train()
    assert next(scores, None) is None
    assert all(each.shape == (256, 16, 16, 3) and each.dtype == np.uint8 for each in seen)
    best = Style.load(t.run.best).card
    assert best.steps == 116 and best.scores == [judged(4.0)]
    assert Style.load(t.run.last).card.licence == "CC0-1.0"


def test_scores_take_a_twentieth_of_a_budget_in_time_at_most(tmp_path: Path) -> None:
    taken: list[float] = []

    def slow(pictures: np.ndarray) -> Scores:
        begun = time.perf_counter()
        time.sleep(0.05)
        taken.append(time.perf_counter() - begun)
        return judged(1.0)

    t = trainer(tmp_path / "run", budget="4s", judge=slow)
    t.train()
    assert 1 <= t.scorings <= 3 and 2 <= len(taken) <= t.scorings + 1  # the first measures what one costs


def test_how_often_is_scored_in_so_many_steps_does_not_depend_on_the_clock(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="10000steps", judge=lambda pictures: judged(1.0))
    assert t.scorings == 8  # 80,000 pictures, 10,000 apart


def test_the_style_of_a_run_paints_what_the_samples_show(tmp_path: Path) -> None:
    """The saved style is the averaged generator with statistics of its own, not a passing one."""
    t = trainer(tmp_path / "run")
    t.train()
    style = Style.load(t.run.last)
    torch.testing.assert_close(style.network(t.fixed), t._paint(t.fixed), atol=1e-4, rtol=0)


def test_a_nan_takes_the_run_back_and_is_told(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="60steps")
    step = t.method.step
    spoilt: list[bool] = []

    def poisoned(batch: Any) -> Any:
        if t.step == 25 and not spoilt:
            spoilt.append(True)
            with torch.no_grad():
                next(t.method.style().parameters()).fill_(float("nan"))
        return step(batch)

    t.method.step = poisoned  # type: ignore[method-assign]
    t._save()
    assert t.train().finished
    rows = log(t.run)
    told = [row["event"] for row in rows if "event" in row]
    assert len(told) == 1 and "is no longer a number" in told[0] and "Went back to step 0" in told[0]
    assert [row["step"] for row in rows if "event" not in row] == list(range(1, 61))
    assert rows[-1]["lr"] == 1e-4  # half of what it was
    assert all(np.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))
    assert Style.load(t.run.last).network.state_dict()["layers.0.weight"].isfinite().all()


@pytest.mark.parametrize("at", [25, 60])
def test_weights_that_break_in_the_last_update_before_a_save_are_never_saved(tmp_path: Path, at: int) -> None:
    """Even in the very last step, whose losses are still numbers."""
    t = trainer(tmp_path / "run", budget="60steps")
    step, spoilt = t.method.step, [False]

    def poisoned(batch: Any) -> Any:
        losses = step(batch)
        if t.step + 1 == at and not spoilt[0]:
            spoilt[0] = True
            with torch.no_grad():
                next(t.method.style().parameters()).fill_(float("inf"))
        return losses

    t.method.step = poisoned  # type: ignore[method-assign]
    assert t.train().finished
    assert "Went back" in str(log(t.run))
    for path in checkpoint.steps(t.run.checkpoints):
        assert checkpoint.load(path)["networks"]["generator"]["layers.0.weight"].isfinite().all()
    assert Style.load(t.run.last).network.state_dict()["layers.0.weight"].isfinite().all()


def test_time_is_counted_once_when_a_run_goes_back(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", settings=("generator.lr=1e30",))
    begun = time.perf_counter()
    with pytest.raises(ImpastoError):
        t.train()
    assert t._clock.total <= time.perf_counter() - begun


def test_a_collapse_takes_the_run_back_and_is_told_in_plain_words(tmp_path: Path) -> None:
    """The last layer is set to nothing until the run has gone back: all fakes are the same grey."""
    t = trainer(tmp_path / "run", budget="260steps")
    step = t.method.step

    def dull(batch: Any) -> Any:
        if t.step > 220 and not t.attempt:
            with torch.no_grad():
                list(t.method.style().parameters())[-1].zero_()
        return step(batch)

    t.method.step = dull  # type: ignore[method-assign]
    assert t.train().finished
    told = [row["event"] for row in log(t.run) if "event" in row]
    assert len(told) == 1 and "all alike" in told[0] and "Went back to step" in told[0]
    assert [row["step"] for row in log(t.run) if "event" not in row] == list(range(1, 261))


def test_a_run_that_goes_wrong_again_and_again_is_given_up_with_its_last_good_state(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", settings=("generator.lr=1e30", "discriminator.lr=1e30"))
    with pytest.raises(ImpastoError, match="lower learning rate"):
        t.train()
    assert sum("event" in row for row in log(t.run)) == CHANCES
    assert not [path for path in t.run.samples.glob("step-*.jpg") if path.name > f"step-{t.step:08d}.jpg"]
    assert Style.load(t.run.last).network.state_dict()["layers.0.weight"].isfinite().all()


def test_a_time_becomes_a_number_of_steps_that_is_kept(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="3s")
    assert t.train().finished
    state = checkpoint.newest(t.run.checkpoints)[0]
    assert state["total"] == state["step"] == t.run.facts["total_steps"] > 20
    assert 1.5 < state["seconds"] < 9
    again = trainer(tmp_path / "run", budget="3s")
    again.resume(state)
    assert again.total == t.total


def test_a_training_that_goes_back_to_its_very_start_keeps_its_number_of_steps(tmp_path: Path) -> None:
    """The state before the first step was saved when a time was no number of steps yet."""
    t = trainer(tmp_path / "run", budget="3s")
    step, spoilt = t.method.step, [False]

    def poisoned(batch: Any) -> Any:
        if t.total is not None and not spoilt[0]:
            spoilt[0] = True
            for saved in checkpoint.steps(t.run.checkpoints)[1:]:
                saved.unlink()
            with torch.no_grad():
                next(t.method.style().parameters()).fill_(float("nan"))
        return step(batch)

    t.method.step = poisoned  # type: ignore[method-assign]
    assert t.train().finished
    assert "Went back to step 0" in str(log(t.run))
    assert t.step == t.total == t.run.facts["total_steps"] > 20


@pytest.mark.parametrize("total", [1, 7, 100, 5000, 10**6])
@pytest.mark.parametrize("count", [0, 1, 24, 120])
def test_milestones_are_denser_at_the_beginning_end_with_the_last_step_and_stay_few(total: int, count: int) -> None:
    steps = sorted(milestones(total, count))
    assert steps[-1] == total and steps[0] >= 1
    assert len(steps) <= max(1, count)
    if total >= 5000 and count > 20:
        assert steps[1] - steps[0] < steps[-1] - steps[-2]


def test_grids_stay_about_a_thousand_pixels_wide() -> None:
    assert [grid_count(size) for size in (16, 64, 128, 256, 512)] == [64, 64, 64, 16, 4]
