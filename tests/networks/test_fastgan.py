import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.networks.fastgan import Discriminator, Generator, Glu

#: (size, width), from maps without a gate to several gates, and at the smallest number of channels.
ARCHITECTURES = [(32, 8), (64, 2), (64, 12), (128, 4), (256, 4)]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(count: int, size: int) -> Tensor:
    """Smooth images in −1…1."""
    coarse = torch.rand(count, 3, 4, 4, generator=rng(1)) * 2 - 1
    return F.interpolate(coarse, (size, size), mode="bicubic").clamp(-1, 1)


def randomised(network: nn.Module) -> dict[str, Tensor]:
    """Draw all parameters and statistics anew, in float64, and return the state dict for evaluation mode."""
    network.double().eval()
    for number, (name, value) in enumerate(network.state_dict(keep_vars=True).items()):
        if not value.is_floating_point():
            continue
        drawn = torch.randn(value.shape, generator=rng(number), dtype=torch.float64)
        if name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
            drawn = 0.5 + drawn.abs()
        elif value.ndim > 1:
            drawn = drawn / value[0].numel() ** 0.5
        value.data.copy_(drawn)
    return network.state_dict()


# The forward pass, written from the paper's text (sections 3.1 and 3.2, figures 3 and 4) on the state dict alone, with
# the networks in evaluation mode.


