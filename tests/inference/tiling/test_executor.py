"""A picture that is painted in windows is the picture that is painted at once."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.data.augment import to_float
from impasto.errors import ImpastoError
from impasto.inference.precision import optimise_network
from impasto.inference.tiling import executor
from impasto.inference.tiling.executor import paint
from impasto.inference.tiling.map_store import TensorMapStore
from impasto.inference.tiling.window import Window, partition
from impasto.networks import build_generator

CPU = torch.device("cpu")
RESNET = {"width": 8, "blocks": 2, "init_std": 0.05}
UNET = {"width": 8, "max_width": 16, "depth": 4, "dropout": 0.5, "init_std": 0.1}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "painter": ("painter", {"width": 8, "body": 8, "blocks": 2}),
    "resnet, as CycleGAN has it": (
        "resnet",
        {**RESNET, "norm": "instance", "activation": "relu", "down": "stride", "up": "transpose", "residual": False},
    ),
    "resnet, as CUT has it": (
        "resnet",
        {**RESNET, "norm": "instance", "activation": "relu", "down": "blur", "up": "blur", "residual": False},
    ),
    "resnet over the photo": (
        "resnet",
        {**RESNET, "norm": "group", "activation": "gelu", "down": "blur", "up": "nearest", "residual": True},
    ),
    "resnet, batch": (
        "resnet",
        {**RESNET, "norm": "batch", "activation": "elu", "down": "stride", "up": "bilinear", "residual": True},
    ),
    "unet": ("unet", {**UNET, "norm": "instance", "up": "transpose"}),
    "unet, batch": ("unet", {**UNET, "norm": "batch", "up": "nearest"}),
    "cnn": ("cnn", {"width": 8, "depth": 3, "activation": "silu", "norm": "instance", "init_std": 0.1}),
    "cnn, none": ("cnn", {"width": 8, "depth": 3, "activation": "tanh", "norm": "none", "init_std": 0.1}),
}


#: Those that look at the whole picture.
NORMS = ("instance", "group")


class Shown:
    """Pictures (1, 3, H, W) as a source, and which parts of them were read."""

    def __init__(self, pictures: Tensor) -> None:
        self.pictures = pictures
        self.read_places = 0

    @property
    def height(self) -> int:
        return self.pictures.shape[2]

    @property
    def width(self) -> int:
        return self.pictures.shape[3]

    def read(self, window: Window) -> Tensor:
        self.read_places += window.places
        return self.pictures[..., window.top : window.bottom, window.left : window.right]


def built(name: str) -> nn.Module:
    """A network with weights by chance, its norms' too."""
    network, settings = NETWORKS[name]
    torch.manual_seed(0)
    found = build_generator(network, **settings).eval()
    with torch.no_grad():
        for tensor in found.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
    return found


@torch.inference_mode()
def in_pieces(network: Any, pictures: Tensor, memory: int = 1) -> Tensor:
    painted = torch.full_like(pictures, 9)
    for window, part in paint(network, Shown(pictures), memory, CPU):
        there = painted[..., window.top : window.bottom, window.left : window.right]
        assert (there == 9).all(), "no place is painted twice"
        there.copy_(part)
    return painted


@pytest.mark.parametrize("name", [name for name in NETWORKS if any(norm in str(NETWORKS[name]) for norm in NORMS)])
def test_in_windows_is_as_at_once_where_maps_are_kept_in_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "impasto.inference.tiling.executor.open_store", lambda shape, dtype, *_: TensorMapStore(shape, dtype, CPU)
    )
    test_in_windows_is_as_at_once(name, 101, 70)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("height", "width"), [(101, 70), (64, 96), (130, 9)])
def test_in_windows_is_as_at_once(name: str, height: int, width: int) -> None:
    pictures = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    network = built(name)
    with torch.inference_mode():
        whole = network(pictures)
    error = (in_pieces(network, pictures) - whole).abs() * 127.5
    assert error.max() < 0.01  # grey levels
    assert whole.std() > 0.05


@pytest.mark.parametrize("name", NETWORKS)
def test_in_bfloat16_a_window_sees_what_the_whole_sees(
    name: str, monkeypatch: pytest.MonkeyPatch, paintings: Tensor
) -> None:
    """Where statistics differ in their last bit, a few roundings do too, and what follows with them."""
    monkeypatch.setattr("impasto.inference.precision.choose_precision", lambda name, device: "bf16-mixed")
    pictures = to_float(paintings[:1, :90, :70])
    network = built(name)
    quick = optimise_network(network, CPU)
    with torch.inference_mode():
        whole, exact = quick(pictures), network(pictures)
    off, noise = (in_pieces(quick, pictures) - whole).abs(), (whole - exact).abs()
    assert off.mean() <= noise.mean() and off.max() <= 2 * noise.max()


@settings(max_examples=30)
@given(height=st.integers(9, 80), width=st.integers(9, 80), side=st.sampled_from([16, 33, 64]))
def test_so_it_is_for_any_size_of_picture_and_window(height: int, width: int, side: int) -> None:
    pictures = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(executor, "SIDES", (side,))
        for network in (CYCLEGAN, PAINTER):
            torch.testing.assert_close(in_pieces(network, pictures), network(pictures), rtol=0, atol=1e-4)


CYCLEGAN, PAINTER = built("resnet, as CycleGAN has it"), built("painter")


def test_with_more_memory_the_windows_are_larger_and_less_is_computed_twice() -> None:
    pictures, places = torch.zeros(1, 3, 600, 400), []
    for memory in (10 << 20, 30 << 20, 1 << 30):
        shown = Shown(pictures)
        with torch.inference_mode():
            list(paint(PAINTER, shown, memory, CPU))
        places.append(shown.read_places / (600 * 400))
    assert places[0] > places[1] > places[2] == 1


def test_all_maps_that_are_alive_stay_within_the_memory_that_is_allowed() -> None:
    from impasto.training.memory_estimate import Account

    for network in (PAINTER, CYCLEGAN):
        for allowed in (8 << 20, 24 << 20):
            with torch.inference_mode(), Account() as account:
                for _ in paint(network, Shown(torch.zeros(1, 3, 500, 600)), allowed, CPU):
                    pass
            assert account.peak - 500 * 600 * 12 <= allowed


def test_a_full_disk_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        return Path("/dev/full").open("r+b", buffering=0)

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(ImpastoError, match="disk is full"):
        in_pieces(CYCLEGAN, torch.zeros(1, 3, 64, 64))


def test_a_network_that_does_something_else_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="cumsum"):
        in_pieces(lambda pictures: torch.cumsum(pictures, 2), torch.zeros(1, 3, 8, 8))


@given(height=st.integers(1, 300), width=st.integers(1, 300), side=st.integers(1, 100))
def test_windows_are_of_nearly_one_size(height: int, width: int, side: int) -> None:
    sizes = [(w.bottom - w.top, w.right - w.left) for w in partition(height, width, side)]
    for lengths in zip(*sizes, strict=True):
        assert max(lengths) <= side and max(lengths) - min(lengths) <= 1
