"""Evaluation during training: sample grids, scores and the best style."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fixtures.trainers import after_step, before_step, kid_scores, trainer, translator
from impasto.config.types import Pixels
from impasto.data.augment import to_pixels
from impasto.data.image_grid import tile
from impasto.data.loader import Batch
from impasto.metrics.candidates import Candidate
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.ema import ModelEma
from impasto.training.samples import grid_count


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def colours(images: torch.Tensor) -> set[int]:
    """Return the colours of images that each have only one."""
    return set(to_pixels(images)[:, 0, 0, 0].tolist())


def test_held_out_photos_are_sampled_and_scored_and_never_trained_on(tmp_path: Path) -> None:
    scored: list[Pixels] = []

    def scorer(images: Pixels) -> Candidate:
        scored.append(images)
        return kid_scores(1.0)

    t = translator(tmp_path / "run", scorer=scorer)
    sample = t.state.method.sample
    trained: set[int] = set()
    translated: set[int] = set()
    before_step(t, lambda batch: trained.update(colours(batch.photos)))

    def watched(generator: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        translated.update(colours(inputs))
        return sample(generator, inputs)

    t.state.method.sample = watched  # type: ignore[method-assign]
    t.train()
    assert len(trained) == 14 and max(trained) < 200
    assert translated == set(range(200, 256))
    assert [each.shape for each in scored] == [(56, 20, 20, 3)]


def test_the_photos_of_the_samples_are_written_in_the_same_grid(tmp_path: Path) -> None:
    t = translator(tmp_path / "run")
    t.train()
    count = min(grid_count(20), 56)
    shades = np.linspace(200, 255, count).round().astype(np.uint8)
    expected = np.asarray(tile(shades[:, None, None, None] * np.ones((1, 20, 20, 3), np.uint8))).astype(int)
    photos, sample, real = (read(t.run.samples / f"{name}.jpg") for name in ("photos", "step-00000014", "real"))
    assert photos.shape == sample.shape == expected.shape
    assert np.abs(photos - expected).max() <= 12  # JPEG rings at edges
    assert real.shape == np.asarray(tile(np.zeros((16, 20, 20, 3), np.uint8))).shape
    gan = trainer(tmp_path / "gan", budget="1steps")
    gan.train()
    assert not (gan.run.samples / "photos.jpg").exists()


def test_a_cyclegan_averages_and_samples_both_directions(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", "cyclegan-resnet", settings=("ema.halflife=4",))
    back = t.state.method.reverse()
    assert back is not None
    average = ModelEma(back, 4, t.recipe.ema.rampup)

    def follow(batch: Batch) -> None:
        average.update(back, t.recipe.batch, (batch.step + 1) * t.recipe.batch)

    after_step(t, follow)
    t.train()
    style = Style.load(t.run.last)
    assert style.reverse is not None
    for name, weight in average.network.state_dict().items():
        assert torch.equal(style.reverse.state_dict()[name], weight), name
    averaged, forward, now = (next(network.parameters()) for network in (style.reverse, style.network, back))
    assert not torch.equal(averaged, forward) and not torch.equal(averaged, now)
    written = {path.name for path in t.run.samples.iterdir() if path.name.startswith("reverse-")}
    assert written == {f"reverse-{path.name}" for path in t.run.samples.glob("step-*.jpg")}
    images = to_pixels(style.reverse(t.data.train.paintings.load_evenly(16, 20))).numpy()
    expected = np.asarray(tile(images)).astype(int)
    assert np.abs(read(t.run.samples / "reverse-step-00000014.jpg") - expected).mean() < 12  # JPEG


def test_the_best_style_has_the_lowest_score_and_nan_is_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 400)
    values = iter([6.0, 7.0, 4.0, 5.0, float("nan")])  # at 23, 64, 117, 179, 250
    scored: list[Pixels] = []

    def scorer(images: Pixels) -> Candidate:
        scored.append(images)
        return kid_scores(next(values))

    t = trainer(tmp_path / "run", budget="250steps", scorer=scorer)
    t.train()
    assert next(values, None) is None
    assert [each.shape for each in scored] == 5 * [(256, 16, 16, 3)]
    assert all(each.dtype == np.uint8 for each in scored)
    best = Style.load(t.run.best).card
    assert best.steps == 117 and best.scores == [kid_scores(4.0).scores]
    assert best.choice == kid_scores(4.0).as_choice(117) == t.evaluator.best
    assert t.run.facts["best"] == best.choice.model_dump()


@pytest.mark.long
def test_a_style_that_memorises_is_the_best_one_only_if_all_do_and_then_the_one_that_does_so_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 400)
    steps = (23, 64, 117, 179, 250)
    for folder, scores, best in (
        ("one", [(9.0, 0.0), (0.1, 0.9), (8.0, 0.0), (0.2, 0.3), (8.5, 0.0)], 117),
        ("all", [(9.0, 0.5), (0.1, 0.9), (8.0, 0.4), (0.2, 0.7), (0.1, 0.4)], 250),
    ):
        values = iter(scores)
        t = trainer(tmp_path / folder, budget="250steps", scorer=lambda images, given=values: kid_scores(*next(given)))
        t.train()
        choice = Style.load(t.run.best).card.choice
        assert choice is not None and choice.step == best and (choice.value, choice.copies) == scores[steps.index(best)]
        assert t.run.facts["best"]["step"] == best


def test_a_card_has_no_scores_of_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scored at step 8 and 40, stopped after 20, and continued up to 30."""
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 160)
    first = trainer(tmp_path / "run", budget="40steps", scorer=lambda images: kid_scores(2.0))
    before_step(first, lambda batch: os.kill(os.getpid(), signal.SIGINT) if batch.step == 19 else None)
    first.train()
    assert first.evaluator.candidate is not None and first.evaluator.scored_at < 20
    assert Style.load(first.run.best).card.scores and not Style.load(first.run.last).card.scores
    again = trainer(tmp_path / "run", budget="40steps", scorer=lambda images: kid_scores(3.0))
    again.resume(checkpoint.newest(again.run.checkpoints)[0])
    again._save()
    assert not Style.load(again.run.last).card.scores
    again.train()
    assert Style.load(again.run.last).card.scores == [kid_scores(3.0).scores]
    assert Style.load(again.run.best).card.scores == [kid_scores(2.0).scores]


def test_the_best_style_is_chosen_anew_where_other_images_or_networks_decide(tmp_path: Path) -> None:
    first = trainer(tmp_path / "run", budget="10steps", scorer=lambda images: kid_scores(1.0))
    first.train()
    state = checkpoint.newest(first.run.checkpoints)[0]
    for decided_by, best in (("KID[invented] 256 v 24", 10), ("KID[other] 256 v 24", 20)):
        state["best"]["decided_by"] = decided_by
        again = trainer(tmp_path / "run", budget="20steps", scorer=lambda images: kid_scores(5.0))
        again.resume(state)
        again.train()
        assert again.evaluator.best is not None and again.evaluator.best.step == best


def test_the_last_style_generates_the_last_samples(tmp_path: Path) -> None:
    """The saved style is the average with its running statistics."""
    t = trainer(tmp_path / "run")
    t.train()
    style = Style.load(t.run.last)
    images = to_pixels(style.network(t.samples.inputs)).numpy().astype(int)
    assert np.abs(images - t.samples.grid()).max() <= 1
