import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks.edsr import STRIDE, Generator


def generator(width: int = 8, body: int = 16, blocks: int = 2) -> Generator:
    """With a last layer as strong as the others, so that its painting is more than the softened photo."""
    torch.manual_seed(0)
    network = Generator(width, body, blocks)
    nn.init.normal_(network.paint.weight, 0, 0.1)
    return network.eval()


def noiseless(network: Generator) -> Generator:
    for strength in network.grain:
        nn.init.zeros_(strength)
    return network


def photos(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def spectrum(pictures: Tensor) -> Tensor:
    """The power of (N, H, W), averaged over N."""
    power: Tensor = torch.fft.fft2(pictures).abs().square().mean(0)
    return power


@settings(max_examples=15)
@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_a_photo_of_any_size_comes_back_painted(height: int, width: int) -> None:
    with torch.no_grad():
        painted = generator(4, 4, 2)(photos(2, 3, height, width))
    assert painted.shape == (2, 3, height, width) and painted.isfinite().all() and painted.abs().max() < 1


def test_at_the_start_it_paints_the_softened_photo() -> None:
    """What is finer than four pixels is gone, what is coarser is there; also at its very white and black."""
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
def test_a_border_is_painted_like_the_rest(colour: float) -> None:
    """A picture of one colour stays one, up to its border: nothing tells where that is. Noise aside."""
    network = noiseless(generator())
    with torch.no_grad():
        painted = network(torch.full((1, 3, 45, 38), colour))
    assert painted.std((2, 3)).max() < 1e-5
    assert (painted[..., 20, 20] - 0.98 * colour).abs().max() > 1e-3  # not the photo itself


def test_in_a_flat_sky_its_strokes_are_noise_and_no_pattern() -> None:
    """No frequency stands out, least of all those of the up-samplings."""
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


def test_in_training_its_noise_is_new_at_each_step_and_after_that_the_same_for_every_picture() -> None:
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


def test_far_parts_of_a_picture_do_not_change_each_other() -> None:
    """Nothing is normalised over the picture: a corner matters as far as the convolutions see, and no farther."""
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


def test_a_moved_picture_is_painted_the_same_where_it_is_the_same() -> None:
    """By whole strides, away from the borders, noise aside: so it could be painted in tiles."""
    network, photo = noiseless(generator()), photos(1, 3, 136, 136)
    with torch.no_grad():
        whole, part = network(photo), network(photo[..., 8:, 12:])
    torch.testing.assert_close(whole[..., 8:, 12:][..., 60:, 60:], part[..., 60:, 60:], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("blocks", "maps"), [(2, 2), (4, 3), (8, 3)])
def test_its_features_are_those_of_its_body_a_quarter_as_large(blocks: int, maps: int) -> None:
    network, pictures = generator(blocks=blocks), photos(2, 3, 32, 40)
    features = network.features(pictures)
    assert [each.shape for each in features] == [(2, 16, 10, 12)] * maps
    assert len({each.sum().item() for each in features}) == maps
    again = network.train().features(pictures)
    assert all(torch.equal(one, other) for one, other in zip(features, again, strict=True)), "noise comes later"


def test_a_gradient_reaches_the_photo_through_features_and_painting() -> None:
    network = generator()
    for result in (lambda x: network(x), lambda x: torch.cat(network.features(x))):
        pictures = photos(1, 3, 16, 16).requires_grad_()
        result(pictures).square().mean().backward()
        assert pictures.grad is not None and (pictures.grad != 0).all()


def test_channels_last_and_bf16_paint_the_same() -> None:
    network, pictures = generator(), F.avg_pool2d(photos(1, 3, 96, 96), 4)
    with torch.no_grad():
        exact = network(pictures)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.testing.assert_close(network(pictures), exact, atol=1e-5, rtol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            assert (network(pictures).float() - exact).abs().max() < 0.05
