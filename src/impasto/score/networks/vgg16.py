"""VGG16 without aliasing, and the perceptual heads on it: a second opinion, and a distance of content.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks" (arXiv:1409.1556), with its pooling made shift-invariant
by Zhang 2019 (arXiv:1904.11486), as trained by Ghildyal & Liu 2022, "Shift-tolerant Perceptual Similarity Metric"
(arXiv:2207.13686). Only the weights are theirs (BSD-2-Clause), out of the package ``stlpips_pytorch``, which is not
imported.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.networks.pretrained import packaged, read_weights, sha256
from impasto.score.networks.base import FeatureNetwork, pooled

SIDE = 224  #: of the pictures on which it was trained
SMALLEST = 24  #: the least side of which five stages can be computed
FILE = "weights/vST0.0/vgg_shift_tolerant.pth"
#: Of each stage: its channels, its blur's place in the file, and its convolutions'.
STAGES = (
    (64, None, (0, 2)),
    (128, 5, (6, 8)),
    (256, 11, (12, 14, 16)),
    (512, 19, (20, 22, 24)),
    (512, 27, (28, 30, 32)),
)


class VGG16(FeatureNetwork):
    """The 1472 means of the five stages' maps, each brought to length 1 at each place as perceptual distances do.

    Times √C, so that the stages count alike. Without it the last stage, whose values are 300 times the first's, drowns
    the others, and KID its signal: photos against Monets, 100 each, −900 ± 7000 instead of 0.120 ± 0.017.
    """

    name = "vgg16"
    dimension = sum(channels for channels, _, _ in STAGES)

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        super().__init__(device, weights, precision)
        path = packaged("stlpips_pytorch", "stlpips-pytorch", FILE)
        self._identify(sha256(path))
        state = read_weights(path, _expected())
        self._stages = nn.ModuleList(
            _Stage(state, f"net.slice{number}", blur, places) for number, (_, blur, places) in enumerate(STAGES, 1)
        )
        self._settle(self._stages)
        self._shift, self._scale = state["scaling_layer.shift"].to(device), state["scaling_layer.scale"].to(device)
        #: How much each channel of each stage counts in the perceptual distance: five of (1, C, 1, 1), none negative.
        self.heads = [state[f"lin{stage}.model.1.weight"].to(device) for stage in range(len(STAGES))]

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        stages = self._maps(self._planes(pixels, SIDE))
        return torch.cat([pooled(directions(maps)) * maps.shape[1] ** 0.5 for maps in stages], 1)

    def stages(self, pixels: Tensor) -> Iterator[Tensor]:
        """The maps (B, C, S/2ⁱ, S/2ⁱ) of the stages i = 0…4, one after another, at the pictures' own size.

        Pictures are uint8 (B, S, S, 3) with S ≥ SMALLEST; maps are in the network's precision. No gradients come, as
        nothing here learns; a mode entered in a generator would be left on for whoever runs between its steps.
        """
        return self._maps(self._planes(pixels))

    def _maps(self, planes: Tensor) -> Iterator[Tensor]:
        maps = ((planes / 127.5 - 1 - self._shift) / self._scale).to(self.dtype, memory_format=torch.channels_last)
        for stage in self._stages:
            maps = stage(maps)
            yield maps


def directions(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) brought to length 1 along the channels at each place, in float32."""
    maps = maps.float()
    return maps / (maps.square().sum(1, keepdim=True).sqrt() + 1e-10)


class _Stage(nn.Module):
    """Halves the maps, except in the first stage, then convolves."""

    blur: Tensor | None

    def __init__(self, state: dict[str, Tensor], name: str, blur: int | None, convolutions: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("blur", None if blur is None else state[f"{name}.{blur}.filt"])
        self.convolutions = nn.ModuleList()
        for place in convolutions:
            weight, bias = state[f"{name}.{place}.weight"], state[f"{name}.{place}.bias"]
            convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, device="meta")
            convolution.load_state_dict({"weight": weight, "bias": bias}, assign=True)
            self.convolutions.append(convolution)

    def forward(self, maps: Tensor) -> Tensor:
        if self.blur is not None:
            # The maximum of 2×2 at every pixel; max_pool2d takes more than twice as long.
            maps = torch.maximum(maps[:, :, 1:], maps[:, :, :-1])
            maps = torch.maximum(maps[..., 1:], maps[..., :-1])
            maps = F.pad(maps, (1, 1, 1, 1), mode="reflect")
            maps = F.conv2d(maps, self.blur, stride=2, groups=maps.shape[1])
        for convolution in self.convolutions:
            maps = F.relu_(convolution(maps))
        return maps


def _expected() -> dict[str, tuple[int, ...]]:
    """The names and shapes in the file."""
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(("scaling_layer.shift", "scaling_layer.scale"), (1, 3, 1, 1))
    inputs = 3
    for number, (channels, blur, convolutions) in enumerate(STAGES):
        if blur is not None:
            expected[f"net.slice{number + 1}.{blur}.filt"] = (inputs, 1, 3, 3)
        for place in convolutions:
            expected[f"net.slice{number + 1}.{place}.weight"] = (channels, inputs, 3, 3)
            expected[f"net.slice{number + 1}.{place}.bias"] = (channels,)
            inputs = channels
        expected[f"lin{number}.model.1.weight"] = (1, channels, 1, 1)
    return expected
