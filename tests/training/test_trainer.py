"""The training loop: what a run contains, exact resume, and budgets in time."""

import os
import signal
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from fixtures.clock import FakeClock, take_time
from fixtures.parameters import mostly_long
from fixtures.trainers import TRANSLATORS, before_step, kid_scores, log_rows, same, trainer, translator
from impasto.config.types import Pixels
from impasto.device import Precision
from impasto.metrics.candidates import Candidate
from impasto.networks.progressive import ProgressiveNetwork
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.trainer import Trainer


@pytest.fixture
def few_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score few images."""
    monkeypatch.setattr("impasto.training.evaluator.SCORE_IMAGES", 32)


def interrupt(t: Trainer, step: int) -> None:
    """Press Ctrl-C during that step."""
    before_step(t, lambda _: os.kill(os.getpid(), signal.SIGINT) if t.step + 1 == step else None)


def deterministic_scorer(images: Pixels) -> Candidate:
    """Score without the random numbers of the training."""
    return kid_scores(float(images.astype(float).std()))


def check_exact_resume(folder: Path, make: Callable[..., Trainer], stop: int) -> None:
    """Assert that a training that is stopped, killed three steps later and resumed equals an uninterrupted one."""
    uninterrupted = make(folder / "uninterrupted", scorer=deterministic_scorer)
    assert uninterrupted.train().finished

    first = make(folder / "resumed", scorer=deterministic_scorer)
    interrupt(first, stop)
    assert first.train().signal == signal.SIGINT
    assert first.step == stop
    killed = make(folder / "resumed", scorer=deterministic_scorer)
    killed.resume(checkpoint.newest(killed.run.checkpoints)[0])
    for _ in range(3):
        killed._train_step()
    killed._sync()
    killed.callbacks.close()

    second = make(folder / "resumed", scorer=deterministic_scorer)
    second.resume(checkpoint.newest(second.run.checkpoints)[0])
    assert second.step == stop
    assert second.train().finished

    one, two = uninterrupted.state_dict(), second.state_dict()
    del one["seconds"], two["seconds"]
    same(one, two)
    assert log_rows(uninterrupted.run) == log_rows(second.run)
    samples = sorted(path.name for path in uninterrupted.run.samples.iterdir())
    assert samples == sorted(path.name for path in second.run.samples.iterdir())
    for name in samples:
        assert (uninterrupted.run.samples / name).read_bytes() == (second.run.samples / name).read_bytes(), name
    for path, again in (
        (uninterrupted.run.best, second.run.best),
        (uninterrupted.run.last, second.run.last),
    ):
        style, other = Style.load(path), Style.load(again)
        assert style.card.steps == other.card.steps and style.card.scores == other.card.scores
        same(style.network.state_dict(), other.network.state_dict())


@pytest.mark.parametrize(
    ("stop", "precision"),
    mostly_long(product((1, 17, 39), ("32-true", "bf16-mixed")), (17, "32-true"), (39, "bf16-mixed")),
)
def test_a_resumed_gan_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path: Path, stop: int, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 40)
    check_exact_resume(tmp_path, partial(trainer, settings=("schedule.decay_from=0.3",), precision=precision), stop)


@pytest.mark.usefixtures("few_scored")
@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *(
            pytest.param(name, "32-true", marks=[] if name == "cyclegan-resnet" else [pytest.mark.long])
            for name in TRANSLATORS
        ),
        pytest.param("cyclegan-resnet", "bf16-mixed", marks=pytest.mark.long),
        ("cnn", "bf16-mixed"),
    ],
)
def test_a_resumed_image_to_image_model_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path: Path, name: str, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Image pools, the probability of adaptive augmentation and the generator's noise are restored as well."""
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 4)
    check_exact_resume(tmp_path, partial(translator, name=name, budget="14steps", precision=precision), 6)


