"""The verdict on memorisation follows from the distances."""

import numpy as np
import pytest
from scipy import stats

from impasto.metrics.memorisation import nearest_neighbours, nearest_other_distances
from impasto.metrics.memorisation_finding import FALSE_POSITIVES, assess_memorisation, expected_maximum
from impasto.metrics.results import Memorisation


def copies(fakes: list[float], reals: list[float]) -> Memorisation:
    return Memorisation(network="some-net", fakes=fakes, reals=reals, suspects=[])


@pytest.mark.parametrize(("fakes", "reals"), [(1, 20), (64, 30), (256, 270), (1000, 54), (10_000, 7000)])
def test_the_limit_by_chance_is_the_beta_binomial_quantile(fakes: int, reals: int) -> None:
    for rank in (1, reals // 20 + 1):
        expected = stats.betabinom.ppf(1 - FALSE_POSITIVES, fakes, rank, reals + 1 - rank)
        assert expected_maximum(fakes, reals, rank) == expected


@pytest.mark.parametrize("dimensions", [10, 40])
def test_the_false_positive_rate_is_as_stated(dimensions: int) -> None:
    """Real and fake features of one distribution, and their distances as they are taken."""
    random = np.random.default_rng(0)
    suspected = 0
    for _ in range(100):
        mixed = random.standard_normal((dimensions, 64))
        fakes, reals = (np.maximum(random.standard_normal((n, dimensions)) @ mixed + 1, 0) for n in (300, 100))
        distances = nearest_neighbours(fakes, reals)[0][:, 0].tolist()
        suspected += assess_memorisation(copies(distances, nearest_other_distances(reals).tolist())).suspicious
    assert suspected <= 2


def test_levels_of_memorisation() -> None:
    reals = [0.05, *np.linspace(0.2, 0.6, 269).tolist()]
    most = expected_maximum(256, 135, 7)

    def judged(near: int) -> tuple[str, str]:
        found = assess_memorisation(copies([0.1] * near + [0.5] * (256 - near), reals))
        return found.level, found.sentence

    assert judged(3) == (
        "none",
        "3 of 256 fakes are nearer to a real image than 95 % of the 270 reals are to their nearest other "
        f"real; with 270 reals, up to {most} can be chance: no sign of memorisation.",
    )
    assert judged(most)[0] == "none"
    level, sentence = judged(most + 1)
    assert level == "some"
    assert f"at most {most} can be chance" in sentence
    level, sentence = judged(211)
    assert level == "memorised"
    assert sentence.endswith("the model has memorised its training images.")


def test_occasional_copies_are_found_by_the_smallest_distances() -> None:
    reals = np.linspace(0.2, 0.6, 270).tolist()
    most = expected_maximum(256, 135, 1)
    assert most < expected_maximum(256, 135, 7)
    assert not assess_memorisation(copies([0.1] * most + [0.5] * (256 - most), reals)).suspicious
    found = assess_memorisation(copies([0.1] * (most + 1) + [0.5] * (255 - most), reals))
    assert found.level == "some"
    assert f"{most + 1} of 256 fakes are nearer to a real image than any of the 270" in found.sentence


def test_a_single_identical_image_is_found() -> None:
    found = assess_memorisation(copies([0.0, *[0.5] * 255], np.linspace(0.2, 0.6, 270).tolist()))
    assert found.suspicious
    assert "1 of 256 fakes is practically identical to a real image" in found.sentence


def test_duplicate_reals_make_the_test_inconclusive() -> None:
    reals = [0.0] * 30 + [0.4] * 240
    assert assess_memorisation(copies([0.3] * 256, reals)).level == "unknown"
    assert assess_memorisation(copies([0.0] * 200, reals)).level == "some"


def test_too_few_images_make_the_test_inconclusive() -> None:
    assert assess_memorisation(copies([], [0.2] * 50)).level == "unknown"
    assert assess_memorisation(copies([0.1] * 50, [0.2] * 10)).level == "unknown"
    assert assess_memorisation(copies([], [])).level == "unknown"
    assert assess_memorisation(copies([0.0] * 40 + [0.1] * 10, [0.2] * 10)).suspicious  # but what is plain is said


@pytest.mark.parametrize("reals", [5, 10, 40])
def test_a_model_that_replays_few_images_has_memorised_them(reals: int) -> None:
    """Although so few distances between reals leave every number to chance."""
    distances = np.linspace(0.2, 0.6, reals).tolist()
    found = assess_memorisation(copies([0.0] * 200 + [0.5] * 56, distances))
    assert found.level == "memorised" and found.share == 200 / 256
    assert found.sentence.startswith("200 of 256 fakes are ")


def test_the_share_of_copies_is_zero_where_nothing_is_suspicious() -> None:
    reals = np.linspace(0.2, 0.6, 270).tolist()
    for fakes in ([0.5] * 256, [0.1] * 3 + [0.5] * 253, []):
        found = assess_memorisation(copies(fakes, reals))
        assert not found.suspicious and found.share == 0
    assert [assess_memorisation(copies([0.1] * near + [0.5] * (200 - near), reals)).share for near in (50, 150)] == [
        0.25,
        0.75,
    ]
