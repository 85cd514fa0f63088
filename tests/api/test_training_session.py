"""One process of a training: start, evaluation, report, and errors that say what to change."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.api import train
from impasto.api.training_session import TrainingSession
from impasto.config.recipe import Recipe
from impasto.config.types import Pixels
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation
from impasto.style import Style
from impasto.training import checkpoint, memory_estimate
from impasto.training.callbacks import Callback, Estimate, Observer

GAN = Recipe.load("dcgan-64").replace(
    [
        *("size=16", "batch=2", "latent=8", "generator.width=8", "generator.max_width=16"),
        *("discriminator.width=8", "discriminator.max_width=16"),
    ]
)
PROJECTED = Recipe.load("projected-64").replace(
    ["size=32", "batch=2", "latent=8", "generator.width=4", "discriminator.width=4", "discriminator.pixels=0"]
)


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.inference.image_sets.GENERATED", 16)
    monkeypatch.setattr("impasto.training.evaluator.SCORE_IMAGES", 16)


class Recorder(Callback):
    """Records what it is given."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.images: list[tuple[str, int]] = []
        self.total: int | None = None
        self.closed = 0

    def on_rows(self, rows: Any, estimate: Estimate) -> None:
        self.steps += [row["step"] for row in rows]
        self.total = estimate.total_steps

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        self.images.append((name, step))

    def close(self) -> None:
        self.closed += 1


def test_callbacks_follow_a_training_and_the_loggers_of_a_run_are_remembered(tmp_path: Path) -> None:
    recorder = Recorder()
    run = tmp_path / "run"
    train.train(GAN, "sample:paintings", run, budget="2steps", callbacks=[recorder], log=["tensorboard"])
    assert (recorder.steps, recorder.total, recorder.closed) == ([1, 2], 2, 1)
    assert recorder.images[:2] == [("real", 0), ("samples", 0)] and recorder.images[-1] == ("samples", 2)
    again = Recorder()
    train.resume(run, budget="3steps", callbacks=[again], progress=False)
    assert again.steps == [3]
    assert '"tensorboard"' in (run / "run.json").read_text()


def test_an_observer_ends_a_training_without_evaluation_and_report(tmp_path: Path) -> None:
    progress: list[float] = []

    def stop(share: float, _: object) -> bool:
        progress.append(share)
        return False

    run = tmp_path / "run"
    outcome = train.train(
        GAN, "sample:paintings", run, budget="4steps", observer=Observer((0.5, 1.0), stop), progress=False
    )
    assert not outcome.finished and progress == [0.5]
    assert not (run / "evaluation.json").exists() and not (run / "report.html").exists()


def test_projected_models_are_scored_through_a_network_that_is_not_their_discriminators(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    with caplog.at_level(logging.INFO, "impasto"):
        train.train(PROJECTED, "sample:paintings", run, budget="1steps")
    assert "KID[alexnet] 16 v 54" in (run / "log.jsonl").read_text()
    found = Evaluation.model_validate_json((run / "evaluation.json").read_bytes())
    assert [scores.network for scores in found.scores] == ["alexnet", "efficientnet-lite0"]
    assert found.copies.network == "efficientnet-lite0"
    assert "KID[alexnet] is" in caplog.text
    assert Style.load(run).card.scores == found.scores

    # A run whose best style was chosen through the other network: its score is not comparable.
    (saved,) = checkpoint.steps(run / "checkpoints")[-1:]
    state = torch.load(saved, weights_only=True)
    state["scores"]["network"], state["lowest"] = "efficientnet-lite0", -1.0
    checkpoint.save(run / "checkpoints", 1, state)
    train.resume(run, budget="2steps")
    assert Style.load(run / "best.safetensors").card.steps == 2


@pytest.mark.parametrize(
    ("recipe", "batch", "change"),
    [("cut", 8, "batch=4"), ("cut", 3, "batch=1"), ("cut", 1, "size=128"), ("dcgan-64", 2, "size=32")],
)
def test_too_little_memory_proposes_a_smaller_batch_or_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recipe: str, batch: int, change: str
) -> None:
    def full(session: TrainingSession) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(TrainingSession, "_build_trainer", full)
    photos = None if recipe == "dcgan-64" else "sample:photos"
    with pytest.raises(ImpastoError, match=rf"memory of cpu is too small .* --set {change}\.") as error:
        train.train(
            recipe, "sample:paintings", tmp_path / "run", photos=photos, settings=[f"batch={batch}"], device="cpu"
        )
    assert "\n" not in str(error.value)


def test_a_training_refused_for_its_memory_creates_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory_estimate, "available", lambda device: memory_estimate.BESIDE)
    with pytest.raises(ImpastoError, match="too little for any batch"):
        train.train(GAN, "sample:paintings", tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_fine_tuning_uses_the_recipe_of_its_start(tmp_path: Path) -> None:
    train.train(GAN, "sample:paintings", tmp_path / "run", budget="1steps", progress=False)
    train.train(None, "sample:paintings", tmp_path / "fine", start=tmp_path / "run", budget="1steps", progress=False)
    style = Style.load(tmp_path / "fine")
    assert style.recipe == GAN.without_search() and style.card.start == "run"
    with pytest.raises(ImpastoError, match="give a recipe, or a style"):
        train.train(None, "sample:paintings", tmp_path / "other")


def test_an_unknown_logger_is_refused_before_a_folder_is_created(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="no logger 'wandbb'"):
        train.train(GAN, "sample:paintings", tmp_path / "run", log=["wandbb"])
    assert not (tmp_path / "run").exists()
