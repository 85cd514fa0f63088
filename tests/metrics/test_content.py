import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter

import impasto
from impasto.errors import ImpastoError
from impasto.metrics import content as room
from impasto.metrics.content import content, perceptual_distance
from impasto.metrics.feature_extractors.vgg16 import VGG16

LPIPS = "ST-LPIPS[vgg16]"
Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def paintings() -> Pictures:
    """Six paintings, uint8 (6, 96, 96, 3)."""
    with zipfile.ZipFile(Path(impasto.__file__).parent / "sample" / "paintings.zip") as archive:
        files = sorted(archive.namelist())[:6]
        pictures = [Image.open(io.BytesIO(archive.read(file))).convert("RGB").resize((96, 96)) for file in files]
    return np.stack([np.asarray(picture) for picture in pictures])


def blurred(pictures: Pictures, radius: float) -> Pictures:
    return np.stack([np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(radius))) for p in pictures])


def noisy(pictures: Pictures, deviation: float) -> Pictures:
    noise = np.random.default_rng(0).normal(0, deviation, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def test_a_picture_keeps_all_of_itself(paintings: Pictures) -> None:
    found = content(paintings, paintings)
    assert list(found) == ["SSIM", LPIPS]
    np.testing.assert_allclose(found["SSIM"], 1, atol=1e-6)
    np.testing.assert_allclose(found[LPIPS], 0, atol=1e-6)


@pytest.mark.parametrize("worse", [blurred, noisy])
def test_the_worse_a_picture_the_less_it_keeps(paintings: Pictures, worse: object) -> None:
    assert callable(worse)
    found = [content(paintings[:2], worse(paintings[:2], strength)) for strength in (1, 2, 4, 16)]
    assert (np.diff([each["SSIM"] for each in found], axis=0) < 0).all()
    assert (np.diff([each[LPIPS] for each in found], axis=0) > 0).all()


def test_another_picture_keeps_least_and_a_shift_by_a_pixel_little_is_lost(paintings: Pictures) -> None:
    here, moved = paintings[:, :80, :80], paintings[:, 1:81, 1:81]
    found, other = content(here, moved), content(here, np.roll(here, 1, axis=0))
    assert (found[LPIPS] < 0.5 * other[LPIPS]).all()
    assert (np.abs(other["SSIM"]) < 0.5).all()


def test_photo_and_painting_can_change_places(paintings: Pictures) -> None:
    pair = paintings[:3], paintings[3:]
    there, back = content(*pair), content(*pair[::-1])
    np.testing.assert_allclose(there["SSIM"], back["SSIM"], atol=1e-6)
    np.testing.assert_allclose(there[LPIPS], back[LPIPS], rtol=0.01)


def test_blocks_change_nothing(paintings: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = paintings, blurred(paintings, 2)
    together = content(*pair)
    monkeypatch.setattr(room, "BLOCK", 4 * 96 * 96)
    apart = content(*pair)
    for measure in together:
        assert together[measure].shape == (6,) and together[measure].dtype == np.float64
        np.testing.assert_allclose(apart[measure], together[measure], rtol=0.01)


def test_ssim_is_the_papers(paintings: Pictures) -> None:
    """With scipy's Gaussian, in float64, on the windows that lie wholly inside."""
    one, other = paintings[:3], noisy(blurred(paintings[:3], 1), 8)

    def windowed(picture: NDArray[np.float64]) -> NDArray[np.float64]:
        wide: NDArray[np.float64] = gaussian_filter(picture, (1.5, 1.5, 0), truncate=3.5)
        return wide[5:-5, 5:-5]

    for found, x, y in zip(content(one, other)["SSIM"], one.astype(float), other.astype(float), strict=True):
        mean_x, mean_y = windowed(x), windowed(y)
        variance_x, variance_y = windowed((x) ** 2) - mean_x**2, windowed(y**2) - mean_y**2
        covariance = windowed(x * y) - mean_x * mean_y
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        map_ = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
        map_ /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
        assert found == pytest.approx(map_.mean(), abs=1e-5)


def test_the_perceptual_distance_is_the_papers(paintings: Pictures) -> None:
    """Place by place, in numpy."""
    network = VGG16(torch.device("cpu"), precision="fp32")
    one, other = torch.from_numpy(paintings[:2]), torch.from_numpy(noisy(paintings[:2], 20))
    expected = np.zeros(2)
    for x, y, head in zip(network.stages(one), network.stages(other), network.heads, strict=True):
        left, right = x.double().numpy(), y.double().numpy()
        left /= np.linalg.norm(left, axis=1, keepdims=True) + 1e-10
        right /= np.linalg.norm(right, axis=1, keepdims=True) + 1e-10
        weights = head.double().numpy()[0, :, 0, 0]
        expected += np.einsum("bchw,c->bhw", (left - right) ** 2, weights).mean((1, 2))
    assert expected.min() > 0.01 and torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    np.testing.assert_allclose(perceptual_distance(network, one, other).numpy(), expected, rtol=1e-4)


def test_no_pairs_keep_nothing_and_small_ones_are_told(paintings: Pictures) -> None:
    assert content(paintings[:0], paintings[:0])["SSIM"].shape == (0,)
    least = content(paintings[:1, :24, :24], paintings[1:2, :24, :24])
    assert all(np.isfinite(values).all() for values in least.values())
    with pytest.raises(ImpastoError, match="at 23 pixels: take pictures of at least 24"):
        content(paintings[:1, :23, :23], paintings[:1, :23, :23])
    with pytest.raises(ValueError, match="differ"):
        content(paintings[:2], paintings[:1])
