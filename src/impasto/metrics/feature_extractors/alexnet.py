"""Antialiased AlexNet: scores models that are trained against features of EfficientNets.

Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks" (arXiv:1404.5997), as trained for the
shift-tolerant perceptual distance (:mod:`impasto.metrics.feature_extractors.perceptual`): convolutions have no stride,
and downsampling blurs. 3.6 times as fast as VGG16.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from impasto.metrics.feature_extractors.base import FEATURE_EXTRACTORS
from impasto.metrics.feature_extractors.perceptual import PerceptualNetwork, blur_downsample, load_convolution
from impasto.networks.pretrained.weights import Weights


class Stage(NamedTuple):
    """A convolution, and the blur of its stage if that downsamples, by their indices in the file."""

    channels: int
    place: int
    kernel: int
    padding: int
    blur: int | None = None


STAGES = (
    Stage(64, 0, 11, 2, blur=1),
    Stage(192, 5, 5, 2, blur=4),
    Stage(384, 9, 3, 1, blur=8),
    Stage(256, 11, 3, 1),
    Stage(256, 13, 3, 1),
)


@FEATURE_EXTRACTORS.register("alexnet")
class AlexNet(PerceptualNetwork):
    """1152 features: channel means of five stages."""

    name = "alexnet"
    family = "alexnet"
    file = "alex_shift_tolerant.pth"
    channels = tuple(stage.channels for stage in STAGES)
    dimension = sum(channels)

    def _build(self, state: Weights) -> Iterator[nn.Module]:
        for number, stage in enumerate(STAGES, 1):
            yield (_First if number == 1 else _Later)(state, f"net.slice{number}", stage)

    def _expected(self) -> dict[str, tuple[int, ...]]:
        expected: dict[str, tuple[int, ...]] = {}
        inputs = 3
        for number, stage in enumerate(STAGES, 1):
            name = f"net.slice{number}"
            expected[f"{name}.{stage.place}.weight"] = (stage.channels, inputs, stage.kernel, stage.kernel)
            expected[f"{name}.{stage.place}.bias"] = (stage.channels,)
            if stage.blur is not None:
                expected[f"{name}.{stage.blur}.filt"] = (stage.channels if number == 1 else inputs, 1, 3, 3)
            inputs = stage.channels
        return expected


class _Later(nn.Module):
    """Downsample, if it has a blur, then convolve."""

    blur: Tensor | None

    def __init__(self, state: Weights, name: str, stage: Stage) -> None:
        super().__init__()
        self.register_buffer("blur", None if stage.blur is None else state[f"{name}.{stage.blur}.filt"])
        self.convolution = load_convolution(state, f"{name}.{stage.place}", stage.padding)

    def forward(self, maps: Tensor) -> Tensor:
        if self.blur is not None:
            maps = blur_downsample(F.max_pool2d(maps, 3, stride=1), self.blur, 2)
        return F.relu_(self.convolution(maps))


class _First(_Later):
    """Convolve, then downsample."""

    def forward(self, maps: Tensor) -> Tensor:
        assert self.blur is not None
        return F.relu_(blur_downsample(self.convolution(maps), self.blur, 2))