def test_a_signal_during_the_last_evaluation_stops_the_caller(tmp_path: Path) -> None:
    def scorer(images: Pixels) -> Candidate:
        if first.step == 40:
            os.kill(os.getpid(), signal.SIGINT)
        return kid_scores(1.0)

    first = trainer(tmp_path / "run", scorer=scorer)
    outcome = first.train()
    assert (outcome.finished, outcome.signal, first.step) == (False, signal.SIGINT, 40)
    again = trainer(tmp_path / "run")
    again.resume(checkpoint.newest(again.run.checkpoints)[0])
    assert again.train().finished and again.step == 40


def test_a_run_contains_log_samples_and_both_styles(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", scorer=lambda images: kid_scores(float(images.mean())))
    t.train()
    rows = log_rows(t.run)
    assert [row["step"] for row in rows] == list(range(1, 41))
    columns = {"loss_generator", "loss_discriminator", "accuracy_real", "accuracy_fake", "lr"}
    assert all(columns <= row.keys() for row in rows)
    assert [row["step"] for row in rows if "accuracy_heldout" in row] == [10, 20, 30, 40]
    assert t.run.facts["status"] == "finished" and t.run.facts["total_steps"] == 40
    assert Style.load(t.run.last).card.steps == 40
    assert [row["step"] for row in rows if "KID[invented] 256 v 24" in row] == [40]
    best = Style.load(t.run.best).card
    assert t.evaluator.best is not None and best.choice == t.evaluator.best
    assert [scores.values["KID"].value for scores in best.scores] == [t.evaluator.best.value]
    assert (t.run.samples / "real.jpg").exists() and (t.run.samples / "step-00000000.jpg").exists()
    assert not list(t.run.path.rglob("*.part"))


def test_the_log_has_every_step_where_the_generator_is_updated_less_often(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", settings=("generator_every=5",))
    t.train()
    assert [row["step"] for row in log_rows(t.run) if "loss_generator" in row] == [1, 6, 11]
    assert all("loss_discriminator" in row for row in log_rows(t.run))


@pytest.mark.long
def test_the_speed_changes_after_the_part_at_half_the_size(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", "monet", settings=("half=0.4",))
    sizes: list[int] = []
    steps: list[int] = []
    discriminator = t.state.method.networks["discriminator"]
    discriminator.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[-1]))
    before_step(t, lambda _: steps.append(len(sizes)))
    t.train()
    assert [sizes[first] for first in steps] == [32] * 6 + [64] * 8  # 6/14 is the first beyond 0.4
    assert t.schedule.speed_changed_at(t.step) == 6


# Budgets in time.


def within(path: Path, budget: str, seconds: float, **options: Any) -> Trainer:
    """Return a trainer whose steps take so many seconds."""
    clock = FakeClock()
    t = trainer(path, budget, clock=clock, **options)
    take_time(t, clock, seconds)
    return t


def test_a_time_budget_becomes_a_number_of_steps_that_is_restored(tmp_path: Path) -> None:
    t = within(tmp_path / "run", "30s", 0.25)
    assert t.train().finished
    state = checkpoint.newest(t.run.checkpoints)[0]
    assert t.schedule.total == state["step"] == t.run.facts["total_steps"] == 115  # 30 s without 1.25 s of measurement
    assert t.run.facts["plan"] == "115steps"
    assert state["seconds"] == pytest.approx(30)
    again = trainer(tmp_path / "run", budget="30s")
    again.resume(state)
    assert again.schedule.total == t.schedule.total


SCHEDULED = ("schedule.warmup=0.2", "schedule.decay_from=0.5", "schedule.shape=cosine")


@pytest.mark.parametrize("slower", mostly_long([1.0, 7.0], 7.0))
def test_a_training_within_a_time_is_repeated_by_its_plan_bit_for_bit(
    tmp_path: Path, slower: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever speed the machine has later: weights, log, samples and the best style."""
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 100)
    options: dict[str, Any] = {"settings": SCHEDULED, "scorer": deterministic_scorer}
    clock = FakeClock()
    timed = trainer(tmp_path / "timed", "30s", clock=clock, **options)
    before_step(timed, lambda batch: clock.advance(0.25 if batch.step < 20 else 0.25 * slower))
    assert timed.train().finished
    again = trainer(tmp_path / "again", timed.run.facts["plan"], **options)
    assert again.train().finished
    one, two = timed.state_dict(), again.state_dict()
    for key in ("networks", "optimizers", "ema", "candidate", "best"):
        same(one[key], two[key])
    assert timed.schedule.score_count > 3 and log_rows(timed.run) == log_rows(again.run)
    for style in ("best.safetensors", "last.safetensors"):
        cards = [Style.load(run.path / style).card for run in (timed.run, again.run)]
        assert cards[0].steps == cards[1].steps and cards[0].scores == cards[1].scores


@pytest.mark.usefixtures("few_scored")
@pytest.mark.parametrize("name", ["progressive", pytest.param("monet", marks=pytest.mark.long)])
def test_the_plan_of_a_training_whose_speed_changes_has_the_steps_of_each_part(tmp_path: Path, name: str) -> None:
    def make(folder: str, budget: str, **options: Any) -> Trainer:
        if name == "progressive":
            return growing(tmp_path / folder, budget, **options)
        return translator(tmp_path / folder, name, budget, settings=("half=0.5",), **options)

    clock = FakeClock()
    timed = make("timed", "10s", clock=clock)
    before_step(timed, lambda batch: clock.advance(0.25 if batch.progress < 0.5 else 1.0))
    timed.train()
    first, second = map(int, timed.run.facts["plan"].removesuffix("steps").split("+"))
    assert first == pytest.approx(4 * second, rel=0.2) and first + second == timed.step
    again = make("again", timed.run.facts["plan"])
    again.train()
    one, two = timed.state_dict(), again.state_dict()
    for key in ("networks", "optimizers", "ema"):
        same(one[key], two[key])
    assert log_rows(timed.run) == log_rows(again.run)


def test_a_training_that_is_continued_by_another_budget_has_no_plan(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", "10steps")
    t.train()
    assert t.run.facts["plan"] == "10steps"
    for budget in ("20steps", "20steps"):
        longer = trainer(tmp_path / "run", budget)
        longer.resume(checkpoint.newest(longer.run.checkpoints)[0])
        longer.train()
        assert longer.step == 20 and longer.run.facts["plan"] is None


def test_the_speed_is_measured_by_steps_that_are_undone(tmp_path: Path) -> None:
    steps: list[tuple[int, float]] = []
    t = within(tmp_path / "run", "30s", 0.25, settings=SCHEDULED)
    before_step(t, lambda batch: steps.append((batch.step, batch.progress)))
    t.train()
    made = [step for step, _ in steps]
    assert made[:5] == list(range(5)) and made[5:] == list(range(115))
    assert [progress for _, progress in steps[5:]] == [step / 115 for step in range(115)]


def test_a_process_that_is_killed_while_the_speed_is_measured_leaves_a_run_that_resumes(tmp_path: Path) -> None:
    def stop(batch: Any) -> None:
        if batch.step == 2:
            raise KeyboardInterrupt

    t = within(tmp_path / "run", "30s", 0.25)
    before_step(t, stop)
    with pytest.raises(KeyboardInterrupt):
        t.train()
    again = within(tmp_path / "run", "30s", 0.25)
    again.resume(checkpoint.newest(again.run.checkpoints)[0])
    assert again.step == 0 and again.train().finished
    assert again.run.facts["plan"] == f"{again.step}steps"


@pytest.mark.long
def test_a_longer_time_continues_from_the_share_that_is_over(tmp_path: Path) -> None:
    within(tmp_path / "run", "30s", 0.25).train()
    longer = within(tmp_path / "run", "60s", 0.25)
    longer.resume(checkpoint.newest(longer.run.checkpoints)[0])
    progress: list[float] = []
    before_step(longer, lambda batch: progress.append(longer._progress()) if longer.schedule.total else None)
    longer.train()
    assert progress[0] == pytest.approx(0.5, abs=0.02) and longer.timer.elapsed == pytest.approx(60, rel=0.05)


def test_scoring_takes_its_time_from_the_steps(tmp_path: Path) -> None:
    clock, counts = FakeClock(), list[int]()

    def scorer(images: Pixels) -> Candidate:
        counts.append(len(images))
        clock.advance(2 * len(images) / 256)
        return kid_scores(1.0)

    t = trainer(tmp_path / "run", budget="30s", scorer=scorer, clock=clock)
    take_time(t, clock, 0.25)
    t.train()
    assert counts == [32, 256]  # the first measures the time
    assert t.timer.elapsed == pytest.approx(30, rel=0.02)


def test_the_number_of_evaluations_in_a_budget_of_steps_does_not_depend_on_the_clock(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="10000steps", scorer=lambda images: kid_scores(1.0))
    assert t.schedule.score_count == 8  # 80,000 images, 10,000 apart


# Progressive growing.


def growing(path: Path, budget: str = "30steps", **options: Any) -> Trainer:
    """Return the trainer of a model that grows from 8 to 16 pixels."""
    return trainer(path, budget, ("doublings=1",), "dcgan-progressive", **options)


def grown(t: Trainer) -> tuple[float, float]:
    """Return how far the generator and its average have grown, 0…1."""
    generator, average = t.state.method.style(), t.state.ema.network
    assert isinstance(generator, ProgressiveNetwork) and isinstance(average, ProgressiveNetwork)
    return generator.current_growth, average.current_growth


def test_the_average_of_a_progressive_model_forgets_the_small_sizes(tmp_path: Path) -> None:
    """Its half-life is a twentieth of the images seen at the newest size: a thousandth of the rest is left."""
    t = growing(tmp_path / "run", "200steps")
    t.train()
    generator, average = grown(t)
    assert generator == 1 and average > 0.999
    style = Style.load(tmp_path / "run").network
    assert isinstance(style, ProgressiveNetwork) and style.current_growth > 0.999


def test_each_size_of_a_progressive_model_has_half_of_a_time_budget(tmp_path: Path) -> None:
    clock = FakeClock()
    t = growing(tmp_path / "run", "60s", clock=clock)
    before_step(t, lambda batch: clock.advance(0.25 if batch.progress < 0.5 else 1.0))
    t.train()
    assert t.step == t.schedule.total
    assert t.schedule.speed_changed_at(t.step) == pytest.approx(
        (60 - 1.25 - 3) / 2 / 0.25, abs=1
    )  # without the measurement
    assert t.timer.elapsed == pytest.approx(60, rel=0.05)


def test_the_best_style_of_a_progressive_model_has_the_largest_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 53)
    values = iter([0.2, 0.1, 0.2, 0.5, 0.4, 0.6, 0.7])
    t = growing(tmp_path / "run", "40steps", scorer=lambda images: kid_scores(next(values)))
    t.train()
    assert t.evaluator.best is not None and t.evaluator.best.value >= 0.2
    assert Style.load(tmp_path / "run" / "best.safetensors").card.steps > t.schedule.speed_changed_at(t.step)


def test_a_progressive_model_resumes_bit_for_bit_while_a_size_fades_in(tmp_path: Path) -> None:
    uninterrupted, first = growing(tmp_path / "uninterrupted"), growing(tmp_path / "resumed")
    uninterrupted.train()
    interrupt(first, 19)
    first.train()
    again = growing(tmp_path / "resumed")
    again.resume(checkpoint.newest(again.run.checkpoints)[0])
    assert 0 < grown(again)[0] < 1
    again.train()
    one, two = uninterrupted.state_dict(), again.state_dict()
    for name in ("networks", "ema"):
        same(one[name], two[name])


def test_a_progressive_model_does_not_shrink_with_a_longer_budget_or_in_fine_tuning(tmp_path: Path) -> None:
    t = growing(tmp_path / "run")
    t.train()
    state = checkpoint.newest(t.run.checkpoints)[0]
    longer = growing(tmp_path / "run", "200steps")
    longer.resume(state)
    tuned = growing(tmp_path / "tuned")
    tuned.state.load_weights("run", {"generator": state["ema"]}, state["ema"])
    for each in (longer, tuned):
        for _ in range(2):
            each._train_step()
        assert grown(each)[0] > 0.999
        discriminator = each.state.method.networks["discriminator"].module
        assert isinstance(discriminator, ProgressiveNetwork) and discriminator.current_growth == grown(each)[0]
