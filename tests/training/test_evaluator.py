"""Evaluation during training: sample grids, scores and the best style."""

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
from impasto.metrics.results import Scores
from impasto.style import Style
from impasto.training.ema import ModelEma
from impasto.training.evaluator import grid_count


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def colours(images: torch.Tensor) -> set[int]:
    """Return the colours of images that each have only one."""
    return set(to_pixels(images)[:, 0, 0, 0].tolist())


def test_held_out_photos_are_sampled_and_scored_and_never_trained_on(tmp_path: Path) -> None:
    scored: list[Pixels] = []

    def scorer(images: Pixels) -> Scores:
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
    first, last = scored  # the first measures the time
    assert first.shape == (32, 20, 20, 3) and last.shape == (56, 20, 20, 3)


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
    values = iter([0.1, 6.0, 7.0, 4.0, 5.0, float("nan")])  # before the first step, and at 23, 64, 117, 179, 250
    scored: list[Pixels] = []

    def scorer(images: Pixels) -> Scores:
        scored.append(images)
        return kid_scores(next(values))

    t = trainer(tmp_path / "run", budget="250steps", scorer=scorer)
    t.train()
    assert next(values, None) is None
    assert [each.shape for each in scored] == [(32, 16, 16, 3)] + 5 * [(256, 16, 16, 3)]
    assert all(each.dtype == np.uint8 for each in scored)
    best = Style.load(t.run.best).card
    assert best.steps == 117 and best.scores == [kid_scores(4.0)]


def test_the_last_style_generates_the_last_samples(tmp_path: Path) -> None:
    """The saved style is the average with its running statistics."""
    t = trainer(tmp_path / "run")
    t.train()
    style = Style.load(t.run.last)
    images = to_pixels(style.network(t.evaluator.inputs)).numpy().astype(int)
    assert np.abs(images - t.evaluator.generate(t.state.ema, t.evaluator.inputs)).max() <= 1


def test_sample_grids_stay_about_a_thousand_pixels_wide() -> None:
    assert [grid_count(size) for size in (16, 64, 128, 256, 512)] == [64, 64, 64, 16, 4]
