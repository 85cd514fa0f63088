import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from fixtures.published import shift_tolerant_weights
from impasto.metrics.feature_extractors.alexnet import AlexNet
from impasto.metrics.kid import kernel_distance

CPU = torch.device("cpu")


def halving(channels: int) -> nn.Sequential:
    """Every second pixel of maps that were blurred by 1, 2, 1 both ways, reflected at their edges."""
    blur = nn.Conv2d(channels, channels, 3, stride=2, groups=channels, bias=False)
    row = torch.tensor([1.0, 2.0, 1.0]) / 4
    blur.weight.data = (row[:, None] * row).expand(channels, 1, 3, 3).clone()
    return nn.Sequential(nn.ReflectionPad2d(2), blur)


def plain_stages(pixels: Tensor) -> list[Tensor]:
    """The five maps of float (B, 3, S, S) in 0…255, by whole modules of torch."""
    pool = nn.MaxPool2d(3, stride=1)
    convolutions = {
        "slice1.0": nn.Conv2d(3, 64, 11, padding=2),
        "slice2.5": nn.Conv2d(64, 192, 5, padding=2),
        "slice3.9": nn.Conv2d(192, 384, 3, padding=1),
        "slice4.11": nn.Conv2d(384, 256, 3, padding=1),
        "slice5.13": nn.Conv2d(256, 256, 3, padding=1),
    }
    state = shift_tolerant_weights("alex")
    for name, each in convolutions.items():
        each.load_state_dict({part: state[f"net.{name}.{part}"] for part in ("weight", "bias")})
    first, second, third, fourth, fifth = convolutions.values()
    stages = (
        nn.Sequential(first, halving(64), nn.ReLU()),
        nn.Sequential(pool, halving(64), second, nn.ReLU()),
        nn.Sequential(pool, halving(192), third, nn.ReLU()),
        nn.Sequential(fourth, nn.ReLU()),
        nn.Sequential(fifth, nn.ReLU()),
    )
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    maps = [(pixels / 127.5 - 1 - shift[:, None, None]) / scale[:, None, None]]
    with torch.inference_mode():
        for stage in stages:
            maps.append(stage(maps[-1]))
    return maps[1:]


def test_features_are_the_mean_directions_of_five_stages(paintings: Tensor) -> None:
    planes = paintings[:2].permute(0, 3, 1, 2).float()
    stages = plain_stages(F.interpolate(planes, (224, 224), mode="bicubic", antialias=True).clamp(0, 255))
    assert [maps.shape[-1] for maps in stages] == [110, 55, 28, 28, 28]
    expected = [F.normalize(maps, dim=1).mean((2, 3)) * maps.shape[1] ** 0.5 for maps in stages]
    found = AlexNet(CPU, precision="fp32").features(paintings[:2])
    torch.testing.assert_close(found, torch.cat(expected, 1), rtol=1e-4, atol=1e-4)


def test_every_stage_counts_in_the_features(paintings: Tensor) -> None:
    sizes = [stage.square().mean() for stage in AlexNet(CPU).features(paintings).split([64, 192, 384, 256, 256], 1)]
    assert min(sizes) > 0.05 and max(sizes) < 1  # 1 were maps that are everywhere the same


@pytest.mark.long
def test_photos_are_told_from_paintings_and_paintings_not_from_paintings(shared_data: Path) -> None:
    """300 of each: 0.102 ± 0.012, and −0.003 ± 0.004 between the halves of the paintings."""

    def features(kind: str, first: int) -> np.ndarray:
        files = sorted((shared_data / "kaggle_monet" / kind).glob("*.jpg"))[first : first + 32]
        pictures = torch.from_numpy(np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]))
        return torch.cat([network.features(part) for part in pictures.split(8)]).numpy()

    network = AlexNet(CPU)
    some, others, photos = features("monet_jpg", 0), features("monet_jpg", 32), features("photo_jpg", 0)
    distance, error = kernel_distance(photos, some)
    floor, chance = kernel_distance(others, some)
    assert distance > 2 * error
    assert abs(floor) < 2 * chance and floor < distance / 3


def test_the_package_of_the_weights_is_not_imported() -> None:
    AlexNet(CPU)
    assert "stlpips_pytorch" not in sys.modules