def convolution(maps: Tensor, weight: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """A convolution as one matrix product over patches."""
    out, _, side, _ = weight.shape
    patches = F.pad(maps, (padding,) * 4).unfold(2, side, stride).unfold(3, side, stride)  # (B, C, h, w, side, side)
    return torch.einsum("bchwij,ocij->bohw", patches, weight.reshape(out, -1, side, side))


def batch_norm(state: dict[str, Tensor], name: str, maps: Tensor) -> Tensor:
    mean, variance, scale, shift = (
        state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (maps - mean) / (variance + 1e-5).sqrt() * scale + shift


def gated_linear_unit(maps: Tensor) -> Tensor:
    half = maps.shape[1] // 2
    return maps[:, :half] * torch.sigmoid(maps[:, half:])


def leaky(maps: Tensor, slope: float = 0.2) -> Tensor:
    return torch.where(maps > 0, maps, slope * maps)


def repeated(maps: Tensor) -> Tensor:
    """Nearest-neighbour upsampling by 2."""
    return maps.repeat_interleave(2, 2).repeat_interleave(2, 3)


def halved(maps: Tensor) -> Tensor:
    rows = (maps[..., ::2, :] + maps[..., 1::2, :]) / 2
    return (rows[..., ::2] + rows[..., 1::2]) / 2


def excitation(state: dict[str, Tensor], name: str, small: Tensor, large: Tensor) -> Tensor:
    """Equation 1."""
    cell = small.shape[-1] // 4
    squeezed = small.unflatten(2, (4, cell)).unflatten(4, (4, cell)).mean((3, 5))
    hidden = torch.einsum("bcij,ocij->bo", squeezed, state[f"{name}.gate.1.weight"]) + state[f"{name}.gate.1.bias"]
    hidden = leaky(hidden, 0.1) @ state[f"{name}.gate.3.weight"][:, :, 0, 0].T + state[f"{name}.gate.3.bias"]
    return large * torch.sigmoid(hidden)[:, :, None, None]


def reference_generator(
    state: dict[str, Tensor], latents: Tensor, size: int, gating: dict[int, Tensor] | None = None
) -> tuple[Tensor, dict[int, Tensor]]:
    """Images and the maps of every side."""
    first = torch.einsum("bl,lcij->bcij", latents, state["begin.0.weight"])
    maps = {4: gated_linear_unit(batch_norm(state, "begin.1", first))}
    side, number = 4, 0
    while side < size:
        name = f"grow.{2 * side}"
        hidden = repeated(maps[side])
        for index in (1, 4) if number % 2 else (1,):  # one convolution, then two, in turn
            hidden = convolution(hidden, state[f"{name}.{index}.weight"], padding=1)
            hidden = gated_linear_unit(batch_norm(state, f"{name}.{index + 1}", hidden))
        side, number = 2 * side, number + 1
        if side >= 64:  # 4² gates 64², 8² gates 128², 16² gates 256²
            hidden = excitation(state, f"gates.{side}", (gating or maps)[side // 16], hidden)
        maps[side] = hidden
    return torch.tanh(convolution(maps[size], state["finish.weight"], padding=1)), maps


def normalised(state: dict[str, Tensor], name: str) -> Tensor:
    """A weight divided by its spectral norm, by the stored singular vectors."""
    weight = state[f"{name}.parametrizations.weight.original"]
    u, v = (state[f"{name}.parametrizations.weight.0._{each}"] for each in "uv")
    return weight / torch.einsum("i,ij,j->", u, weight.flatten(1), v)


def reference_maps(state: dict[str, Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The discriminator's maps of 16×16 and 8×8."""
    maps = [leaky(convolution(images, normalised(state, "begin.0"), 2, 1))]
    while maps[-1].shape[-1] > 8:
        name, before = f"down.{len(maps) - 1}", maps[-1]
        sharp = convolution(before, normalised(state, f"{name}.sharp.0"), 2, 1)
        sharp = leaky(batch_norm(state, f"{name}.sharp.1", sharp))
        sharp = convolution(sharp, normalised(state, f"{name}.sharp.3"), 1, 1)
        sharp = leaky(batch_norm(state, f"{name}.sharp.4", sharp))
        smooth = convolution(halved(before), normalised(state, f"{name}.smooth.1"))
        smooth = leaky(batch_norm(state, f"{name}.smooth.2", smooth))
        maps.append((sharp + smooth) / 2)
    return maps[-2], maps[-1]


def reference_logits(state: dict[str, Tensor], maps: Tensor) -> Tensor:
    hidden = leaky(batch_norm(state, "head.1", convolution(maps, normalised(state, "head.0"))))
    return convolution(hidden, normalised(state, "head.3"))[:, 0]


def reference_decoder(state: dict[str, Tensor], name: str, maps: Tensor, side: int) -> Tensor:
    level = 0
    while maps.shape[-1] < side:
        maps = convolution(repeated(maps), normalised(state, f"{name}.{level}.1"), 1, 1)
        maps = gated_linear_unit(batch_norm(state, f"{name}.{level}.2", maps))
        level += 1
    return torch.tanh(convolution(maps, normalised(state, f"{name}.{level}"), 1, 1))


def l1(one: Tensor, other: Tensor) -> Tensor:
    return (one.float() - other.float()).abs().mean()


@pytest.mark.parametrize(("size", "width"), ARCHITECTURES)
def test_the_generator_equals_a_second_implementation(size: int, width: int) -> None:
    network = Generator(size, 16, width)
    state, (latents, others) = randomised(network), torch.randn(2, 2, 16, generator=rng(), dtype=torch.float64)
    with torch.no_grad():
        images, maps = reference_generator(state, latents, size)
        assert images.std() > 1e-2
        torch.testing.assert_close(network(latents), images, rtol=1e-10, atol=1e-12)
        mixed, _ = reference_generator(state, others, size, maps)
        torch.testing.assert_close(network.mix(others, latents), mixed, rtol=1e-10, atol=1e-12)
    assert torch.allclose(mixed, images) is False


@pytest.mark.parametrize(("size", "width"), ARCHITECTURES)
def test_the_discriminator_equals_a_second_implementation(size: int, width: int) -> None:
    """Logits and the autoencoder loss on the whole image and on a quarter of it."""
    network = Discriminator(size, width)
    state, images = randomised(network), torch.rand(2, 3, size, size, generator=rng(), dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        larger, smaller = reference_maps(state, images)
        logits = reference_logits(state, smaller)
        assert logits.shape == (2, 5, 5) and logits.std() > 1e-3
        torch.testing.assert_close(network(images), logits, rtol=1e-10, atol=1e-12)
        side, stride = min(size // 2, 128), size // 16
        for seed in range(3):
            row, column = torch.randint(9, (2,), generator=rng(seed)).tolist()
            quarter = images[..., row * stride :, column * stride :][..., : size // 2, : size // 2]
            seen = larger[..., row : row + 8, column : column + 8]
            loss = l1(reference_decoder(state, "image_decoder", smaller, side), F.adaptive_avg_pool2d(images, side))
            loss = loss + l1(reference_decoder(state, "crop_decoder", seen, side), F.adaptive_avg_pool2d(quarter, side))
            found, reconstruction = network.reconstruct(images, rng(seed))
            torch.testing.assert_close(found, logits, rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(reconstruction, loss, rtol=1e-6, atol=0)  # in float32


def test_gradients_equal_finite_differences() -> None:
    generator, discriminator = Generator(32, 4, 2), Discriminator(32, 2)
    randomised(generator)
    randomised(discriminator)
    latents = torch.randn(1, 4, generator=rng(), dtype=torch.float64).requires_grad_()
    images = (torch.rand(1, 3, 32, 32, generator=rng(), dtype=torch.float64) * 2 - 1).requires_grad_()
    assert torch.autograd.gradcheck(generator, latents, fast_mode=True)
    assert torch.autograd.gradcheck(discriminator, images, fast_mode=True)


def test_the_gated_linear_unit_equals_torchs_and_keeps_channels_last() -> None:
    torch.manual_seed(0)
    given = torch.randn(2, 6, 5, 4).to(memory_format=torch.channels_last)
    found = []
    for unit in (Glu(), nn.GLU(dim=1)):
        maps = given.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(unit(maps).pow(2).sum(), maps)
        found.append((unit(given), gradient))
    torch.testing.assert_close(found[0], found[1])
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in found[0])


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_the_discriminator_takes_images_of_the_generators_size(size: int) -> None:
    images = Generator(size, 32, 8)(torch.randn(2, 32))
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert Discriminator(size, 8)(images).shape == (2, 5, 5)


def test_the_generator_has_as_many_parameters_as_the_papers() -> None:
    """Without noise: 4×4 from the latent, then one convolution for each resolution and a second for every other."""
    width = {4: 1024, 8: 512, 16: 256, 32: 128, 64: 128, 128: 64, 256: 32}
    expected = 256 * 2 * width[4] * 16 + 4 * width[4]
    sides = list(width)
    for number, (before, after) in enumerate(pairwise(sides)):
        inputs = [width[before]] + ([width[after]] if number % 2 else [])
        expected += sum(9 * into * 2 * width[after] + 4 * width[after] for into in inputs)
    for small, large in ((4, 64), (8, 128), (16, 256)):
        expected += 16 * width[small] * width[large] + width[large] + width[large] ** 2 + width[large]
    expected += 27 * width[256]
    assert sum(p.numel() for p in Generator(256, 256, 64).parameters()) == expected


def test_a_latent_reaches_large_maps_through_the_gates_alone() -> None:
    """With constant outputs of all convolutions above 4×4, images of different latents still differ."""
    torch.manual_seed(0)
    network = Generator(64, 16, 8).eval()
    with torch.no_grad():
        for name in ("8", "16", "32", "64"):
            for layer in network.grow[name].modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.weight.zero_()
                    layer.bias.fill_(1.0)
        gate: Any = network.gates["64"]
        gate.gate[3].weight.mul_(1000)
        one, other = network(torch.randn(2, 16) * 100)
    assert not torch.equal(one, other)


def test_the_discriminator_is_trained_to_reconstruct_images() -> None:
    torch.manual_seed(0)
    network, images = Discriminator(64, 8), blobs(8, 64)
    assert network.reconstruction_side == 32
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for step in range(60):
        logits, loss = network.reconstruct(images, rng(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert logits.shape == (8, 5, 5)


def test_the_crop_of_the_image_is_at_the_position_of_the_crop_of_the_map() -> None:
    """With maps that are downscaled images, decoders that are the identity have no error, wherever the crop is."""
    network, images = Discriminator(64, 8), blobs(2, 64)
    network.reconstruction_side = 8
    network._maps = lambda images: (F.avg_pool2d(images, 4), F.avg_pool2d(images, 8))  # type: ignore[method-assign]
    network.image_decoder = network.crop_decoder = nn.Identity()  # type: ignore[assignment]
    network.head = nn.Flatten()  # type: ignore[assignment]
    for seed in range(10):
        assert network.reconstruct(images, rng(seed))[1] < 1e-6


def test_checkpoints_with_earlier_names_of_head_and_decoders_load() -> None:
    torch.manual_seed(0)
    saved, images = Discriminator(32, 8).eval(), blobs(2, 32)
    earlier = {"head.": "judge.", "image_decoder.": "whole.", "crop_decoder.": "part."}
    state = {}
    for name, value in saved.state_dict().items():
        (new,) = [each for each in earlier if name.startswith(each)] or [""]
        state[earlier.get(new, "") + name.removeprefix(new)] = value
    assert {"judge.0.parametrizations.weight.original", "whole.0.1.parametrizations.weight.original"} <= state.keys()
    loaded, within = Discriminator(32, 8).eval(), nn.Sequential(Discriminator(32, 8)).eval()
    loaded.load_state_dict(copy.deepcopy(state))
    within.load_state_dict({f"0.{name}": value for name, value in state.items()})
    with torch.no_grad():
        for one, other in zip(loaded.reconstruct(images, rng()), saved.reconstruct(images, rng()), strict=True):
            assert torch.equal(one, other)
        assert torch.equal(within(images), saved(images))
