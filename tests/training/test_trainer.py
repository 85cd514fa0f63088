import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fixtures.trainers import (
    TRANSLATORS,
    judged,
    same,
    trainer,
    translator,
)
from impasto.data.augment import to_pixels
from impasto.data.image_grid import tile
from impasto.data.loader import Batch
from impasto.errors import ImpastoError
from impasto.metrics.results import Scores
from impasto.networks.feature_decoder import Generator
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.ema import ModelEma
from impasto.training.run_dir import RunDir
from impasto.training.trainer import CHANCES, Trainer, grid_count

#: What tells of the machine rather than of the training.
TIMES = {"seconds", "pictures_per_second", "memory"}


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


def interrupt(t: Trainer, at: int) -> None:
    """Presses Ctrl-C during that step."""
    step = t.method.step

    def pressed(batch: Any) -> Any:
        if t.step + 1 == at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(batch)

    t.method.step = pressed  # type: ignore[method-assign]


def test_ctrl_c_while_the_last_scores_are_taken_is_heard(tmp_path: Path) -> None:
    def judge(pictures: np.ndarray) -> Scores:
        if first.step == 40:
            os.kill(os.getpid(), signal.SIGINT)
        return judged(1.0)

    first = trainer(tmp_path / "run", judge=judge)
    outcome = first.train()
    assert (outcome.finished, outcome.signal, first.step) == (False, signal.SIGINT, 40)
    again = trainer(tmp_path / "run")
    again.resume(checkpoint.newest(again.run.checkpoints)[0])
    assert again.train().finished and again.step == 40


def log(run: RunDir) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in run.log_file.read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def check_resumed(folder: Path, make: Callable[..., Trainer], stop: int) -> None:
    """Asserts that a training that was stopped, killed three steps later and resumed is the uninterrupted one.

    With scores on both sides of the stop, through a network that has no way to the training's random numbers.
    """

    def judge(pictures: np.ndarray) -> Scores:
        return judged(float(pictures.astype(float).std()))

    whole = make(folder / "whole", judge=judge)
    assert whole.train().finished

    first = make(folder / "cut", judge=judge)
    interrupt(first, stop)
    assert first.train().signal == signal.SIGINT
    assert first.step == stop
    for _ in range(3):  # what a killed process did after its last checkpoint
        first._one_step()
    first._look()
    first.run.close()

    second = make(folder / "cut", judge=judge)
    second.resume(checkpoint.newest(second.run.checkpoints)[0])
    assert second.step == stop
    assert second.train().finished

    one, two = whole.state(), second.state()
    del one["seconds"], two["seconds"]
    same(one, two)
    assert log(whole.run) == log(second.run)
    samples = sorted(path.name for path in whole.run.samples.iterdir())
    assert samples == sorted(path.name for path in second.run.samples.iterdir())
    for name in samples:
        assert (whole.run.samples / name).read_bytes() == (second.run.samples / name).read_bytes(), name
    for path, again in ((whole.run.best, second.run.best), (whole.run.last, second.run.last)):
        style, other = Style.load(path), Style.load(again)
        assert style.card.steps == other.card.steps and style.card.scores == other.card.scores
        same(style.network.state_dict(), other.network.state_dict())


