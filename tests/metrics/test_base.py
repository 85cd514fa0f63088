"""Metrics are registered once; names, meanings, directions and order follow."""

from importlib.metadata import EntryPoint
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.config.registry import Registry
from impasto.errors import ImpastoError
from impasto.metrics import base
from impasto.metrics.base import (
    METRICS,
    FeatureComparison,
    FeatureMetric,
    FeatureSet,
    better,
    describe,
    feature_metrics,
    pair_metrics,
    standard_error,
)
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.results import DECIDING_METRIC, Value
from impasto.metrics.scoring import score


class Mean(FeatureExtractor):
    name, identity, dimension = "mean", "mean-1", 8

    def features(self, pixels: Tensor) -> Tensor:
        raise NotImplementedError


def features(seed: int, count: int) -> np.ndarray:
    return np.abs(np.random.default_rng(seed).standard_normal((count, 8))).astype(np.float32)


def comparison() -> FeatureComparison:
    return FeatureComparison(features(1, 9), FeatureSet(features(2, 9), Mean(torch.device("cpu")), 64))


def test_the_built_in_metrics_in_the_order_of_tables() -> None:
    assert list(feature_metrics()) == ["KID", "FD", "MiFID", "d", "precision", "recall", "density", "coverage", "IS"]
    assert list(pair_metrics()) == ["SSIM", "ST-LPIPS[vgg16]"]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_meaning_and_a_place(name: str) -> None:
    metric = METRICS[name]
    assert metric.meaning and not metric.meaning.endswith(".") and metric.order < 1000
    assert better(name) == metric.better
    if metric.better is not None:
        assert describe(name).endswith(f"; {metric.better} is better")


def test_the_best_style_and_the_best_run_have_the_lowest_score() -> None:
    assert better(DECIDING_METRIC) == "lower"


def test_a_metric_that_is_not_installed_has_neither_meaning_nor_direction() -> None:
    assert describe("of a plugin") == "" and better("of a plugin") is None


def test_a_metric_of_another_package_joins_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module that an entry point names registers it, and it comes after the built-in ones."""
    registry: Registry[type[base.Metric]] = Registry("metric", package="impasto.metrics", group="impasto.metrics")
    for name in METRICS:
        registry.register(name)(METRICS[name])

    class Plugin(ModuleType):
        @staticmethod
        def register() -> None:
            @registry.register("norm ratio")
            class NormRatio(FeatureMetric):
                meaning, better = "mean norm of the fakes' features over that of the reals'", "lower"

                def compute(self, comparison: FeatureComparison) -> Value:
                    norms = [
                        np.linalg.norm(each.values, axis=1).mean() for each in (comparison.fakes, comparison.reals)
                    ]
                    return Value(value=float(norms[0] / norms[1]))

    class Point(EntryPoint):
        def load(self) -> None:
            Plugin.register()

    monkeypatch.setattr(
        "impasto.config.registry.entry_points", lambda group: [Point("toy", "toy", group)] if "metrics" in group else []
    )
    monkeypatch.setattr(base, "METRICS", registry)
    scores = score(comparison())
    assert list(scores.values)[-1] == "norm ratio" and 0.5 < scores.values["norm ratio"].value < 2
    assert describe("norm ratio").endswith("; lower is better")


def test_what_metrics_share_is_computed_once() -> None:
    calls = []

    def norms(images: FeatureSet) -> float:
        calls.append(len(images))
        return float(images.values.sum())

    both = comparison()
    assert both.fakes.derived(norms) == both.fakes.derived(norms) != both.reals.derived(norms)
    assert calls == [9, 9]


def test_a_bootstrap_is_computed_once_per_statistic_and_reports_progress() -> None:
    done = []
    reals = FeatureSet(features(2, 9), Mean(torch.device("cpu")), 64)
    both = FeatureComparison(features(1, 9), reals, lambda count, total: done.append((count, total)))

    def difference(fakes: np.ndarray, reals: np.ndarray) -> float:
        return float(fakes.mean() - reals.mean())

    assert both.bootstrap(difference) is both.bootstrap(difference)
    assert done == [(count, base.RESAMPLES) for count in range(1, base.RESAMPLES + 1)]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_are_refused_in_one_line(count: int) -> None:
    with pytest.raises(ImpastoError, match=f"at least 2 real images, and there are {count}"):
        FeatureSet(features(1, count), Mean(torch.device("cpu")), 64)
    with pytest.raises(ImpastoError, match="at least 2 generated images"):
        FeatureComparison(features(1, count), FeatureSet(features(2, 9), Mean(torch.device("cpu")), 64))


def test_features_that_are_not_finite_are_refused() -> None:
    broken = features(1, 9)
    broken[3, 3] = np.nan
    with pytest.raises(ImpastoError, match="NaN or infinite"):
        FeatureSet(broken, Mean(torch.device("cpu")), 64)


def test_the_standard_error_of_a_mean() -> None:
    assert standard_error(np.array([1.0, 3.0])) == pytest.approx(1.0)
    assert standard_error(np.array([1.0])) is None
