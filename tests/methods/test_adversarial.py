import pytest
import torch

from fixtures.tiny import noise
from impasto.methods.adversarial import pixel_std


def test_pixel_std_is_zero_for_equal_images_and_else_the_deviation_of_a_pixel() -> None:
    one = noise(1, 3, 32, 32)
    assert pixel_std(one.repeat(4, 1, 1, 1)) == pytest.approx(1e-6)
    pictures = torch.randn(4000, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.25
    assert pixel_std(pictures) == pytest.approx(0.25, rel=0.02)
    assert pixel_std(pictures * 2) == pytest.approx(2 * pixel_std(pictures).item())


def test_pixel_std_of_a_single_image_is_its_contrast() -> None:
    assert pixel_std(torch.full((1, 3, 32, 32), 0.3)) == pytest.approx(1e-6)
    assert pixel_std(torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))) == pytest.approx(
        1, rel=0.05
    )
