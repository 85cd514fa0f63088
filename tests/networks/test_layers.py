import copy
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor, nn

from fixtures.operator_types import OperatorTypes
from impasto.config.registries import DISCRIMINATORS
from impasto.networks.layers import (
    ACTIVATIONS,
    DOWNS,
    NORMS,
    UPS,
    Blur,
    Convolution,
    activation,
    apply_spectral_norm,
    downsample,
    initialise,
    norm,
    pad,
    upsample,
)

SIDES = st.integers(1, 40)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_equals_torch(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    maps = (3 * torch.randn(2, 7, 9, 5) + 1).to(memory_format=layout)
    expected = nn.InstanceNorm2d(7)(maps)
    torch.testing.assert_close(norm("instance", 7)(maps), expected)


@pytest.mark.parametrize("name", ["instance", "instance-affine"])
@pytest.mark.parametrize("batch", [1, 3])
def test_gradients_of_instance_norm_equal_torchs(name: str, batch: int) -> None:
    torch.manual_seed(0)
    ours, theirs = norm(name, 4), nn.InstanceNorm2d(4, affine=name == "instance-affine")
    given = torch.randn(batch, 4, 5, 6, dtype=torch.float64).to(memory_format=torch.channels_last)
    found = []
    for layer in (ours.double(), theirs.double()):
        maps = given.clone().requires_grad_()
        (first,) = torch.autograd.grad(layer(maps).pow(3).sum(), maps, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), maps)
        found.append((first.detach(), second))
    assert ours(given).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found[0], found[1])


def test_instance_norm_of_one_pixel_is_zero() -> None:
    maps = torch.randn(2, 3, 1, 1).to(memory_format=torch.channels_last)
    torch.testing.assert_close(norm("instance", 3)(maps), torch.zeros_like(maps), atol=1e-3, rtol=0)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate"])
def test_a_convolution_pads_in_the_type_of_its_input(mode: Literal["zeros", "reflect", "replicate"]) -> None:
    torch.manual_seed(0)
    ours = Convolution(3, 4, 3, padding=1, padding_mode=mode)
    theirs = nn.Conv2d(3, 4, 3, padding=1, padding_mode=mode)
    theirs.load_state_dict(ours.state_dict())
    maps = torch.randn(2, 3, 6, 5).bfloat16()
    with torch.autocast("cpu"), OperatorTypes() as types:
        assert torch.equal(ours(maps), theirs(maps))
    pads = [found for name, found in types.found if "pad2d" in name]
    assert pads == ([] if mode == "zeros" else [torch.bfloat16, torch.float32])


@given(channels=st.integers(1, 600))
def test_group_norm_takes_any_number_of_channels(channels: int) -> None:
    groups = norm("group", channels).num_groups
    assert isinstance(groups, int) and groups <= 32
    assert groups == 1 or channels // groups >= 4
    assert norm("group", channels)(torch.randn(1, channels, 2, 2)).isfinite().all()


def test_group_norm_has_32_groups_where_possible() -> None:
    assert [norm("group", channels).num_groups for channels in (128, 256, 512)] == [32, 32, 32]


def test_none_is_the_identity_and_batch_norm_normalises_over_the_batch() -> None:
    maps = torch.randn(4, 5, 3, 3)
    assert torch.equal(norm("none", 5)(maps), maps)
    torch.testing.assert_close(norm("batch", 5)(maps).mean(dim=(0, 2, 3)), torch.zeros(5), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("leaky", lambda x: torch.where(x > 0, x, 0.2 * x)),
        ("silu", lambda x: x * x.sigmoid()),
        ("gelu", lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5))),
        ("elu", lambda x: torch.where(x > 0, x, x.exp() - 1)),
        ("tanh", torch.tanh),
    ],
)
def test_activations_equal_their_formulas(name: str, expected: Callable[[Tensor], Tensor]) -> None:
    x = torch.linspace(-3, 3, 101)
    torch.testing.assert_close(activation(name)(x.clone()), expected(x))


def test_every_name_builds_a_layer() -> None:
    maps = torch.randn(2, 8, 6, 6)
    for name in NORMS:
        assert norm(name, 8)(maps).shape == maps.shape
    for name in ACTIVATIONS:
        assert activation(name)(maps.clone()).shape == maps.shape
    assert set(DOWNS) == {"stride", "blur", "mirrored-blur"}
    assert set(UPS) == {"transpose", "nearest", "bilinear", "blur"}


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: norm("layer", 3), NORMS),
        (lambda: activation("mish"), ACTIVATIONS),
        (lambda: downsample("max", 3, 3), DOWNS),
        (lambda: upsample("shuffle", 3, 3), UPS),
    ],
)
def test_the_error_for_an_unknown_name_lists_the_known_ones(
    make: Callable[[], nn.Module], names: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=", ".join(names)):
        make()


@given(height=SIDES, width=SIDES)
def test_the_blur_is_a_subsampled_binomial_filter(height: int, width: int) -> None:
    maps = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = ndimage.convolve(maps.astype(np.float64), kernel, mode="nearest")[::2, ::2]
    blurred = Blur()(torch.from_numpy(maps)[None, None].expand(2, 3, -1, -1))
    assert blurred.shape == (2, 3, *expected.shape)
    np.testing.assert_allclose(blurred[1, 2].numpy(), expected, atol=1e-6)


