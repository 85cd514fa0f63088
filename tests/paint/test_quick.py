"""Quick painting is, to the eye, the painting of float32."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impasto.data.augment import to_float, to_pixels
from impasto.networks import build_generator
from impasto.paint.quick import quicken
from translators import mirror

CPU = torch.device("cpu")
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet": {
        "width": 16,
        "blocks": 3,
        "norm": "instance",
        "activation": "relu",
        "down": "stride",
        "up": "nearest",
        "residual": True,
        "init_std": 0.02,
    },
    "unet": {
        "width": 16,
        "max_width": 64,
        "depth": 4,
        "norm": "batch",
        "dropout": 0.5,
        "up": "transpose",
        "init_std": 0.02,
    },
    "cnn": {"width": 16, "depth": 4, "activation": "leaky", "norm": "group", "init_std": 0.05},
}


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that computes in it; others compute the same, slowly."""
    monkeypatch.setattr("impasto.paint.quick.choose_precision", lambda name, device: "bf16-mixed")


@pytest.fixture
def photos(paintings: Tensor) -> Tensor:
    return to_float(paintings[:2, 64:160, 64:144])


@torch.inference_mode()
def quickly(network: nn.Module, photos: Tensor) -> Tensor:
    return quicken(network, CPU)(photos)


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_differs_from_float32_by_a_fine_noise_below_a_grey_level(name: str, photos: Tensor) -> None:
    torch.manual_seed(0)
    network = build_generator(name, **NETWORKS[name]).eval()
    exact = network(photos).detach()
    quick = quickly(network, photos)
    assert quick.dtype == torch.float32 and quick.shape == photos.shape
    error = (quick.clamp(-1, 1) - exact.clamp(-1, 1)) * 127.5
    assert 0 < error.abs().mean() < 0.5
    assert nn.functional.avg_pool2d(error, 8).abs().max() < 1


@pytest.mark.usefixtures("bfloat16")
def test_every_grey_level_survives_bfloat16() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(1, 16, 16, 3)
    assert torch.equal(to_pixels(quickly(mirror(1), to_float(levels))), levels)
    assert torch.equal(to_pixels(quickly(mirror(-1), to_float(levels))), 255 - levels)


@pytest.mark.usefixtures("bfloat16")
def test_what_is_added_to_the_photo_is_added_in_float32(photos: Tensor) -> None:
    network = build_generator("resnet", **NETWORKS["resnet"])
    for parameter in network.get_submodule("colours").parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(quickly(network.eval(), photos), 0.98 * photos)


@pytest.mark.usefixtures("bfloat16")
def test_what_follows_the_last_convolution_is_computed_in_float32(photos: Tensor) -> None:
    last = nn.Conv2d(3, 3, 3)
    quick = quickly(nn.Sequential(last, nn.Tanh()), photos)
    torch.testing.assert_close(quick, last.bfloat16()(photos.bfloat16()).float().tanh())


def test_float32_is_the_network_itself(monkeypatch: pytest.MonkeyPatch, photos: Tensor) -> None:
    monkeypatch.setattr("impasto.paint.quick.choose_precision", lambda name, device: "32-true")
    torch.manual_seed(0)
    network = build_generator("resnet", **NETWORKS["resnet"]).eval()
    torch.testing.assert_close(quickly(network, photos), network(photos).detach())


@pytest.mark.usefixtures("bfloat16")
def test_the_network_that_is_given_stays_as_it_is(photos: Tensor) -> None:
    network = build_generator("resnet", **NETWORKS["resnet"]).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    exact = network(photos)
    quickly(network, photos)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(network(photos), exact)
