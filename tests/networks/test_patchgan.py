from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks.layers import NORMS
from impasto.networks.patchgan import Discriminator


def discriminator(
    *, width: int = 4, max_width: int = 8, layers: int = 3, norm: Any = "none", spectral: bool = False
) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(width, max_width, layers, norm, spectral, 0.2, 0.2)


def photos(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_the_receptive_field_of_a_logit_is_that_of_the_paper(layers: int, patch: int) -> None:
    pictures = photos(1, 3, 256, 256).requires_grad_()
    logits = discriminator(layers=layers)(pictures)
    logits[0, logits.shape[1] // 2, logits.shape[2] // 2].backward()
    assert pictures.grad is not None
    rows, columns = torch.nonzero(pictures.grad[0].abs().sum(0), as_tuple=True)
    assert rows.max() - rows.min() + 1 == patch
    assert columns.max() - columns.min() + 1 == patch


def test_the_70_pixel_discriminator_has_the_parameters_of_pix2pix_and_30_by_30_logits() -> None:
    """CycleGAN's 2,764,737 without the 896 biases before instance norms, which have no effect."""
    with torch.device("meta"):
        network = discriminator(width=64, max_width=512, norm="instance")
        assert network(torch.empty(1, 3, 256, 256)).shape == (1, 30, 30)
    assert sum(p.numel() for p in network.parameters()) == 2_764_737 - 896


@settings(max_examples=25)
@given(height=st.integers(1, 80), width=st.integers(1, 80), layers=st.integers(1, 4), norm=st.sampled_from(NORMS))
def test_small_and_odd_sizes_have_at_least_one_logit(height: int, width: int, layers: int, norm: str) -> None:
    logits = discriminator(layers=layers, norm=norm)(photos(1, 3, height, width))
    assert logits.ndim == 3 and logits.numel() and logits.isfinite().all()


def test_logits_are_local() -> None:
    network = discriminator(layers=2)
    pictures = photos(1, 3, 64, 64)
    changed = pictures.clone()
    changed[..., :8, :8] += 1
    changed_logits = (network(changed) - network(pictures))[0] != 0
    assert changed_logits[0, 0] and not changed_logits[-1].any() and not changed_logits[:, -1].any()


def test_spectral_normalisation_bounds_the_norm_of_every_convolution() -> None:
    plain, bound = discriminator(), discriminator(spectral=True)
    for _ in range(20):
        bound(photos(1, 3, 32, 32))
    norms = [
        [
            torch.linalg.matrix_norm(m.weight.flatten(1), 2).item()
            for m in d.eval().modules()
            if isinstance(m, nn.Conv2d)
        ]
        for d in (plain, bound)
    ]
    assert len(norms[1]) == 5
    assert norms[1] == pytest.approx([1] * 5, abs=0.02)
    assert min(norms[0]) > 1.1
