"""Networks with operations that have no tiled implementation still give the same image in tiles."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fixtures.image_source import ImageSource
from impasto.errors import ImpastoError
from impasto.inference.photo import TooLargeError
from impasto.inference.tiling import executor
from impasto.inference.tiling.executor import TiledNetwork

CPU = torch.device("cpu")


class ToyGenerator(nn.Module):
    """Instance normalisation, squeeze-and-excitation gating, self-attention (as SAGAN) and sub-pixel convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down = nn.Conv2d(3, 8, 4, 2, 1)
        self.norm = nn.InstanceNorm2d(8, affine=True)
        self.gate = nn.Conv2d(8, 8, 1)
        self.query, self.key, self.value = (nn.Conv2d(8, width, 1) for width in (4, 4, 8))
        self.up = nn.Conv2d(8, 12, 3, padding=1)
        self.gamma = nn.Parameter(torch.tensor(0.7))

    def forward(self, image: Tensor) -> Tensor:
        _, _, height, width = image.shape
        maps = F.relu(self.norm(self.down(F.pad(image, (0, width % 2, 0, height % 2)))), inplace=True)
        maps = maps * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(maps, 1)))
        query, key, value = (layer(maps).flatten(2) for layer in (self.query, self.key, self.value))
        attention = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # (1, HW, HW)
        maps = maps + self.gamma * (value @ attention.transpose(1, 2)).view(maps.shape)
        return torch.tanh(F.pixel_shuffle(self.up(maps), 2)[:, :, :height, :width] + image)


TOY = ToyGenerator().eval().requires_grad_(False)


