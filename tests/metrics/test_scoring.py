import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.metrics.base import METRICS, FeatureComparison, FeatureMetric, FeatureSet
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.results import Scores, Value
from impasto.metrics.scoring import add_floors, add_intervals, score


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


def compare(
    reals: np.ndarray, fakes: np.ndarray, network: FeatureExtractor = NETWORK, size: int = 64
) -> FeatureComparison:
    return FeatureComparison(fakes, FeatureSet(reals, network, size))


def test_scores_name_network_size_and_counts() -> None:
    scores = score(compare(features(1, 30), features(2, 40, 0.5)))
    assert (scores.network, scores.size, scores.fakes, scores.reals) == ("invented", 64, 40, 30)
    assert list(scores.values) == ["KID", "FD", "d", "precision", "recall", "density", "coverage", "IS"]
    assert all(name.endswith("[invented] 40 v 30") for name in scores.row())


def test_only_the_fid_network_has_a_fid_and_a_mifid() -> None:
    scores = score(compare(features(1, 30), features(2, 40, 0.5), Fid(torch.device("cpu")), 256))
    assert "FID[inception-2015] 40 v 30" in scores.row() and "MiFID[inception-2015] 40 v 30" in scores.row()
    assert scores.values["d"].value > 0.1 and scores.values["MiFID"].value == pytest.approx(scores.values["FD"].value)


def test_the_floor_scores_one_half_of_the_reals_against_the_other() -> None:
    reals = FeatureSet(features(1, 200), NETWORK, 64)
    scores = add_floors(score(FeatureComparison(features(2, 100, 1.0), reals)), reals)
    assert scores.halves == (100, 100)
    for name in ("KID", "FD"):
        floor = scores.values[name].floor
        assert floor is not None and scores.values[name].value > floor
    order = np.random.default_rng(0).permutation(200)
    halves = score(compare(reals.features[order[100:]], reals.features[order[:100]]))
    assert {name: value.floor for name, value in scores.values.items()} == {
        name: value.value for name, value in halves.values.items()
    }


def test_intervals_contain_the_value_and_are_as_wide_as_samples_vary() -> None:
    drawn = [score(compare(features(k, 60), features(900 + k, 60, 0.5))) for k in range(60)]
    deviation = np.std([scores.values["FD"].value for scores in drawn])
    scores = add_intervals(drawn[0], compare(features(0, 60), features(900, 60, 0.5)))
    for name, value in scores.values.items():
        if name in ("recall", "coverage"):
            assert value.interval is None and value.error is None
        else:
            assert value.interval is not None and value.interval[0] <= value.value <= value.interval[1]
    low, high = scores.values["FD"].interval or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.5)


def test_fewer_images_than_neighbours_have_the_other_metrics() -> None:
    scores = score(compare(features(1, 4), features(2, 9)))
    assert "precision" not in scores.values and np.isfinite(scores.values["FD"].value)


def test_kid_of_two_images_has_no_error_and_no_interval() -> None:
    comparison = compare(features(1, 30), features(2, 2))
    scores = add_intervals(score(comparison), comparison)
    assert scores.values["KID"].error is None and scores.values["KID"].interval is None


def test_a_metric_that_is_not_finite_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(FeatureMetric):
        meaning = "nothing"

        def compute(self, comparison: FeatureComparison) -> Value:
            return Value(value=float("nan"))

    METRICS["KID"]  # so that the registry is loaded
    monkeypatch.setitem(METRICS._things, "broken", Broken)
    scores = score(compare(features(1, 30), features(2, 40, 0.5)))
    assert "broken" not in scores.values and "The metric broken is nan" in caplog.text
    assert Scores.model_validate_json(scores.model_dump_json()) == scores