@pytest.mark.parametrize("stop", [1, 17, 39])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_by_bit(
    tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 40)
    check_resumed(tmp_path, partial(trainer, settings=("schedule.decay_from=0.3",)), stop)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_resumed_translator_equals_an_uninterrupted_one_bit_by_bit(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pools of old fakes, the probability of its augmentation and the noise of its painter go on as well."""
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 4)
    check_resumed(tmp_path, partial(translator, name=name, budget="14steps"), 6)


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


def test_photos_held_out_are_painted_for_samples_and_scores_and_never_learned_from(tmp_path: Path) -> None:
    scored: list[np.ndarray] = []

    def judge(pictures: np.ndarray) -> Scores:
        scored.append(pictures)
        return judged(1.0)

    t = translator(tmp_path / "run", judge=judge)
    step, sample = t.method.step, t.method.sample
    learned: set[int] = set()
    painted: set[int] = set()

    def colours(pictures: torch.Tensor) -> set[int]:
        return set(to_pixels(pictures)[:, 0, 0, 0].tolist())

    def learn(batch: Batch) -> Any:
        learned.update(colours(batch.photos))
        return step(batch)

    def paint(painter: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        painted.update(colours(inputs))
        return sample(painter, inputs)

    t.method.step, t.method.sample = learn, paint  # type: ignore[method-assign]
    t.train()
    assert len(learned) == 14 and max(learned) < 200
    assert painted == set(range(200, 256))
    first, last = scored  # the first only tells how long they take
    assert first.shape == (32, 20, 20, 3) and last.shape == (56, 20, 20, 3)


def test_the_photos_that_are_painted_are_shown_beside_the_samples(tmp_path: Path) -> None:
    """At the size that they are kept at, in the order of the samples."""
    t = translator(tmp_path / "run")
    t.train()
    count = min(grid_count(20), 56)
    colours = np.linspace(200, 255, count).round().astype(np.uint8)
    expected = np.asarray(tile(colours[:, None, None, None] * np.ones((1, 20, 20, 3), np.uint8))).astype(int)
    photos, sample, real = (read(t.run.samples / f"{name}.jpg") for name in ("photos", "step-00000014", "real"))
    assert photos.shape == sample.shape == expected.shape
    assert np.abs(photos - expected).max() <= 12  # JPEG rings at edges
    assert real.shape == np.asarray(tile(np.zeros((16, 20, 20, 3), np.uint8))).shape
    gan = trainer(tmp_path / "gan", budget="1steps")
    gan.train()
    assert not (gan.run.samples / "photos.jpg").exists()


def test_a_translators_card_tells_of_its_photos(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", budget="2steps")
    t.train()
    card = Style.load(t.run.last).card
    assert (card.domains, card.source_data, card.start) == ("photos → paintings", {"spec": "colours"}, None)
    assert [set(row) >= {"loss_generator", "loss_content"} for row in log(t.run)] == [True, True]


def test_a_cyclegan_keeps_the_averages_of_both_directions_and_shows_both(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", "cyclegan-resnet", settings=("ema.halflife=4",))
    back = t.method.reverse()
    assert back is not None
    average, step = ModelEma(back, 4, t.recipe.ema.rampup), t.method.step

    def followed(batch: Batch) -> Any:
        losses = step(batch)
        average.update(back, t.recipe.batch, (batch.step + 1) * t.recipe.batch)
        return losses

    t.method.step = followed  # type: ignore[method-assign]
    t.train()
    style = Style.load(t.run.last)
    assert style.reverse is not None
    same(style.reverse.state_dict(), dict(average.network.state_dict()))
    kept, forward, now = (next(network.parameters()) for network in (style.reverse, style.network, back))
    assert not torch.equal(kept, forward) and not torch.equal(kept, now)
    shown = {path.name for path in t.run.samples.iterdir() if path.name.startswith("reverse-")}
    assert shown == {f"reverse-{path.name}" for path in t.run.samples.glob("step-*.jpg")}
    made = np.asarray(tile(to_pixels(style.reverse(t.pictures.paintings.whole(16, 20))).numpy())).astype(int)
    assert np.abs(read(t.run.samples / "reverse-step-00000014.jpg") - made).mean() < 12  # JPEG


def test_a_state_without_the_average_of_the_reverse_direction_starts_it_from_the_weights(tmp_path: Path) -> None:
    before = translator(tmp_path / "before", "cyclegan-resnet")
    before.train()
    state = checkpoint.newest(before.run.checkpoints)[0]
    del state["ema_reverse"]
    again = translator(tmp_path / "before", "cyclegan-resnet")
    again.resume(state)
    same(again.state()["ema_reverse"], state["networks"]["back"])


def test_where_the_generator_rests_between_the_log_still_has_every_step(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", settings=("generator_every=5",))
    t.train()
    assert [row["step"] for row in log(t.run) if "loss_generator" in row] == [1, 6, 11]
    assert all("loss_discriminator" in row for row in log(t.run))


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_training_starts_from_weights_learned_before(tmp_path: Path, name: str) -> None:
    """From a run with all its networks and a pool left behind; from a style with its painter alone."""
    before = translator(tmp_path / "before", name)
    before.train()
    state = checkpoint.newest(before.run.checkpoints)[0]
    fresh, again, fine = (translator(tmp_path / folder, name, budget="2steps") for folder in "abc")
    again.start_from(state["networks"], state["ema"], state["ema_reverse"])
    same([again.state()[average] for average in ("ema", "ema_reverse")], [state["ema"], state["ema_reverse"]])
    for network, weights in again.state()["networks"].items():
        learns = any(True for _ in again.method.networks[network].parameters())
        same(weights, state["networks"][network] if learns else fresh.state()["networks"][network])
    style = Style.load(before.run.last).network.state_dict()
    fine.start_from({"generator": style}, style)
    same(fine.state()["ema"], state["ema"])
    same(fine.state()["networks"]["generator"], state["ema"])
    same(fine.state()["networks"]["discriminator"], fresh.state()["networks"]["discriminator"])
    assert fine.train().finished


def moods(network: nn.Module) -> torch.Tensor:
    return network.get_buffer("moods")


def known_at_first(t: Trainer) -> list[torch.Tensor]:
    """Trains, and tells the moods that the generator and its average knew in the first step."""
    step, known = t.method.step, list[torch.Tensor]()

    def noticed(batch: Any) -> Any:
        known.extend(moods(each).clone() for each in (t.method.style(), t.ema.network))
        return step(batch)

    t.method.step = noticed  # type: ignore[method-assign]
    t.train()
    return known[:2]


def test_a_generator_and_its_average_know_the_paintings_that_it_learns_from_before_the_first_step(
    tmp_path: Path,
) -> None:
    """Not those that are held out."""
    t = translator(tmp_path / "run", "monet")
    network = t.method.style()
    assert isinstance(network, Generator)
    with torch.no_grad():
        expected = network.statistics(t.pictures.paintings.at(np.arange(16)))
    first, second = known_at_first(t)
    torch.testing.assert_close(first, expected, atol=1e-4, rtol=1e-4)
    for each in (second, moods(network), moods(t.ema.network), moods(Style.load(t.run.last).network)):
        assert torch.equal(each, first)


def test_begun_with_other_weights_it_knows_the_paintings_of_now_and_not_those_of_then(tmp_path: Path) -> None:
    before, now, fresh = (translator(tmp_path / folder, "monet", budget="1steps") for folder in ("a", "b", "c"))
    (expected, _), state = known_at_first(fresh), before.state()
    for weights in (state["networks"]["generator"], state["ema"]):
        weights |= {"moods": torch.ones(7, expected.shape[1]), "offsets": torch.ones(7)}  # of seven other paintings
    now.start_from(state["networks"], state["ema"])
    same(dict(now.method.style().named_parameters()), dict(before.method.style().named_parameters()))
    for each in known_at_first(now):
        assert torch.equal(each, expected)


def test_after_the_part_at_half_the_size_the_pace_is_another(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", "monet", settings=("half=0.4",))
    sizes: list[int] = []
    t.method.networks["discriminator"].register_forward_pre_hook(lambda _, seen: sizes.append(seen[0].shape[-1]))
    step = t.method.step
    at: list[int] = []

    def followed(batch: Batch) -> Any:
        sizes.clear()
        losses = step(batch)
        at.append(sizes[0])
        return losses

    t.method.step = followed  # type: ignore[method-assign]
    t.train()
    assert at == [32] * 6 + [64] * 8  # 6/14 is the first beyond 0.4
    assert t.plan.turned == 6


def test_weights_of_other_networks_are_refused_in_one_line(tmp_path: Path) -> None:
    t = translator(tmp_path / "run")
    t.run.note(start="somewhere")
    weights = translator(tmp_path / "other", settings=("generator.width=6",)).state()["networks"]
    with pytest.raises(ImpastoError, match="networks of somewhere are not those of this recipe") as error:
        t.start_from(weights, weights["generator"])
    assert "\n" not in str(error.value)


def test_the_best_style_is_the_one_with_the_lowest_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 400)
    scores = iter([0.1, 6.0, 7.0, 4.0, 5.0, float("nan")])  # before the first step, and at 23, 64, 117, 179, 250
    seen: list[np.ndarray] = []

    def judge(pictures: np.ndarray) -> Scores:
        seen.append(pictures)
        return judged(next(scores))

    t = trainer(tmp_path / "run", budget="250steps", judge=judge)
    t.train()
    assert next(scores, None) is None
    assert [each.shape for each in seen] == [(32, 16, 16, 3)] + 5 * [(256, 16, 16, 3)]  # the first tells how long
    assert all(each.dtype == np.uint8 for each in seen)
    best = Style.load(t.run.best).card
    assert best.steps == 117 and best.scores == [judged(4.0)]
    assert Style.load(t.run.last).card.license == "CC0-1.0"


def test_scores_take_a_twentieth_of_a_budget_in_time_at_most(tmp_path: Path) -> None:
    taken: list[float] = []

    def slow(pictures: np.ndarray) -> Scores:
        begun = time.perf_counter()
        time.sleep(0.05)
        taken.append(time.perf_counter() - begun)
        return judged(1.0)

    t = trainer(tmp_path / "run", budget="4s", judge=slow)
    t.train()
    assert 1 <= t.plan.scorings <= 3 and 2 <= len(taken) <= t.plan.scorings + 1  # the first measures what one costs


def test_how_often_is_scored_in_so_many_steps_does_not_depend_on_the_clock(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="10000steps", judge=lambda pictures: judged(1.0))
    assert t.plan.scorings == 8  # 80,000 pictures, 10,000 apart


def test_the_style_of_a_run_paints_what_the_samples_show(tmp_path: Path) -> None:
    """The saved style is the averaged generator with statistics of its own, not a passing one."""
    t = trainer(tmp_path / "run")
    t.train()
    style = Style.load(t.run.last)
    shown = to_pixels(style.network(t.fixed)).numpy().astype(int)
    assert np.abs(shown - t._paint(t.ema, t.fixed)).max() <= 1


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


def test_a_time_that_is_no_number_of_steps_yet_has_a_warm_up_but_no_decay(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="1000s", settings=("schedule.warmup=0.4", "schedule.decay_from=0.5"))
    for seconds, share in ((100, 0.25), (900, 1.0)):
        t._clock.before = seconds
        t._one_step()
        assert t._rows[-1][0]["lr"] == pytest.approx(share * t.rates["generator"], rel=0.1)


def test_a_time_becomes_a_number_of_steps_that_is_kept(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="3s")
    assert t.train().finished
    state = checkpoint.newest(t.run.checkpoints)[0]
    assert state["total"] == state["step"] == t.run.facts["total_steps"] > 20
    assert 1.5 < state["seconds"] < 9
    again = trainer(tmp_path / "run", budget="3s")
    again.resume(state)
    assert again.plan.total == t.plan.total


def test_a_training_that_goes_back_to_its_very_start_keeps_its_number_of_steps(tmp_path: Path) -> None:
    """The state before the first step was saved when a time was no number of steps yet."""
    t = trainer(tmp_path / "run", budget="3s")
    step, spoilt = t.method.step, [False]

    def poisoned(batch: Any) -> Any:
        if t.plan.total is not None and not spoilt[0]:
            spoilt[0] = True
            for saved in checkpoint.steps(t.run.checkpoints)[1:]:
                saved.unlink()
            with torch.no_grad():
                next(t.method.style().parameters()).fill_(float("nan"))
        return step(batch)

    t.method.step = poisoned  # type: ignore[method-assign]
    assert t.train().finished
    assert "Went back to step 0" in str(log(t.run))
    assert t.step == t.plan.total == t.run.facts["total_steps"] > 20


def test_grids_stay_about_a_thousand_pixels_wide() -> None:
    assert [grid_count(size) for size in (16, 64, 128, 256, 512)] == [64, 64, 64, 16, 4]
