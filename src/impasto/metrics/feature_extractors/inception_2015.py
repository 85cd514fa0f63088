"""Inception-v3 as in TensorFlow's graph of 2015-12-05: the network of FID.

Szegedy et al. 2015, "Rethinking the Inception Architecture" (arXiv:1512.00567). The graph differs from later ones:
average pooling excludes the padding, the last block uses max pooling, and there are 1008 classes. Its input is resized
inside, without half-pixel centres or antialiasing. The weights are one file, published by two projects under two names,
downloaded at first use.
"""

import logging
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.metrics.feature_extractors.base import FEATURE_EXTRACTORS, FeatureExtractor, fold, pooled
from impasto.networks.pretrained.weights import PublishedWeights, expected_shapes, fetch_weights, read_weights, sha256

_log = logging.getLogger(__name__)

SIDE = 299
CLASSES = 1008
FID_WEIGHTS = PublishedWeights(
    (
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    ),
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    size=95_628_359,
)


@FEATURE_EXTRACTORS.register("inception-2015")
class Inception2015(FeatureExtractor):
    """2048 features: channel means of the last block (``pool_3``); 1008 classes."""

    name = "inception-2015"
    family = "inception"
    dimension = 2048
    installed = False

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        # Comparable with other tools, all of which compute in float32.
        super().__init__(device, weights, "fp32" if precision == "auto" else precision)
        path = weights or fetch_weights(FID_WEIGHTS, self.name)
        with torch.device("meta"):
            network = Inception()
        state = read_weights(path, expected_shapes(network))
        digest = sha256(path)
        if digest != FID_WEIGHTS.sha256:
            self.name = f"{self.name} with weights {digest[:8]}"
            _log.warning("%s is not the published %s: its FID is not comparable.", path, FID_WEIGHTS.names[0])
        self._identify(digest)
        network.load_state_dict(state, strict=False, assign=True)
        for unit in network.modules():
            if isinstance(unit, Unit):
                unit.fold()
        self._freeze(network)
        self._network = network
        self._classes = state["fc.weight"].to(device)

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        planes = (resize_tf1(self._planes(pixels), SIDE) - 128) / 128
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 has as few digits as bfloat16
            maps: Tensor = self._network(planes.to(self.dtype, memory_format=torch.channels_last))
        return pooled(maps)

    @torch.inference_mode()
    def probabilities(self, features: Tensor) -> Tensor:
        """Return the softmax of the logits without bias, as the Inception score is defined."""
        return (features.to(self.device, torch.float32) @ self._classes.T).softmax(1)


def resize_tf1(planes: Tensor, side: int) -> Tensor:
    """Resize float (B, C, H, W) to (B, C, side, side) by TensorFlow 1's bilinear interpolation.

    Pixel i of the result is sampled at i · H / side; the last pixel is repeated at the border.
    """
    for axis in (3, 2):
        length = planes.shape[axis]
        place = torch.arange(side, device=planes.device, dtype=torch.float32) * (length / side)
        before = place.long()
        after = (before + 1).clamp_max(length - 1)
        share = (place - before).unflatten(0, (side, 1) if axis == 2 else (1, side))
        near, far = planes.index_select(axis, before), planes.index_select(axis, after)
        planes = near + (far - near) * share
    return planes


