import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from fixtures.pairs import blurred, noisy, sample_paintings
from impasto.metrics.ssim import ssim


def test_ssim_is_equation_13_of_the_paper() -> None:
    """With scipy's Gaussian, in float64, on the windows that lie wholly inside."""
    one = sample_paintings()[:3]
    other = noisy(blurred(one, 1), 8)

    def windowed(picture: NDArray[np.float64]) -> NDArray[np.float64]:
        wide: NDArray[np.float64] = gaussian_filter(picture, (1.5, 1.5, 0), truncate=3.5)
        return wide[5:-5, 5:-5]

    for found, x, y in zip(
        ssim(torch.from_numpy(one), torch.from_numpy(other)).tolist(),
        one.astype(float),
        other.astype(float),
        strict=True,
    ):
        mean_x, mean_y = windowed(x), windowed(y)
        variance_x, variance_y = windowed((x) ** 2) - mean_x**2, windowed(y**2) - mean_y**2
        covariance = windowed(x * y) - mean_x * mean_y
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        map_ = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
        map_ /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
        assert found == pytest.approx(map_.mean(), abs=1e-5)
