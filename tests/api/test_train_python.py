"""How the rooms are put together for a training; that it learns is told in test_train."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from impasto.api import train
from impasto.config.recipe import Recipe
from impasto.data.loader import split
from impasto.data.pixel_store import gather
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation
from impasto.style import Style
from impasto.training import checkpoint, memory_estimate
from impasto.training.trainer import Outcome, Trainer

TINY = (
    *("size=16", "batch=2", "generator.width=4", "generator.blocks=1", "contrast.patches=8"),
    *("discriminator.width=4", "discriminator.max_width=8", "discriminator.layers=1"),
)
RECIPE = Recipe.load("cut").replace(TINY)


class Seen:
    """What a training was given."""

    trainer: Trainer
    assessed: dict[str, Any]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """A training that ends before its first step, and what it was given."""
    found = Seen()

    def train(self: Trainer) -> Outcome:
        found.trainer = self
        self._begin()
        return Outcome(finished=True)

    def assess(run: Any, network: Any, real: Any, heldout: Any, photos: Any, *rest: Any) -> Any:
        found.assessed = {"real": real, "heldout": heldout, "photos": photos}
        raise InterruptedError

    monkeypatch.setattr(train, "_judge", lambda *_: None)
    monkeypatch.setattr(train, "_show", lambda *_: None)
    monkeypatch.setattr(train, "_assess", assess)
    monkeypatch.setattr(Trainer, "train", train)
    return found


def begin(seen: Seen, out: Path, photos: str, *settings: str) -> Trainer:
    with pytest.raises(InterruptedError):
        train.train(RECIPE, "sample:paintings", out, photos=photos, settings=settings, budget="1steps", say=str)
    return seen.trainer


def test_photos_held_out_are_those_that_are_painted_and_scored(seen: Seen, tmp_path: Path) -> None:
    """Twenty or more; the paintings that a training is scored against are held out in the same share."""
    trainer = begin(seen, tmp_path / "run", "sample:paintings", "heldout=0.4")
    learned, heldout = split(60, 0.4, 0)
    photos, subjects = trainer.pictures.photos, trainer.subjects
    assert photos is not None and subjects is not None and len(heldout) == 24
    assert np.array_equal(photos.indices, learned) and np.array_equal(subjects.indices, heldout)
    assert np.array_equal(trainer.pictures.paintings.indices, learned)
    names = gather("sample:paintings", RECIPE.stored_size).names
    for side, indices in (("photos", heldout), ("real", learned), ("heldout", heldout)):
        assert seen.assessed[side].names() == [names[index] for index in indices], side


def test_of_too_few_photos_all_are_painted_and_scored(seen: Seen, tmp_path: Path) -> None:
    trainer = begin(seen, tmp_path / "run", "sample:photos", "heldout=0.2")
    photos, subjects = trainer.pictures.photos, trainer.subjects
    assert photos is not None and subjects is not None
    assert len(photos) == 4 and np.array_equal(subjects.indices, np.arange(5))
    assert seen.assessed["photos"].count == 5


def test_a_run_remembers_where_both_sorts_of_pictures_came_from(seen: Seen, tmp_path: Path) -> None:
    trainer = begin(seen, tmp_path / "run", "sample:photos")
    facts = trainer.run.facts
    assert (facts["paintings"]["spec"], facts["paintings"]["pictures"]) == ("sample:paintings", 60)
    assert (facts["photos"]["spec"], facts["photos"]["pictures"], facts["photos"]["heldout"]) == ("sample:photos", 5, 1)
    assert facts["paintings"]["fingerprint"] != facts["photos"]["fingerprint"] and facts["start"] is None


def test_without_a_recipe_that_of_the_style_to_start_from_is_used(seen: Seen, tmp_path: Path) -> None:
    first = begin(seen, tmp_path / "run", "sample:photos")
    first._save()
    with pytest.raises(InterruptedError):
        train.train(
            None, "sample:paintings", tmp_path / "fine", photos="sample:photos", start=tmp_path / "run", say=str
        )
    assert seen.trainer.recipe == RECIPE.without_search() and seen.trainer.run.facts["start"] == str(tmp_path / "run")
    with pytest.raises(ImpastoError, match="give a recipe, or a style"):
        train.train(None, "sample:paintings", tmp_path / "other", say=str)


@pytest.mark.parametrize(
    ("recipe", "batch", "cure"),
    [("cut", 8, "batch=4"), ("cut", 3, "batch=1"), ("cut", 1, "size=128"), ("dcgan-64", 2, "size=32")],
)
def test_where_memory_is_too_small_something_smaller_is_proposed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recipe: str, batch: int, cure: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Trainer, "__init__", lambda *_, **__: None)
    monkeypatch.setattr(Trainer, "plan", SimpleNamespace(total=None), raising=False)
    monkeypatch.setattr(Trainer, "train", full)
    photos = None if recipe == "dcgan-64" else "sample:photos"
    with pytest.raises(ImpastoError, match=rf"memory of cpu is too small .* --set {cure}\.") as error:
        train.train(
            recipe,
            "sample:paintings",
            tmp_path / "run",
            photos=photos,
            settings=[f"batch={batch}"],
            device="cpu",
            say=str,
        )
    assert "\n" not in str(error.value)


def test_a_training_that_is_refused_for_its_memory_leaves_its_folder_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory_estimate, "available", lambda device: memory_estimate.BESIDE)
    with pytest.raises(ImpastoError, match="too little for any batch"):
        train.train(RECIPE, "sample:paintings", tmp_path / "run", photos="sample:photos", device="cpu", say=str)
    assert not (tmp_path / "run").exists()


PROJECTED = Recipe.load("projected-64").replace(
    ["size=32", "batch=2", "latent=8", "generator.width=4", "discriminator.width=4", "discriminator.pixels=0"]
)


def test_a_style_is_chosen_by_another_network_than_the_discriminator_looks_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.metrics.image_sets.MADE", 16)
    monkeypatch.setattr("impasto.training.trainer.SCORED", 16)
    run = tmp_path / "run"
    said: list[str] = []
    train.train(PROJECTED, "sample:paintings", run, budget="1steps", say=said.append)
    assert "KID[alexnet] 16 v 54" in (run / "log.jsonl").read_text()
    found = Evaluation.model_validate_json((run / "evaluation.json").read_bytes())
    assert [scores.network for scores in found.scores] == ["alexnet", "efficientnet-lite0"]
    assert found.copies.network == "efficientnet-lite0"
    assert any("KID[alexnet] is" in line for line in said)
    assert Style.load(run).card.scores == found.scores

    # As if it had been begun when the other network chose, whose numbers tell nothing about this one's.
    (saved,) = checkpoint.steps(run / "checkpoints")[-1:]
    state = torch.load(saved, weights_only=True)
    state["scores"]["network"], state["lowest"] = "efficientnet-lite0", -1.0
    checkpoint.save(run / "checkpoints", 1, state)
    train.resume(run, budget="2steps", say=str)
    assert Style.load(run / "best.safetensors").card.steps == 2
