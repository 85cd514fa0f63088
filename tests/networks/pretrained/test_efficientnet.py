import importlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impasto.networks.pretrained.efficientnet import CHANNELS, FILES, STRIDES, Stages, weights_file

variants = pytest.mark.parametrize("variant", FILES)


def random_images(count: int = 2, height: int = 64, width: int = 64, seed: int = 1) -> Tensor:
    noise = torch.rand(count, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return nn.functional.interpolate(noise, (height, width), mode="bicubic").clamp(-1, 1)


@variants
def test_stages_equal_those_of_the_packages_network(variant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """EfficientNet-Lite as published, with unfused BatchNorm, on (x − 127) / 128 for x in 0…255."""
    package: Any = importlib.import_module("efficientnet_lite_pytorch")
    network = package.EfficientNet.from_name(f"efficientnet-{variant}")
    network.load_state_dict(torch.load(weights_file(variant), weights_only=True))
    network.eval()
    capsys.readouterr()  # it prints
    given = random_images(2, 64, 96)
    with torch.no_grad():
        hidden = network._swish(network._bn0(network._conv_stem(((given + 1) * 127.5 - 127) / 128)))
        expected: dict[int, Tensor] = {}
        for block in network._blocks:
            hidden = block(hidden)
            expected[hidden.shape[-1]] = hidden  # the last of each size
        found = Stages(variant)(given)
    assert [each.shape[1:] for each in found] == [
        (channels, 64 // stride, 96 // stride) for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]
    for each in found:
        torch.testing.assert_close(each, expected[each.shape[-1]], atol=2e-3, rtol=1e-3)


@variants
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 32)])
def test_with_replication_padding_the_maps_of_a_constant_image_are_constant(
    variant: str, size: tuple[int, int]
) -> None:
    given = torch.tensor([0.7, -0.2, -1.0]).view(1, 3, 1, 1).expand(1, 3, *size)
    with torch.no_grad():
        maps, padded = Stages(variant, replicate=True)(given), Stages(variant)(given)
    for each, zeros, stride in zip(maps, padded, STRIDES, strict=True):
        assert each.shape[2:] == (size[0] // stride, size[1] // stride)
        assert (each.amax((2, 3)) - each.amin((2, 3))).max() < 1e-4 < each.abs().max()
        if min(each.shape[2:]) > 1:
            assert (zeros.amax((2, 3)) - zeros.amin((2, 3))).max() > 0.1, "zero padding depends on where the border is"


@variants
def test_far_from_the_border_the_padding_does_not_matter(variant: str) -> None:
    """So the padding is as wide on each side as before: no map is shifted."""
    given = random_images(1, 256, 256)
    with torch.no_grad():
        first, padded = Stages(variant, replicate=True)(given)[0], Stages(variant)(given)[0]
    inner = (..., slice(12, -12), slice(12, -12))
    torch.testing.assert_close(first[inner], padded[inner], atol=1e-4, rtol=1e-4)
    assert (first - padded).abs().max() > 0.1


@variants
def test_the_network_is_fixed_and_passes_gradients_to_the_image(variant: str) -> None:
    network, given = Stages(variant, replicate=True), random_images().requires_grad_()
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    sum(each.square().mean() for each in network(given)).backward()
    assert given.grad is not None and (given.grad != 0).float().mean() > 0.99
    assert all(weight.grad is None for weight in network.parameters())


def test_the_two_variants_have_different_features() -> None:
    with torch.no_grad():
        one, other = (Stages(variant)(random_images()) for variant in ("lite0", "lite1"))
    assert all((a - b).abs().mean() > 0.1 * a.abs().mean() for a, b in zip(one, other, strict=True))
