"""A model that replays its training images scores best, and is found out."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from fixtures.parameters import mostly_long
from impasto.config.types import Pixels
from impasto.data.pixel_store import PixelStore, load_images
from impasto.metrics.base import FeatureSet
from impasto.metrics.candidates import Candidate, CandidateScorer
from impasto.metrics.feature_extractors import FeatureExtractor, open_feature_extractor
from impasto.metrics.image_sets import StoreImages

SIZE = 64
TRAINED, UNSEEN = np.arange(0, 60, 3), np.array([place for place in range(60) if place % 3])


@pytest.fixture(scope="module")
def store() -> PixelStore:
    return load_images("sample:paintings", SIZE)


@pytest.fixture(scope="module")
def network() -> FeatureExtractor:
    return open_feature_extractor("efficientnet-lite0", torch.device("cpu"))


def blurred(images: Pixels) -> Pixels:
    """Images of no training set, and of worse quality."""
    return np.stack([np.asarray(Image.fromarray(each).filter(ImageFilter.GaussianBlur(1.5))) for each in images])


def scorer(store: PixelStore, network: FeatureExtractor, unseen: bool, trained: np.ndarray = UNSEEN) -> CandidateScorer:
    held_out = np.array([place for place in range(60) if place not in trained])
    images = StoreImages(store, SIZE, indices=held_out) if unseen else None
    return CandidateScorer(network, StoreImages(store, SIZE, indices=trained), images, network)


def score(compared: CandidateScorer, images: Pixels) -> Candidate:
    return compared.score(compared.features(images))


@pytest.mark.parametrize(("unseen", "few"), mostly_long(product([False, True], repeat=2), (True, True)))
def test_replayed_training_images_rank_after_an_honest_model_with_a_worse_score(
    store: PixelStore, network: FeatureExtractor, unseen: bool, few: bool
) -> None:
    trained = TRAINED if few else np.arange(54)
    others = np.array([place for place in range(60) if place not in trained])
    compared = scorer(store, network, unseen, trained)
    replayed = score(compared, store.pixels[np.resize(trained, 64)])
    honest = score(compared, blurred(store.pixels[others]))
    assert replayed.value < honest.value
    assert replayed.copies > 0.9 and replayed.memorisation.level == "memorised" and honest.copies == 0
    assert honest.as_choice(1).rank < replayed.as_choice(2).rank


def test_unseen_images_decide_where_they_are_given(store: PixelStore, network: FeatureExtractor) -> None:
    images = store.pixels[:12]
    with_unseen, without = (score(scorer(store, network, unseen), images) for unseen in (True, False))
    assert with_unseen.decided_by == "KID[efficientnet-lite0] 12 v 20 held-out" and with_unseen.unseen is not None
    assert without.decided_by == "KID[efficientnet-lite0] 12 v 40" and without.unseen is None
    assert with_unseen.scores == without.scores and with_unseen.value != without.value
    row = with_unseen.row()
    assert row[with_unseen.decided_by] == with_unseen.value
    assert row[without.decided_by] == without.value and row["copies 12 v 40"] == with_unseen.copies


@pytest.mark.long
def test_copies_are_found_through_a_network_of_their_own(store: PixelStore, network: FeatureExtractor) -> None:
    alexnet = open_feature_extractor("alexnet", torch.device("cpu"))
    reals = StoreImages(store, SIZE, indices=TRAINED)
    found = score(CandidateScorer(alexnet, reals, None, network), store.pixels[np.resize(TRAINED, 24)])
    assert found.decided_by == "KID[alexnet] 24 v 20" and found.memorisation.level == "memorised"


def test_what_is_derived_from_the_reals_is_computed_before_the_first_score(
    store: PixelStore, network: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, fakes = scorer(store, network, unseen=True), store.pixels[:12]
    derived, lengths = FeatureSet.derived, list[int]()

    def recorded(images: FeatureSet, compute: Callable[..., Any]) -> Any:
        if compute not in images._derived:
            lengths.append(len(images))
        return derived(images, compute)

    monkeypatch.setattr(FeatureSet, "derived", recorded)
    score(compared, fakes)
    assert set(lengths) == {len(fakes)}


def test_a_candidate_is_restored_from_a_checkpoint(
    store: PixelStore, network: FeatureExtractor, tmp_path: Path
) -> None:
    candidate = score(scorer(store, network, unseen=True), store.pixels[:8])
    torch.save(candidate.model_dump(), tmp_path / "state.pt")
    assert Candidate.model_validate(torch.load(tmp_path / "state.pt", weights_only=True)) == candidate
