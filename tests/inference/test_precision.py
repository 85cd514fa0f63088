"""bfloat16 inference is visually identical to float32; concurrent requests are batched."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fixtures.translators import mirror
from impasto.data.augment import to_float, to_pixels
from impasto.inference.precision import BatchedNetwork, optimise_network
from impasto.networks import build_generator

CPU = torch.device("cpu")
FEATURE_EXTRACTORS: dict[str, dict[str, Any]] = {
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
    monkeypatch.setattr("impasto.inference.precision.choose_precision", lambda name, device: "bf16-mixed")


@pytest.fixture
def photos(paintings: Tensor) -> Tensor:
    return to_float(paintings[:2, 64:160, 64:144])


@torch.inference_mode()
def optimised(network: nn.Module, photos: Tensor) -> Tensor:
    return optimise_network(network, CPU)(photos)


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("name", FEATURE_EXTRACTORS)
def test_bfloat16_differs_from_float32_by_less_than_one_grey_level(name: str, photos: Tensor) -> None:
    torch.manual_seed(0)
    network = build_generator(name, **FEATURE_EXTRACTORS[name]).eval()
    exact = network(photos).detach()
    fast = optimised(network, photos)
    assert fast.dtype == torch.float32 and fast.shape == photos.shape
    error = (fast.clamp(-1, 1) - exact.clamp(-1, 1)) * 127.5
    assert 0 < error.abs().mean() < 0.5
    assert nn.functional.avg_pool2d(error, 8).abs().max() < 1


@pytest.mark.usefixtures("bfloat16")
def test_every_grey_level_survives_bfloat16() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(1, 16, 16, 3)
    assert torch.equal(to_pixels(optimised(mirror(1), to_float(levels))), levels)
    assert torch.equal(to_pixels(optimised(mirror(-1), to_float(levels))), 255 - levels)


@pytest.mark.usefixtures("bfloat16")
def test_the_residual_is_added_in_float32(photos: Tensor) -> None:
    network = build_generator("resnet", **FEATURE_EXTRACTORS["resnet"])
    for parameter in network.get_submodule("colours").parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(optimised(network.eval(), photos), 0.98 * photos)


@pytest.mark.usefixtures("bfloat16")
def test_everything_after_the_last_convolution_is_float32(photos: Tensor) -> None:
    last = nn.Conv2d(3, 3, 3)
    network = nn.Sequential(last, nn.Tanh())
    network.supports_bfloat16 = True  # type: ignore[assignment]
    fast = optimised(network, photos)
    torch.testing.assert_close(fast, last.bfloat16()(photos.bfloat16()).float().tanh())


def test_in_float32_the_network_is_unchanged(monkeypatch: pytest.MonkeyPatch, photos: Tensor) -> None:
    monkeypatch.setattr("impasto.inference.precision.choose_precision", lambda name, device: "32-true")
    torch.manual_seed(0)
    network = build_generator("resnet", **FEATURE_EXTRACTORS["resnet"]).eval()
    torch.testing.assert_close(optimised(network, photos), network(photos).detach())


@pytest.mark.usefixtures("bfloat16")
def test_a_network_that_does_not_support_bfloat16_stays_in_float32(photos: Tensor) -> None:
    network = nn.Conv2d(3, 3, 3)
    torch.testing.assert_close(optimised(network, photos), network(photos).detach(), rtol=0, atol=0)


@pytest.mark.usefixtures("bfloat16")
def test_optimising_does_not_change_the_original_network(photos: Tensor) -> None:
    network = build_generator("resnet", **FEATURE_EXTRACTORS["resnet"]).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    exact = network(photos)
    optimised(network, photos)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(network(photos), exact)


class Slow:
    """Turns photos into their negatives, and notes how many it was given together; the first waits for ``begin``."""

    def __init__(self) -> None:
        self.begin, self.given = threading.Event(), list[torch.Size]()

    def __call__(self, photos: Tensor) -> Tensor:
        assert self.begin.wait(10)
        self.given.append(photos.shape)
        if photos.isnan().any():
            raise ValueError("no photo")
        return -photos


def ask(slow: Slow, photos: list[Tensor], most: int) -> list[Tensor | BaseException]:
    """Each photo from a thread of its own; all wait before the first is painted."""
    together = BatchedNetwork(slow, most)
    with ThreadPoolExecutor(len(photos)) as pool:
        asked = [pool.submit(together, photo) for photo in photos]
        while len(together._waiting) < len(photos) - 1:
            threading.Event().wait(0.001)
        slow.begin.set()
        return [each.exception() or each.result() for each in asked]


def test_concurrent_requests_of_one_size_are_batched() -> None:
    photos = [torch.randn(1, 3, 8, 8) for _ in range(7)] + [torch.randn(1, 3, 8, 9) for _ in range(2)]
    slow = Slow()
    paintings = ask(slow, photos, most=4 * 64)
    for photo, painting in zip(photos, paintings, strict=True):
        assert isinstance(painting, Tensor) and torch.equal(painting, -photo)
    assert sum(shape[0] for shape in slow.given) == 9
    assert max(shape[0] for shape in slow.given) == 4  # no more than there may be at a time
    assert all(shape[0] <= 2 for shape in slow.given if shape[3] == 9)
    assert len(slow.given) <= 5


def test_requests_beyond_the_pixel_limit_run_alone() -> None:
    slow = Slow()
    paintings = ask(slow, [torch.ones(1, 3, 9, 9) * number for number in range(3)], most=64)
    assert [shape[0] for shape in slow.given] == [1, 1, 1]
    assert [float(painting.max()) for painting in paintings if isinstance(painting, Tensor)] == [0, -1, -2]


def test_an_exception_reaches_only_the_requests_of_its_batch() -> None:
    slow = Slow()
    photos = [torch.zeros(1, 3, 8, 8), torch.full((1, 3, 4, 4), torch.nan), torch.zeros(1, 3, 8, 8)]
    first, second, third = ask(slow, photos, most=1000)
    assert isinstance(first, Tensor) and isinstance(third, Tensor)
    assert isinstance(second, ValueError)
