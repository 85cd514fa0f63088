"""Antialiased VGG16 with LPIPS heads: a second feature network, and the network of LPIPS.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks" (arXiv:1409.1556), as trained for the shift-tolerant
perceptual distance (:mod:`impasto.metrics.feature_extractors.perceptual`).
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.metrics.feature_extractors.base import FEATURE_EXTRACTORS
from impasto.metrics.feature_extractors.perceptual import PerceptualNetwork, blur_downsample, load_convolution
from impasto.networks.pretrained.weights import Weights

SMALLEST = 24  #: least side in pixels for five stages
#: Per stage: channels, index of its blur in the file, indices of its convolutions.
STAGES = (
    (64, None, (0, 2)),
    (128, 5, (6, 8)),
    (256, 11, (12, 14, 16)),
    (512, 19, (20, 22, 24)),
    (512, 27, (28, 30, 32)),
)


@FEATURE_EXTRACTORS.register("vgg16")
class VGG16(PerceptualNetwork):
    """1472 features: channel means of five stages.

    Without the normalisation the last stage, whose values are 300 times the first's, dominates, and KID is all noise:
    photos v Monets, 100 each, −900 ± 7000 instead of 0.120 ± 0.017.
    """

    name = "vgg16"
    family = "vgg"
    file = "vgg_shift_tolerant.pth"
    channels = tuple(channels for channels, _, _ in STAGES)
    dimension = sum(channels)

    def stages(self, pixels: Tensor) -> Iterator[Tensor]:
        """Yield the maps (B, C, S/2ⁱ, S/2ⁱ) of stages i = 0…4 of uint8 images (B, S, S, 3), S ≥ SMALLEST.

        Maps are in the network's precision, and the images are not resized. Callers disable gradients: a context
        manager inside a generator would stay active between its steps.
        """
        return self._maps(self._planes(pixels))

    def _build(self, state: Weights) -> Iterator[nn.Module]:
        for number, (_, blur, places) in enumerate(STAGES, 1):
            yield _Stage(state, f"net.slice{number}", blur, places)

    def _expected(self) -> dict[str, tuple[int, ...]]:
        expected: dict[str, tuple[int, ...]] = {}
        inputs = 3
        for number, (channels, blur, convolutions) in enumerate(STAGES, 1):
            if blur is not None:
                expected[f"net.slice{number}.{blur}.filt"] = (inputs, 1, 3, 3)
            for place in convolutions:
                expected[f"net.slice{number}.{place}.weight"] = (channels, inputs, 3, 3)
                expected[f"net.slice{number}.{place}.bias"] = (channels,)
                inputs = channels
        return expected


class _Stage(nn.Module):
    """Downsample, except in the first stage, then convolve."""

    blur: Tensor | None

    def __init__(self, state: Weights, name: str, blur: int | None, convolutions: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("blur", None if blur is None else state[f"{name}.{blur}.filt"])
        self.convolutions = nn.ModuleList(load_convolution(state, f"{name}.{place}", 1) for place in convolutions)

    def forward(self, maps: Tensor) -> Tensor:
        if self.blur is not None:
            # 2×2 max pooling with stride 1; max_pool2d takes more than twice as long.
            maps = torch.maximum(maps[:, :, 1:], maps[:, :, :-1])
            maps = torch.maximum(maps[..., 1:], maps[..., :-1])
            maps = blur_downsample(maps, self.blur, 1)
        for each in self.convolutions:
            maps = F.relu_(each(maps))
        return maps
