import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks.edsr import STRIDE, Generator


def generator(width: int = 8, body: int = 16, blocks: int = 2) -> Generator:
    """With a last layer of larger weights, so that the output is more than the blurred photo."""
    torch.manual_seed(0)
    network = Generator(width, body, blocks)
    nn.init.normal_(network.paint.weight, 0, 0.1)
    return network.eval()


def without_noise(network: Generator) -> Generator:
    for strength in network.grain:
        nn.init.zeros_(strength)
    return network


def photos(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def spectrum(pictures: Tensor) -> Tensor:
    """Return the power spectrum (H, W) of images (N, H, W), averaged over N."""
    power: Tensor = torch.fft.fft2(pictures).abs().square().mean(0)
    return power


@settings(max_examples=15)
@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_the_output_has_the_size_of_the_input(height: int, width: int) -> None:
    with torch.no_grad():
        painted = generator(4, 4, 2)(photos(2, 3, height, width))
    assert painted.shape == (2, 3, height, width) and painted.isfinite().all() and painted.abs().max() < 1


def test_the_initial_output_is_the_blurred_photo() -> None:
    """Detail finer than four pixels is removed and coarser structure preserved, also at pure white and black."""
    torch.manual_seed(0)
    network = Generator(8, 16, 4).eval()
    fine = torch.tensor([[1.0, 1.0, -1.0, -1.0]]) * torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    board = fine.repeat(8, 8).expand(1, 3, 32, 32)
    slope = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    with torch.no_grad():
        assert network(board)[..., 4:-4, 4:-4].abs().max() < 0.02
        painted = network(slope)
    torch.testing.assert_close(painted, 0.98 * slope, atol=0.12, rtol=0)
    assert painted.isfinite().all()


@pytest.mark.parametrize("colour", [-1.0, -0.4, 0.7])
def test_the_border_of_a_constant_image_looks_like_its_interior(colour: float) -> None:
    """Without noise the output is constant: no layer depends on where the border is."""
    network = without_noise(generator())
    with torch.no_grad():
        painted = network(torch.full((1, 3, 45, 38), colour))
    assert painted.std((2, 3)).max() < 1e-5
    assert (painted[..., 20, 20] - 0.98 * colour).abs().max() > 1e-3  # the network changes the photo


def test_texture_on_a_constant_image_is_not_periodic() -> None:
    """The spectrum has no peaks at the frequencies of the upsampling layers."""
    with torch.no_grad():
        painted = generator()(torch.full((1, 3, 256, 256), 0.2))[:, :, 64:192, 64:192]
    deviation = painted[0] - painted[0].mean((1, 2), keepdim=True)
    assert deviation.std() > 1e-3
    window = torch.hann_window(32)
    tiles = deviation.unfold(1, 32, 16).unfold(2, 32, 16).reshape(-1, 32, 32) * window[:, None] * window
    power = spectrum(tiles)
    for across, down in ((8, 0), (0, 8), (8, 8), (16, 0), (0, 16), (16, 16)):
        around = power.roll((2 - down, 2 - across), (0, 1))[:5, :5].clone()
        around[2, 2] = float("nan")
        assert power[down, across] < 3 * around.nanmedian()


def test_noise_is_random_in_training_mode_and_fixed_in_evaluation_mode() -> None:
    network, one = generator(), photos(1, 3, 24, 24)
    with torch.no_grad():
        assert torch.equal(network(one), network(one))
        torch.testing.assert_close(network(one.repeat(3, 1, 1, 1)), network(one).expand(3, 3, 24, 24))
        network.train()
        first, second = network(one.repeat(2, 1, 1, 1))
        assert not torch.allclose(first, second, atol=1e-3)
        torch.manual_seed(3)
        drawn = network(one)
        torch.manual_seed(3)
        assert torch.equal(network(one), drawn) and not torch.equal(network(one), drawn)


def test_the_receptive_field_is_bounded() -> None:
    """There is no normalisation over positions, so a change in a corner has no effect far away."""
    network = generator(blocks=2)
    photo = photos(1, 3, 160, 160)
    other = photo.clone()
    other[..., :16, :16] *= -1
    with torch.no_grad():
        changed = (network(photo) - network(other)).abs().amax((0, 1))
    # At a quarter of the size: two convolutions a block, those on the way down and up; each sees one pixel further.
    reach = 16 + STRIDE * (2 * 2 + 6) + 8
    assert reach < 80 and changed[:16, :16].max() > 0.1
    assert changed[reach:].max() == changed[:, reach:].max() == 0


def test_the_network_commutes_with_shifts_by_its_stride() -> None:
    """Away from the borders and without noise, so that images can be translated in tiles."""
    network, photo = without_noise(generator()), photos(1, 3, 136, 136)
    with torch.no_grad():
        whole, part = network(photo), network(photo[..., 8:, 12:])
    torch.testing.assert_close(whole[..., 8:, 12:][..., 60:, 60:], part[..., 60:, 60:], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("blocks", "maps"), [(2, 2), (4, 3), (8, 3)])
def test_features_are_maps_of_the_body_at_a_quarter_of_the_size(blocks: int, maps: int) -> None:
    network, pictures = generator(blocks=blocks), photos(2, 3, 32, 40)
    features = network.features(pictures)
    assert [each.shape for each in features] == [(2, 16, 10, 12)] * maps
    assert len({each.sum().item() for each in features}) == maps
    again = network.train().features(pictures)
    assert all(torch.equal(one, other) for one, other in zip(features, again, strict=True)), "noise is added later"


def test_gradients_reach_the_photo_through_features_and_output() -> None:
    network = generator()
    for result in (lambda x: network(x), lambda x: torch.cat(network.features(x))):
        pictures = photos(1, 3, 16, 16).requires_grad_()
        result(pictures).square().mean().backward()
        assert pictures.grad is not None and (pictures.grad != 0).all()


def test_channels_last_and_bf16_give_about_the_same_output() -> None:
    network, pictures = generator(), F.avg_pool2d(photos(1, 3, 96, 96), 4)
    with torch.no_grad():
        exact = network(pictures)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.testing.assert_close(network(pictures), exact, atol=1e-5, rtol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            assert (network(pictures).float() - exact).abs().max() < 0.05
