"""Base class of the networks of the shift-tolerant perceptual distance.

Ghildyal & Liu 2022, "Shift-tolerant Perceptual Similarity Metric" (arXiv:2207.13686): LPIPS (Zhang et al. 2018,
arXiv:1801.03924) on networks with antialiased pooling (Zhang 2019, arXiv:1904.11486). Only the weights are used
(BSD-2-Clause), from the package ``stlpips_pytorch``, which is not imported.
"""

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.metrics.feature_extractors.base import FeatureExtractor, pooled
from impasto.networks.pretrained.weights import Weights, find_packaged_file, read_weights, sha256

SIDE = 224  #: side in pixels of their training images


class PerceptualNetwork(FeatureExtractor):
    """Channel means of each stage's maps, normalised to length 1 at each position as in LPIPS, times √C.

    The normalisation gives all stages equal weight; without it those with the largest values dominate.
    """

    file: ClassVar[str]  #: weights in the package
    channels: ClassVar[tuple[int, ...]]  #: per stage

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        super().__init__(device, weights, precision)
        path = find_packaged_file("stlpips_pytorch", "stlpips-pytorch", f"weights/vST0.0/{self.file}")
        self._identify(sha256(path))
        expected = self._expected() | dict.fromkeys(("scaling_layer.shift", "scaling_layer.scale"), (1, 3, 1, 1))
        heads = [f"lin{stage}.model.1.weight" for stage in range(len(self.channels))]
        expected |= {head: (1, channels, 1, 1) for head, channels in zip(heads, self.channels, strict=True)}
        state = read_weights(path, expected)
        self._stages = nn.ModuleList(self._build(state))
        self._freeze(self._stages)
        self._shift, self._scale = state["scaling_layer.shift"].to(device), state["scaling_layer.scale"].to(device)
        #: Channel weights of LPIPS per stage, (1, C, 1, 1), not negative.
        self.heads = [state[head].to(device) for head in heads]

    @abstractmethod
    def _expected(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the network's tensors in the file."""

    @abstractmethod
    def _build(self, state: Weights) -> Iterator[nn.Module]:
        """Yield the stages, each a module from the previous stage's maps to its own."""

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        stages = self._maps(self._planes(pixels, SIDE))
        return torch.cat([pooled(normalise_channels(maps)) * maps.shape[1] ** 0.5 for maps in stages], 1)

    def _maps(self, planes: Tensor) -> Iterator[Tensor]:
        maps = ((planes / 127.5 - 1 - self._shift) / self._scale).to(self.dtype, memory_format=torch.channels_last)
        for stage in self._stages:
            maps = stage(maps)
            yield maps


def normalise_channels(maps: Tensor) -> Tensor:
    """Return maps (B, C, H, W) normalised to length 1 along the channels at each position, in float32."""
    maps = maps.float()
    return maps / (maps.square().sum(1, keepdim=True).sqrt() + 1e-10)


def load_convolution(state: Weights, name: str, padding: int) -> nn.Conv2d:
    """Return the convolution of that name in the file."""
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    module = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=padding, device="meta")
    module.load_state_dict({"weight": weight, "bias": bias}, assign=True)
    return module


def blur_downsample(maps: Tensor, blur: Tensor, padding: int) -> Tensor:
    """Reflect-pad maps (B, C, H, W) by ``padding``, blur with kernels (C, 1, 3, 3) and keep every second pixel."""
    maps = F.pad(maps, (padding, padding, padding, padding), mode="reflect")
    return F.conv2d(maps, blur, stride=2, groups=maps.shape[1])
