import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.reference import Reference


class Invented(FeatureExtractor):
    """Only its name and its classifier are asked for here."""

    name = "invented"
    dimension = 32
    identity = "invented"

    def features(self, pixels: Tensor) -> Tensor:
        raise NotImplementedError

    def probabilities(self, features: Tensor) -> Tensor:
        return features[:, :5].softmax(1)


class Fid(Invented):
    name = "inception-2015"


NETWORK = Invented(torch.device("cpu"))


def features(seed: int, count: int, shift: float = 0.0) -> np.ndarray:
    return np.maximum(np.random.default_rng(seed).standard_normal((count, 32)) + shift, 0).astype(np.float32)


def test_every_number_goes_by_the_network_and_the_counts() -> None:
    scores = Reference(NETWORK, 64, features(1, 30)).scores(features(2, 40, 0.5))
    assert (scores.network, scores.size, scores.fakes, scores.reals) == ("invented", 64, 40, 30)
    assert set(scores.values) == {"KID", "FD", "d", "precision", "recall", "density", "coverage", "IS"}
    assert all(name.endswith("[invented] 40 v 30") for name in scores.row())


def test_only_the_fid_network_has_a_fid_and_a_mifid() -> None:
    scores = Reference(Fid(torch.device("cpu")), 256, features(1, 30)).scores(features(2, 40, 0.5))
    assert "FID[inception-2015] 40 v 30" in scores.row() and "MiFID[inception-2015] 40 v 30" in scores.row()
    assert scores.values["d"].value > 0.1 and scores.values["MiFID"].value == pytest.approx(scores.values["FD"].value)


def test_the_floor_is_what_half_of_the_reals_score_against_the_other_half() -> None:
    reals = features(1, 200)
    reference = Reference(NETWORK, 64, reals)
    scores = reference.with_floors(reference.scores(features(2, 100, 1.0)))
    assert scores.halves == (100, 100)
    for name in ("KID", "FD"):
        floor = scores.values[name].floor
        assert floor is not None and scores.values[name].value > floor
    order = np.random.default_rng(0).permutation(200)
    halves = Reference(NETWORK, 64, reals[order[100:]]).scores(reals[order[:100]])
    assert {name: value.floor for name, value in scores.values.items()} == {
        name: value.value for name, value in halves.values.items()
    }


def test_intervals_hold_the_value_and_are_as_wide_as_draws_vary() -> None:
    drawn = [Reference(NETWORK, 64, features(k, 60)).scores(features(900 + k, 60, 0.5)) for k in range(60)]
    deviation = np.std([scores.values["FD"].value for scores in drawn])
    reference, fakes = Reference(NETWORK, 64, features(0, 60)), features(900, 60, 0.5)
    scores = reference.with_intervals(drawn[0], fakes)
    for name, value in scores.values.items():
        if name in ("recall", "coverage"):
            assert value.interval is None and value.error is None
        else:
            assert value.interval is not None and value.interval[0] <= value.value <= value.interval[1]
    low, high = scores.values["FD"].interval or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.5)


def test_so_few_pictures_that_neighbours_lack_have_the_other_measures() -> None:
    scores = Reference(NETWORK, 64, features(1, 4)).scores(features(2, 9))
    assert "precision" not in scores.values and np.isfinite(scores.values["FD"].value)


def test_two_pictures_have_a_distance_without_error_or_interval() -> None:
    reference, fakes = Reference(NETWORK, 64, features(1, 30)), features(2, 2)
    scores = reference.with_intervals(reference.scores(fakes), fakes)
    assert scores.values["KID"].error is None and scores.values["KID"].interval is None


@pytest.mark.parametrize(("count", "told"), [(0, "no picture"), (1, "one picture")])
def test_too_few_pictures_are_told_in_one_line(count: int, told: str) -> None:
    with pytest.raises(ImpastoError, match=f"There is {told} on the real side"):
        Reference(NETWORK, 64, features(1, count))
    with pytest.raises(ImpastoError, match=f"There is {told} on the made side"):
        Reference(NETWORK, 64, features(1, 9)).scores(features(1, count))


def test_features_that_are_no_numbers_are_told() -> None:
    broken = features(1, 9)
    broken[3, 3] = np.nan
    with pytest.raises(ImpastoError, match="not numbers"):
        Reference(NETWORK, 64, broken)