class Convolution(NamedTuple):
    """A step of a branch: convolution, batch normalisation and ReLU, under its name in the file."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True  #: keeps the size


class Pool(Enum):
    """A pooling step of a branch, over 3×3 pixels."""

    MEAN = auto()
    MAX = auto()
    DOWNSAMPLE = auto()  #: max pooling with stride 2, unpadded


#: A step of a branch; a pair, possible as the last step only, runs in parallel and is concatenated.
Step = Convolution | Pool | tuple[Convolution, Convolution]
Branch = Sequence[Step]


def _downsampling(name: str, channels: int) -> Convolution:
    return Convolution(name, channels, (3, 3), stride=2, padded=False)


def _block_35(pool: int) -> list[Branch]:
    """Return the block of figure 5 for 35×35 maps; ``pool``: channels of the pooling branch."""
    return [
        [Convolution("branch1x1", 64)],
        [Convolution("branch5x5_1", 48), Convolution("branch5x5_2", 64, (5, 5))],
        [
            Convolution("branch3x3dbl_1", 64),
            Convolution("branch3x3dbl_2", 96, (3, 3)),
            Convolution("branch3x3dbl_3", 96, (3, 3)),
        ],
        [Pool.MEAN, Convolution("branch_pool", pool)],
    ]


def _block_17(inner: int) -> list[Branch]:
    """Return the block of figure 6 for 17×17 maps, n = 7; ``inner``: channels between factorised convolutions."""
    return [
        [Convolution("branch1x1", 192)],
        [
            Convolution("branch7x7_1", inner),
            Convolution("branch7x7_2", inner, (1, 7)),
            Convolution("branch7x7_3", 192, (7, 1)),
        ],
        [
            Convolution("branch7x7dbl_1", inner),
            Convolution("branch7x7dbl_2", inner, (7, 1)),
            Convolution("branch7x7dbl_3", inner, (1, 7)),
            Convolution("branch7x7dbl_4", inner, (7, 1)),
            Convolution("branch7x7dbl_5", 192, (1, 7)),
        ],
        [Pool.MEAN, Convolution("branch_pool", 192)],
    ]


def _block_8(pool: Pool) -> list[Branch]:
    """Return the block of figure 7 for 8×8 maps."""
    return [
        [Convolution("branch1x1", 320)],
        [
            Convolution("branch3x3_1", 384),
            (Convolution("branch3x3_2a", 384, (1, 3)), Convolution("branch3x3_2b", 384, (3, 1))),
        ],
        [
            Convolution("branch3x3dbl_1", 448),
            Convolution("branch3x3dbl_2", 384, (3, 3)),
            (Convolution("branch3x3dbl_3a", 384, (1, 3)), Convolution("branch3x3dbl_3b", 384, (3, 1))),
        ],
        [pool, Convolution("branch_pool", 192)],
    ]


STEM: Branch = [
    _downsampling("Conv2d_1a_3x3", 32),
    Convolution("Conv2d_2a_3x3", 32, (3, 3), padded=False),
    Convolution("Conv2d_2b_3x3", 64, (3, 3)),
    Pool.DOWNSAMPLE,
    Convolution("Conv2d_3b_1x1", 80),
    Convolution("Conv2d_4a_3x3", 192, (3, 3), padded=False),
    Pool.DOWNSAMPLE,
]
BLOCKS: dict[str, list[Branch]] = {
    "Mixed_5b": _block_35(32),
    "Mixed_5c": _block_35(64),
    "Mixed_5d": _block_35(64),
    "Mixed_6a": [
        [_downsampling("branch3x3", 384)],
        [
            Convolution("branch3x3dbl_1", 64),
            Convolution("branch3x3dbl_2", 96, (3, 3)),
            _downsampling("branch3x3dbl_3", 96),
        ],
        [Pool.DOWNSAMPLE],
    ],
    "Mixed_6b": _block_17(128),
    "Mixed_6c": _block_17(160),
    "Mixed_6d": _block_17(160),
    "Mixed_6e": _block_17(192),
    "Mixed_7a": [
        [Convolution("branch3x3_1", 192), _downsampling("branch3x3_2", 320)],
        [
            Convolution("branch7x7x3_1", 192),
            Convolution("branch7x7x3_2", 192, (1, 7)),
            Convolution("branch7x7x3_3", 192, (7, 1)),
            _downsampling("branch7x7x3_4", 192),
        ],
        [Pool.DOWNSAMPLE],
    ],
    "Mixed_7b": _block_8(Pool.MEAN),
    "Mixed_7c": _block_8(Pool.MAX),
}


class Unit(nn.Module):
    """A convolution with batch normalisation and ReLU."""

    def __init__(self, inputs: int, step: Convolution) -> None:
        super().__init__()
        high, wide = step.kernel
        padding = (high // 2, wide // 2) if step.padded else (0, 0)
        self.conv = nn.Conv2d(inputs, step.channels, step.kernel, step.stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(step.channels, eps=0.001)

    def fold(self) -> None:
        """Fold the normalisation into the convolution."""
        assert isinstance(self.bn, nn.BatchNorm2d)
        self.conv, self.bn = fold(self.conv, self.bn), nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu_(self.bn(self.conv(maps)))


class Block(nn.Module):
    """Parallel branches, concatenated along the channels."""

    def __init__(self, inputs: int, branches: Sequence[Branch]) -> None:
        super().__init__()
        self.branches = branches
        self.channels = 0  #: of the output
        for branch in branches:
            channels = inputs
            for step in branch:
                alternatives = () if isinstance(step, Pool) else (step,) if isinstance(step, Convolution) else step
                for alternative in alternatives:
                    self.add_module(alternative.name, Unit(channels, alternative))
                if alternatives:
                    channels = sum(alternative.channels for alternative in alternatives)
            self.channels += channels

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self._run(branch, maps) for branch in self.branches], 1)

    def _run(self, branch: Branch, maps: Tensor) -> Tensor:
        for step in branch:
            match step:
                case Pool.MEAN:
                    maps = F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
                case Pool.MAX:
                    maps = F.max_pool2d(maps, 3, stride=1, padding=1)
                case Pool.DOWNSAMPLE:
                    maps = F.max_pool2d(maps, 3, stride=2)
                case Convolution():
                    maps = self.get_submodule(step.name)(maps)
                case (one, other):
                    maps = torch.cat([self.get_submodule(one.name)(maps), self.get_submodule(other.name)(maps)], 1)
        return maps


class Inception(Block):
    """Stem, blocks and classifier, under their names in the file; returns the last block's maps."""

    def __init__(self) -> None:
        super().__init__(3, [STEM])
        for name, branches in BLOCKS.items():
            block = Block(self.channels, branches)
            self.add_module(name, block)
            self.channels = block.channels
        self.fc = nn.Linear(self.channels, CLASSES)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, 3, 299, 299) in −1…1 to (B, 2048, 8, 8)."""
        maps = super().forward(maps)
        for name in BLOCKS:
            maps = self.get_submodule(name)(maps)
        return maps