def test_the_blur_removes_a_checkerboard() -> None:
    board = 1 - 2 * (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).float()
    blurred = Blur()(board[None, None])[..., 1:, 1:]
    assert blurred.abs().max() < 1e-6
    assert board[::2, ::2].min() == 1  # subsampling without the filter would alias it to a constant


def test_the_activation_is_before_the_blur() -> None:
    relu = nn.ReLU()
    assert [type(layer) for layer in downsample("blur", 3, 4, relu)] == [nn.Conv2d, nn.ReLU, Blur]
    assert [type(layer) for layer in downsample("stride", 3, 4, relu)] == [nn.Conv2d, nn.ReLU]


@given(height=SIDES, width=SIDES)
def test_downsampling_halves_and_upsampling_doubles_any_size(height: int, width: int) -> None:
    maps = torch.randn(1, 2, height, width)
    for name in DOWNS:
        assert downsample(name, 2, 3)(maps).shape == (1, 3, (height + 1) // 2, (width + 1) // 2)
    for name in UPS:
        assert upsample(name, 2, 3)(maps).shape == (1, 3, 2 * height, 2 * width)


@given(height=SIDES, width=SIDES)
def test_the_antialiased_upsampling_of_cut_is_bilinear(height: int, width: int) -> None:
    """Zeros between the pixels and a convolution with [1, 3, 3, 1] ⊗ [1, 3, 3, 1] / 16, with replication padding."""
    maps = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 1, height, width)).astype(np.float32))
    row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    continued = F.pad(maps, (1, 1, 1, 1), "replicate")
    expected = F.conv_transpose2d(continued, torch.outer(row, row)[None, None], stride=2, padding=3)
    for name in ("blur", "bilinear"):
        torch.testing.assert_close(upsample(name, 1, 1)[0](maps), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "checkerboard"), [("transpose", True), ("nearest", False), ("bilinear", False)])
def test_only_transposed_convolutions_cause_checkerboard_artefacts(name: str, checkerboard: bool) -> None:
    torch.manual_seed(0)
    inner = upsample(name, 4, 4)(torch.ones(1, 4, 8, 8))[..., 2:-2, 2:-2]
    assert (inner.std(dim=(2, 3)).max() > 0.01) == checkerboard


@given(height=SIDES, width=SIDES, multiple=st.sampled_from([1, 2, 4, 8]), times=st.integers(1, 4))
def test_padding_replicates_the_last_pixels(height: int, width: int, multiple: int, times: int) -> None:
    pictures = torch.randn(2, 3, height, width)
    padded = pad(pictures, multiple, multiple * times)
    for side, before in zip(padded.shape[2:], (height, width), strict=True):
        assert side % multiple == 0 and side >= multiple * times
        assert side - before < multiple or side == multiple * times
    rows = torch.arange(padded.shape[2]).clamp(max=height - 1)
    columns = torch.arange(padded.shape[3]).clamp(max=width - 1)
    assert torch.equal(padded, pictures[:, :, rows][..., columns])


def test_images_of_a_valid_size_are_not_copied() -> None:
    pictures = torch.randn(1, 3, 8, 12)
    assert pad(pictures, 4, 8) is pictures


def test_initial_weights_are_normal_and_biases_zero() -> None:
    torch.manual_seed(0)
    layers, scales = [nn.Conv2d(32, 64, 3), nn.ConvTranspose2d(64, 32, 3), nn.Linear(64, 200)], nn.BatchNorm2d(5000)
    initialise(nn.Sequential(*layers, scales), 0.05)
    for layer in layers:
        weight, bias = layer.parameters()
        assert weight.std().item() == pytest.approx(0.05, rel=0.05)
        assert not bias.any()
    assert scales.weight.mean().item() == pytest.approx(1, abs=0.01)
    assert scales.weight.std().item() == pytest.approx(0.05, rel=0.1)


def test_the_power_iteration_of_spectral_normalisation_is_without_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocast of CUDA would compute it in bfloat16; that of the CPU does not, so the mode itself is observed."""
    modes: list[bool] = []
    iterate = torch.mv

    def observed(matrix: Tensor, vector: Tensor) -> Tensor:
        modes.append(torch.is_autocast_enabled("cpu"))
        return iterate(matrix, vector)

    networks = [DISCRIMINATORS["projected"](width=4, pixels=4), nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(30, 4))]
    apply_spectral_norm(networks[1])
    monkeypatch.setattr(torch, "mv", observed)
    for network in networks:
        with torch.autocast("cpu", torch.bfloat16):
            network(torch.rand(1, 3, 32, 32))
        assert modes and not any(modes)
        modes.clear()


def test_spectral_normalisation_gives_every_layer_spectral_norm_one_also_in_copies() -> None:
    torch.manual_seed(0)

    def make() -> nn.Sequential:
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 4, 5))
        initialise(network, 1.0)
        apply_spectral_norm(network)
        return network

    network, pictures = make(), torch.randn(2, 3, 4, 4)
    for _ in range(20):
        network(pictures)
    network.eval()
    for layer in (network[0], network[2]):
        weight = layer.weight
        assert isinstance(weight, Tensor)
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.01)
    loaded = make()
    loaded.load_state_dict(network.state_dict())
    for other in (loaded.eval(), copy.deepcopy(network)):
        assert torch.equal(other(pictures), network(pictures))
