import numpy as np
import pytest
import torch

from fixtures.pairs import blurred, noisy, sample_paintings
from impasto.config.types import Pixels, Values
from impasto.errors import ImpastoError
from impasto.metrics import content_preservation as module
from impasto.metrics.base import pair_metrics
from impasto.metrics.content_preservation import compare_pairs, content_preservation, smallest_side

LPIPS = "ST-LPIPS[vgg16]"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def paintings() -> Pixels:
    return sample_paintings()


def compare(sources: Pixels, images: Pixels) -> dict[str, Values]:
    return compare_pairs({name: metric(CPU) for name, metric in pair_metrics().items()}, sources, images)


def test_means_and_errors_are_those_of_all_pairs(paintings: Pixels) -> None:
    worse = blurred(paintings, 2)
    found = content_preservation(((paintings[k : k + 2], worse[k : k + 2]) for k in (0, 2, 4)), CPU)
    assert (found.pairs, found.size) == (6, 96)
    for name, values in compare(paintings, worse).items():
        assert found.values[name].value == pytest.approx(values.mean(), rel=0.01)
        assert found.values[name].error == pytest.approx(values.std(ddof=1) / 6**0.5, rel=0.02)


def test_the_smallest_side_is_that_of_all_metrics() -> None:
    assert smallest_side() == 24


def test_equal_images_preserve_all_content(paintings: Pixels) -> None:
    found = compare(paintings, paintings)
    assert list(found) == ["SSIM", LPIPS]
    np.testing.assert_allclose(found["SSIM"], 1, atol=1e-6)
    np.testing.assert_allclose(found[LPIPS], 0, atol=1e-6)


@pytest.mark.parametrize("worse", [blurred, noisy])
def test_stronger_distortion_preserves_less_content(paintings: Pixels, worse: object) -> None:
    assert callable(worse)
    found = [compare(paintings[:2], worse(paintings[:2], strength)) for strength in (1, 2, 4, 16)]
    assert (np.diff([each["SSIM"] for each in found], axis=0) < 0).all()
    assert (np.diff([each[LPIPS] for each in found], axis=0) > 0).all()


def test_lpips_tolerates_a_shift_by_one_pixel(paintings: Pixels) -> None:
    here, moved = paintings[:, :80, :80], paintings[:, 1:81, 1:81]
    found, other = compare(here, moved), compare(here, np.roll(here, 1, axis=0))
    assert (found[LPIPS] < 0.5 * other[LPIPS]).all()
    assert (np.abs(other["SSIM"]) < 0.5).all()


def test_both_metrics_are_symmetric(paintings: Pixels) -> None:
    pair = paintings[:3], paintings[3:]
    there, back = compare(*pair), compare(*pair[::-1])
    np.testing.assert_allclose(there["SSIM"], back["SSIM"], atol=1e-6)
    np.testing.assert_allclose(there[LPIPS], back[LPIPS], rtol=0.01)


def test_results_do_not_depend_on_the_block_size(paintings: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = paintings, blurred(paintings, 2)
    together = compare(*pair)
    monkeypatch.setattr(module, "BLOCK", 4 * 96 * 96)
    apart = compare(*pair)
    for measure in together:
        assert together[measure].shape == (6,) and together[measure].dtype == np.float64
        np.testing.assert_allclose(apart[measure], together[measure], rtol=0.01)


def test_empty_and_small_inputs(paintings: Pixels) -> None:
    assert compare(paintings[:0], paintings[:0])["SSIM"].shape == (0,)
    least = compare(paintings[:1, :24, :24], paintings[1:2, :24, :24])
    assert all(np.isfinite(values).all() for values in least.values())
    with pytest.raises(ImpastoError, match="at least 24 pixels; these have 23"):
        compare(paintings[:1, :23, :23], paintings[:1, :23, :23])
    with pytest.raises(ValueError, match="differ in shape"):
        compare(paintings[:2], paintings[:1])
