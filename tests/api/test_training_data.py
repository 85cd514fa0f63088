"""The data sets of a training: checks, facts and splits."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.api.training_data import absolute, open_stores, reopen_stores, source_facts, split_stores
from impasto.config.recipe import Recipe
from impasto.data.loader import split
from impasto.data.pixel_store import load_images, pack
from impasto.errors import ImpastoError
from impasto.training.run_dir import RunDir

CPU = torch.device("cpu")
CUT = Recipe.load("cut").replace(["size=16", "batch=2"])
GAN = Recipe.load("dcgan-64").replace(["size=16", "batch=2"])


def test_held_out_photos_are_sampled_and_evaluated() -> None:
    """With twenty or more; held-out paintings are evaluated against in the same share."""
    recipe = CUT.replace(["heldout=0.4"])
    stores = open_stores(recipe, "sample:paintings", "sample:paintings")
    data = split_stores(stores, recipe, 0, CPU)
    train, heldout = split(60, 0.4, 0)
    photos = data.training.train.photos
    assert photos is not None and data.training.photos is not None and data.photos is not None and len(heldout) == 24
    assert np.array_equal(photos.indices, train) and np.array_equal(data.training.photos.indices, heldout)
    assert np.array_equal(data.training.train.paintings.indices, train)
    names = load_images("sample:paintings", recipe.stored_size).names
    for images, indices in ((data.photos, heldout), (data.reals, train), (data.heldout, heldout)):
        assert images.names() == [names[index] for index in indices]


def test_half_of_many_held_out_photos_chooses_and_the_other_half_evaluates() -> None:
    recipe = CUT.replace(["heldout=0.7"])
    data = split_stores(open_stores(recipe, "sample:paintings", "sample:paintings"), recipe, 0, CPU)
    heldout = split(60, 0.7, 0)[1]
    assert data.training.photos is not None and data.photos is not None and len(heldout) == 42
    assert np.array_equal(data.training.photos.indices, heldout[::2])
    names = load_images("sample:paintings", recipe.stored_size).names
    assert data.photos.names() == [names[index] for index in heldout[1::2]]


def test_paintings_that_are_the_photos_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    open_stores(CUT, "sample:paintings", "sample:photos")
    assert "the same images" not in caplog.text
    open_stores(CUT, "sample:photos", "sample:photos")
    assert "The paintings and the photos are the same images" in caplog.text


@pytest.mark.parametrize(("heldout", "disjoint"), [(0.2, False), (0.4, False), (0.7, True)])
@pytest.mark.parametrize("recipe", [GAN, CUT])
def test_the_best_style_is_chosen_and_evaluated_by_disjoint_images_only_where_enough_are_held_out(
    recipe: Recipe, heldout: float, disjoint: bool
) -> None:
    """12, 24 and 42 of 60 images are held out; of the five photos too few are."""
    recipe = recipe.replace([f"heldout={heldout}"])
    photos = "sample:paintings" if recipe.translates else None
    data = split_stores(open_stores(recipe, "sample:paintings", photos), recipe, 0, CPU)
    assert data.disjoint is disjoint
    if data.choosing is not None:
        assert set(data.choosing.names()).isdisjoint(data.heldout.names()) is disjoint
    if recipe.translates:
        assert not split_stores(open_stores(recipe, "sample:paintings", "sample:photos"), recipe, 0, CPU).disjoint


def test_with_few_photos_all_are_sampled_and_evaluated() -> None:
    recipe = CUT.replace(["heldout=0.2"])
    data = split_stores(open_stores(recipe, "sample:paintings", "sample:photos"), recipe, 0, CPU)
    photos = data.training.train.photos
    assert photos is not None and data.training.photos is not None and data.photos is not None
    assert len(photos) == 4 and np.array_equal(data.training.photos.indices, np.arange(5))
    assert data.photos.count == 5


def test_the_facts_of_a_data_set_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack("sample:photos", tmp_path / "pack", size=CUT.stored_size)
    monkeypatch.chdir(tmp_path)
    facts = source_facts("pack", load_images("pack", CUT.stored_size), CUT, 0, crop_frames=False)
    assert (facts["spec"], facts["pictures"], facts["heldout"]) == (str(tmp_path / "pack"), 5, 1)
    assert source_facts("sample:photos", load_images("pack", 16), CUT, 0, False)["spec"] == "sample:photos"


@pytest.mark.parametrize("written", ["~/monets", "file://{}/monets"])
def test_a_folder_is_stored_by_its_absolute_path(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "monets").mkdir()
    assert absolute(written.format(tmp_path)) == str((tmp_path / "monets").resolve())
    assert absolute("kaggle:ann/monets") == "kaggle:ann/monets"


@pytest.mark.parametrize(
    ("recipe", "photos", "error"),
    [
        (CUT, None, "cut is an image-to-image model and needs photos: add --photos"),
        (GAN, "sample:photos", "dcgan-64 is an unconditional model and takes no photos; remove --photos"),
    ],
)
def test_photos_are_given_if_and_only_if_the_recipe_translates_them(
    recipe: Recipe, photos: str | None, error: str
) -> None:
    with pytest.raises(ImpastoError, match=error):
        open_stores(recipe, "sample:paintings", photos)


def test_a_pack_at_too_small_a_size_is_refused(tmp_path: Path) -> None:
    pack("sample:photos", tmp_path / "pack", size=16)
    with pytest.raises(ImpastoError, match="packed at 16 px and dcgan-64 is trained at 64 px"):
        open_stores(Recipe.load("dcgan-64"), tmp_path / "pack")


def test_few_paintings_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "impasto"):
        open_stores(GAN, "sample:photos")
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "Few paintings (5): the model will reproduce them. Use a few hundred if you can."
    ]


def test_a_run_is_resumed_with_moved_but_not_with_other_images(tmp_path: Path) -> None:
    pack("sample:photos", tmp_path / "pack", size=16)
    store = open_stores(GAN, tmp_path / "pack").paintings
    facts = {"paintings": source_facts(tmp_path / "pack", store, GAN, 0, False), "photos": None}
    run = RunDir.create(tmp_path / "run", GAN, facts)
    (tmp_path / "pack").rename(tmp_path / "moved")
    with pytest.raises(ImpastoError, match="give their new place with --paintings"):
        reopen_stores(run, None, None)
    assert reopen_stores(run, tmp_path / "moved", None).paintings.fingerprint == store.fingerprint
    with pytest.raises(ImpastoError, match="does not hold the images"):
        reopen_stores(run, "sample:paintings", None)
    with pytest.raises(ImpastoError, match="takes no photos"):
        reopen_stores(run, None, "sample:photos")
