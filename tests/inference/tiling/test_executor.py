"""Tiled inference gives the same image as inference at once."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fixtures.image_source import ImageSource
from impasto.data.augment import to_float
from impasto.errors import ImpastoError
from impasto.inference.precision import optimise_network
from impasto.inference.tiling import executor
from impasto.inference.tiling.executor import TiledNetwork
from impasto.inference.tiling.map_store import TensorMapStore
from impasto.networks import build_generator

CPU = torch.device("cpu")
UNET = {"width": 8, "max_width": 16, "depth": 4, "dropout": 0.5, "init_std": 0.1}


def resnet(
    norm: str, activation: str, down: str, up: str, *, residual: bool, padding: str = "reflect"
) -> tuple[str, dict[str, Any]]:
    layers = {"norm": norm, "activation": activation, "down": down, "up": up}
    settings = layers | {"residual": residual, "padding": padding}
    return "resnet", {"width": 8, "blocks": 2, "init_std": 0.05} | settings


NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "edsr": ("edsr", {"width": 8, "body": 8, "blocks": 2}),
    "resnet, as CycleGAN has it": resnet("instance", "relu", "stride", "transpose", residual=False),
    "resnet, as CUT has it": resnet("instance", "relu", "blur", "blur", residual=False),
    "resnet over the photo": resnet("group", "gelu", "blur", "nearest", residual=True),
    "resnet, batch": resnet("batch", "elu", "stride", "bilinear", residual=True),
    "resnet, zero": resnet("instance-affine", "relu", "stride", "transpose", residual=False, padding="zero"),
    "resnet, replicate": resnet("none", "relu", "stride", "transpose", residual=False, padding="replicate"),
    "unet": ("unet", {**UNET, "norm": "instance", "up": "transpose"}),
    "unet, batch": ("unet", {**UNET, "norm": "batch", "up": "nearest"}),
    "cnn": ("cnn", {"width": 8, "depth": 3, "activation": "silu", "norm": "instance", "init_std": 0.1}),
    "cnn, none": ("cnn", {"width": 8, "depth": 3, "activation": "tanh", "norm": "none", "init_std": 0.1}),
}


#: Normalisations with statistics over the whole image.
NORMS = ("instance", "group")


def built(name: str) -> nn.Module:
    """A network with random weights, norms included."""
    network, settings = NETWORKS[name]
    torch.manual_seed(0)
    found = build_generator(network, **settings).eval()
    with torch.no_grad():
        for tensor in found.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
    return found


@torch.inference_mode()
def tiled(network: Any, image: Tensor, memory: int = 1) -> Tensor:
    output = torch.full_like(image, 9)
    for window, part in TiledNetwork(network, CPU).run(ImageSource(image), memory):
        here = output[..., window.top : window.bottom, window.left : window.right]
        assert (here == 9).all(), "windows do not overlap"
        here.copy_(part)
    return output


@pytest.mark.parametrize("name", [name for name in NETWORKS if any(norm in str(NETWORKS[name]) for norm in NORMS)])
def test_tiled_output_equals_full_output_with_maps_stored_in_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "impasto.inference.tiling.executor.open_store", lambda shape, dtype, *_: TensorMapStore(shape, dtype, CPU)
    )
    test_tiled_output_equals_full_output(name, 101, 70)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("height", "width"), [(101, 70), (64, 96), (130, 9)])
def test_tiled_output_equals_full_output(name: str, height: int, width: int) -> None:
    pictures = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    network = built(name)
    with torch.inference_mode():
        whole = network(pictures)
    error = (tiled(network, pictures) - whole).abs() * 127.5
    assert error.max() < 0.01  # grey levels
    assert whole.std() > 0.05


@pytest.mark.parametrize("name", NETWORKS)
def test_in_bfloat16_tiling_adds_no_more_error_than_the_precision(
    name: str, monkeypatch: pytest.MonkeyPatch, paintings: Tensor
) -> None:
    """Statistics that differ in the last bit change a few roundings."""
    monkeypatch.setattr("impasto.inference.precision.choose_precision", lambda name, device: "bf16-mixed")
    pictures = to_float(paintings[:1, :90, :70])
    network = built(name)
    fast = optimise_network(network, CPU)
    with torch.inference_mode():
        whole, exact = fast(pictures), network(pictures)
    off, noise = (tiled(fast, pictures) - whole).abs(), (whole - exact).abs()
    assert off.mean() <= noise.mean() and off.max() <= 2 * noise.max()


@settings(max_examples=30)
@given(height=st.integers(9, 80), width=st.integers(9, 80), side=st.sampled_from([16, 33, 64]))
def test_tiled_output_equals_full_output_for_any_image_and_window_size(height: int, width: int, side: int) -> None:
    pictures = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(executor, "SIDES", (side,))
        for network in (CYCLEGAN, EDSR):
            torch.testing.assert_close(tiled(network, pictures), network(pictures), rtol=0, atol=1e-4)


CYCLEGAN, EDSR = built("resnet, as CycleGAN has it"), built("edsr")


@pytest.mark.parametrize("name", ["edsr", "resnet, as CycleGAN has it", "unet"])
def test_progress_grows_evenly_to_one_over_all_windows(name: str) -> None:
    """Also while maps are only measured, which is most of the work of a network with instance normalisation."""
    shares: list[float] = []
    with torch.inference_mode():
        windows = list(
            TiledNetwork(built(name), CPU).run(ImageSource(torch.zeros(1, 3, 256, 192)), 1 << 20, shares.append)
        )
    assert len(shares) >= len(windows) and shares == sorted(shares)
    assert shares[0] < 0.2 and shares[-1] == pytest.approx(1)
    assert max(np.diff(shares)) < 0.2


def test_progress_that_raises_ends_the_work() -> None:
    source = ImageSource(torch.zeros(1, 3, 256, 192))

    def stop(share: float) -> None:
        raise InterruptedError

    with torch.inference_mode(), pytest.raises(InterruptedError):
        list(TiledNetwork(CYCLEGAN, CPU).run(source, 1 << 20, stop))
    assert source.pixels_read < 256 * 192


def test_more_memory_gives_larger_windows_and_less_recomputation() -> None:
    image, reads = torch.zeros(1, 3, 600, 400), []
    for memory in (10 << 20, 30 << 20, 1 << 30):
        source = ImageSource(image)
        with torch.inference_mode():
            list(TiledNetwork(EDSR, CPU).run(source, memory))
        reads.append(source.pixels_read / (600 * 400))
    assert reads[0] > reads[1] > reads[2] == 1


def test_live_feature_maps_stay_within_the_memory_limit() -> None:
    from impasto.training.memory_estimate import Account

    for network in (EDSR, CYCLEGAN):
        for allowed in (8 << 20, 24 << 20):
            with torch.inference_mode(), Account() as account:
                for _ in TiledNetwork(network, CPU).run(ImageSource(torch.zeros(1, 3, 500, 600)), allowed):
                    pass
            assert account.peak - 500 * 600 * 12 <= allowed


def test_a_full_disk_is_reported_as_an_impasto_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        return Path("/dev/full").open("r+b", buffering=0)

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(ImpastoError, match="disk is full"):
        tiled(CYCLEGAN, torch.zeros(1, 3, 64, 64))
