import pytest
import torch

from fixtures.tiny import noise
from impasto.methods.adversarial import spread


def test_pictures_all_alike_have_no_spread_and_others_the_deviation_of_a_pixel() -> None:
    one = noise(1, 3, 32, 32)
    assert spread(one.repeat(4, 1, 1, 1)) == pytest.approx(1e-6)
    pictures = torch.randn(4000, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.25
    assert spread(pictures) == pytest.approx(0.25, rel=0.02)
    assert spread(pictures * 2) == pytest.approx(2 * spread(pictures).item())


def test_a_single_picture_has_its_contrast_to_tell() -> None:
    assert spread(torch.full((1, 3, 32, 32), 0.3)) == pytest.approx(1e-6)
    assert spread(torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))) == pytest.approx(1, rel=0.05)
