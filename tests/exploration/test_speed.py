"""The speed estimate is measured on real steps, and durations follow from reference runs."""

import math
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.device import open_fabric
from impasto.exploration import speed as module
from impasto.exploration.speed import (
    CONVERGED,
    PREVIEW,
    ReferenceRun,
    SpeedEstimate,
    _StepTimer,
    approximate_duration,
    estimate_speed,
    reference_run,
    seconds_until,
)
from impasto.training.budget import Budget
from impasto.training.memory_estimate import needed

CPU = torch.device("cpu")
SMALL = Recipe.load("dcgan-64").replace(["size=16", "batch=8", "generator.width=8", "discriminator.width=8"])
COMPARING = ["size=32", "generator.width=8", "generator.blocks=1", "discriminator.width=8", "contrast.patches=16"]
PLAIN = ["size=32", "generator.width=8", "generator.depth=2", "discriminator.width=8", "discriminator.depth=2"]


def slowed(monkeypatch: pytest.MonkeyPatch, duration: float) -> list[int]:
    """Make a step of n images take n × ``duration`` seconds; return the batch sizes used."""
    batches: list[int] = []

    def took(self: _StepTimer, batch: int) -> float:
        batches.append(batch)
        return batch * duration

    monkeypatch.setattr(_StepTimer, "time", took)
    return batches


def test_the_estimate_is_close_to_a_plain_loop() -> None:
    recipe = SMALL.replace(["size=32", "batch=16"])
    found = estimate_speed(recipe, CPU, "32-true")
    timer = _StepTimer(recipe, open_fabric(CPU, "32-true"))
    timer.time(16)
    begun = time.perf_counter()
    for _ in range(5):
        timer.time(16)
    alone = (time.perf_counter() - begun) / 5
    assert found.batch == 16
    assert alone / 5 < found.seconds_per_step < 5 * alone  # the machine may be busy with one of them


@pytest.mark.parametrize("recipe", [SMALL, Recipe.load("cnn").replace(PLAIN), Recipe.load("cut").replace(COMPARING)])
def test_generation_and_translation_recipes_can_be_measured(recipe: Recipe) -> None:
    found = estimate_speed(recipe, CPU, "32-true")
    assert 0 < found.seconds_per_step < 5
    assert found.batch == recipe.batch
    assert found.fits is None
    assert found.free is not None and 0 < found.memory < found.free


def test_the_global_random_state_is_unchanged() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    estimate_speed(SMALL, CPU, "32-true")
    assert torch.equal(torch.rand(3), expected)


def test_slow_steps_of_a_large_batch_are_extrapolated_from_a_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = slowed(monkeypatch, 0.3)
    found = estimate_speed(SMALL.replace(["batch=64"]), CPU, "32-true")
    assert found.seconds_per_step == pytest.approx(64 * 0.3)
    assert max(batches) == 4
    assert sum(batches) * 0.3 < 6


def test_a_very_slow_step_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = slowed(monkeypatch, 5)
    assert estimate_speed(Recipe.load("cnn").replace([*PLAIN, "batch=3"]), CPU, "32-true").seconds_per_step == 15
    assert batches == [1]


def test_a_slow_warm_up_step_does_not_limit_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []

    def took(self: _StepTimer, batch: int) -> float:
        batches.append(batch)
        return 0.001 * batch + 2 * (batches.count(batch) == 1 and batch in {2, 8})

    monkeypatch.setattr(_StepTimer, "time", took)
    found = estimate_speed(SMALL.replace(["batch=64"]), CPU, "32-true")
    assert found.seconds_per_step == pytest.approx(0.064)
    assert max(batches) == 64


def test_a_batch_that_does_not_fit_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = SMALL.replace(["batch=2048"])
    need = needed(recipe, open_fabric(CPU, "32-true"))
    monkeypatch.setattr(module, "available", lambda _: need - 1)
    batches = slowed(monkeypatch, 0.001)
    found = estimate_speed(recipe, CPU, "32-true")
    assert found.fits is not None and max(batches) <= found.fits < 2048
    assert (found.batch, found.memory, found.free) == (found.fits, need, need - 1)


def test_no_step_is_run_if_no_batch_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda _: 1000)
    batches = slowed(monkeypatch, 0.001)
    assert estimate_speed(SMALL, CPU, "32-true").seconds_per_step == math.inf
    assert batches == []


@pytest.mark.parametrize("name", bundled_recipes())
def test_every_recipe_has_a_preview_before_convergence(name: str) -> None:
    recipe = Recipe.load(name)
    preview, converged = reference_run(PREVIEW, recipe), reference_run(CONVERGED, recipe)
    assert preview is not None
    assert converged is not None or recipe.method == "unconstrained"
    for batch in (1, recipe.batch, 512):
        assert converged is None or preview.steps_of(batch) < converged.steps_of(batch)


def test_every_method_has_a_preview_for_any_recipe_name() -> None:
    assert set(METHODS) <= set(PREVIEW)


@given(st.integers(1, 100_000), st.integers(1, 512), st.integers(1, 512))
def test_smaller_batches_take_as_many_images_and_larger_ones_fewer_steps(steps: int, of: int, batch: int) -> None:
    found = ReferenceRun(steps, of, "")
    assert found.steps_of(of) == steps
    assert found.steps_of(batch) * batch >= steps * of
    if batch > of:
        assert found.steps_of(batch) <= steps


def test_the_durations_of_the_reference_runs_are_reproduced() -> None:
    """8,700 steps of batch 16 in 40 minutes; monet in 113 minutes, of 5.9 s a step at full size (docs)."""
    dcgan = seconds_until(CONVERGED, Recipe.load("dcgan-64"), SpeedEstimate(0.276, 16, 0))
    monet = seconds_until(CONVERGED, Recipe.load("monet"), SpeedEstimate(5.9, 4, 0))
    assert dcgan == pytest.approx(40 * 60, rel=0.15)
    assert monet == pytest.approx(6751, rel=0.15)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (3, "about a minute"),
        (130, "about 2 minutes"),
        (41 * 60, "about 40 minutes"),
        (59 * 60, "about an hour"),
        (2.4 * 3600, "about 2.5 hours"),
        (7.2 * 3600, "about 7 hours"),
        (50 * 3600, "about 2 days"),
        (90 * 86400, "about 13 weeks"),
    ],
)
def test_durations_are_rounded_to_readable_text(time: float, words: str) -> None:
    assert approximate_duration(time) == words


def test_rounded_durations_are_close_to_the_value() -> None:
    for time_ in (100 * 1.07**power for power in range(150)):
        _, amount, *unit = approximate_duration(time_).split()
        if amount in {"a", "an"}:
            continue
        text = {"minutes": "m", "hours": "h", "days": "d"}.get(unit[0])
        spoken = Budget.parse(amount + text).amount if text else float(amount) * 7 * 86400
        assert spoken == pytest.approx(time_, rel=0.26)