def random_image(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.inference_mode()
def tiled(network: Callable[[Any], Any], image: Tensor, memory: int = 1) -> Tensor:
    output = torch.full_like(image, 9)
    for window, part in TiledNetwork(network, CPU).run(ImageSource(image), memory):
        output[..., window.top : window.bottom, window.left : window.right] = part
    return output


def assert_tiled_equals_full(network: Callable[[Any], Any], image: Tensor) -> None:
    with torch.inference_mode():
        expected = network(image.clone())
    torch.testing.assert_close(tiled(network, image), expected, rtol=0, atol=1e-5)


def test_attention_gating_and_pixel_shuffle_give_the_same_image_in_tiles() -> None:
    with torch.inference_mode():
        assert TOY(random_image(80, 70)).std() > 0.3
    assert_tiled_equals_full(TOY, random_image(80, 70))


@settings(max_examples=25)
@given(height=st.integers(4, 75), width=st.integers(4, 75), side=st.sampled_from([8, 17, 32]))
def test_attention_gating_and_pixel_shuffle_do_so_for_any_image_and_window_size(
    height: int, width: int, side: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "SIDES", (side,))
        assert_tiled_equals_full(TOY, random_image(height, width))


def fold_patches(x: Tensor) -> Tensor:
    return F.fold(F.unfold(x, 3, padding=1), x.shape[2:], 3, padding=1) / 9


def in_place_on_an_alias(x: Tensor) -> Tensor:
    y = x * 2
    alias = y
    alias += x
    y.add_(0.5).clamp_(-1, 1)
    y[:, :, ::2] = 0
    return y + alias


def skip_after_fallback(x: Tensor) -> Tensor:
    y = F.conv2d(x, torch.ones(3, 3, 3, 3) / 27, padding=1)
    return torch.cumsum(y, 3) / x.shape[3] + y + x


def position_dependent_constants(x: Tensor) -> Tensor:
    rows = torch.linspace(-1, 1, x.shape[2], device=x.device)
    return x * rows[:, None] + torch.linspace(0, 1, x.shape[3])


def norm_after_fallback(x: Tensor) -> Tensor:
    y = F.group_norm(torch.flip(x, (3,)), 3)
    return F.instance_norm(y + F.instance_norm(x))


def gated_linear_unit(x: Tensor) -> Tensor:
    values, gates = torch.cat([x, x.flip(1)], 1).chunk(2, 1)
    return values * gates.sigmoid()


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "cumsum": lambda x: torch.cumsum(x, 2) / 10,
    "mean gating, Tensor methods": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid() - 1,
    "adaptive pooling and resizing": lambda x: F.interpolate(F.adaptive_avg_pool2d(x, 5), x.shape[2:], mode="bicubic"),
    "max over positions, a tuple": lambda x: x - x.flatten(2).max(dim=2)[0][:, :, None, None],
    "max over channels": lambda x: x / (1 + x.max(dim=1, keepdim=True).values.abs()),
    "softmax over channels": lambda x: torch.softmax(x, 1),
    "index with None and Ellipsis": lambda x: x[None][0] + x[..., :1],
    "boolean mask": lambda x: torch.where(x > 0, x, -x / 2),
    "masked assignment": in_place_on_an_alias,
    "unfold and fold": fold_patches,
    "zero padding": lambda x: F.pad(x, (2, 3, 1, 0))[:, :, 1:, 2:-3],
    "channel chunks (GLU)": gated_linear_unit,
    "einsum": lambda x: torch.einsum("bchw,cd->bdhw", x, torch.ones(3, 3) / 3),
    "fft": lambda x: torch.fft.ifft2(torch.fft.fft2(x) * 0.5).real,
    "anisotropic convolution": lambda x: F.conv2d(x, torch.ones(3, 3, 1, 5) / 15, padding=(0, 2)),
    "dynamic weights": lambda x: F.conv2d(x, x.mean((0, 2, 3)).diag()[..., None, None]),
    "max pooling": lambda x: F.max_pool2d(x, 3, 1, 1),
    "layer norm over channels": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (3,)).permute(0, 3, 1, 2),
    "reshape to blocks": lambda x: x.reshape(1, 3, -1).flip(2).reshape(x.shape),
    "operators": lambda x: (1 - x) / (2 + abs(x)) ** 2 - -x,
    "float64": lambda x: (x.double() * 2).float(),
    "aten operator": lambda x: torch.ops.aten.roll.default(x, [3], [2]),
    "batch statistics": lambda x: F.batch_norm(x, None, None, training=True),
    "skip connection": skip_after_fallback,
    "position-dependent constants": position_dependent_constants,
    "normalisation": norm_after_fallback,
    "a constant": lambda x: torch.ones_like(x) * 0.25,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_any_operation_gives_the_same_image_in_tiles(name: str) -> None:
    assert_tiled_equals_full(OPERATIONS[name], random_image(45, 70))


def test_known_operations_need_no_fallback(caplog: pytest.LogCaptureFixture) -> None:
    def network(x: Tensor) -> Tensor:
        y = F.silu(F.instance_norm(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), torch.ones(8, 3, 3, 3) / 27)))
        first, second = y.chunk(2, 1)
        y = torch.cat([first * second.sigmoid(), second], 1)[:, :3] * 0.5
        return torch.tanh((y + x.clone()).clamp(-1, 1))

    assert_tiled_equals_full(network, random_image(50, 60))
    assert not caplog.records


def test_a_fallback_is_logged_once_per_network(caplog: pytest.LogCaptureFixture) -> None:
    network = TiledNetwork(lambda x: torch.cumsum(torch.cumsum(x, 2), 3), CPU)
    with caplog.at_level(logging.WARNING, "impasto"), torch.inference_mode():
        for _ in range(2):
            list(network.run(ImageSource(random_image(40, 40)), 1))
    (record,) = caplog.records
    assert "'cumsum'" in record.getMessage() and "whole image" in record.getMessage()


def test_too_little_memory_for_a_whole_image_is_reported_in_one_line() -> None:
    with pytest.raises(TooLargeError, match="'repeat' needs the whole image in memory") as caught:
        tiled(lambda x: x.repeat(1, 1 << 20, 1 << 20, 1), random_image(40, 40))
    assert isinstance(caught.value, ImpastoError) and "\n" not in str(caught.value)


def test_errors_of_a_network_are_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        tiled(lambda x: x.view(7, 7), random_image(40, 40))
