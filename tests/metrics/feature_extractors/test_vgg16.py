import sys

import torch
import torch.nn.functional as F
from torch import Tensor

from fixtures.published import shift_tolerant_weights
from impasto.metrics.feature_extractors.vgg16 import VGG16

CPU = torch.device("cpu")
CONVOLUTIONS = ((0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32))


def plain_stages(pixels: Tensor, side: int | None = None) -> list[Tensor]:
    """The five maps of float (B, 3, S, S) in 0…255, layer by layer."""
    state = shift_tolerant_weights("vgg")
    if side:
        pixels = F.interpolate(pixels, (side, side), mode="bicubic", antialias=True).clamp(0, 255)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x = (pixels / 127.5 - 1 - shift[:, None, None]) / scale[:, None, None]
    blur = torch.tensor([1.0, 2.0, 1.0]) / 4
    stages = []
    for number, places in enumerate(CONVOLUTIONS, 1):
        if number > 1:
            x = F.pad(F.max_pool2d(x, 2, stride=1), (1, 1, 1, 1), mode="reflect")
            x = F.conv2d(x, (blur[:, None] * blur).expand(x.shape[1], 1, 3, 3), groups=x.shape[1])[..., ::2, ::2]
        for place in places:
            name = f"net.slice{number}.{place}"
            x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1).relu()
        stages.append(x)
    return stages


def test_features_are_the_mean_directions_of_five_stages(paintings: Tensor) -> None:
    stages = plain_stages(paintings[:2].permute(0, 3, 1, 2).float(), 224)
    expected = [F.normalize(maps, dim=1).mean((2, 3)) * maps.shape[1] ** 0.5 for maps in stages]
    found = VGG16(CPU, precision="fp32").features(paintings[:2])
    torch.testing.assert_close(found, torch.cat(expected, 1), rtol=1e-4, atol=1e-4)


def test_stages_are_of_the_pictures_own_size(paintings: Tensor) -> None:
    pixels = paintings[:2, :75, :75]
    found = list(VGG16(CPU, precision="fp32").stages(pixels))
    assert [maps.shape[-1] for maps in found] == [75, 37, 18, 9, 4]
    for maps, expected in zip(found, plain_stages(pixels.permute(0, 3, 1, 2).float()), strict=True):
        torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-3)


def test_every_stage_counts_in_the_features(paintings: Tensor) -> None:
    sizes = [stage.square().mean() for stage in VGG16(CPU).features(paintings).split([64, 128, 256, 512, 512], 1)]
    assert min(sizes) > 0.05 and max(sizes) < 1  # 1 were maps that are everywhere the same


def test_the_package_of_the_weights_is_not_imported(paintings: Tensor) -> None:
    VGG16(CPU)
    assert "stlpips_pytorch" not in sys.modules
