"""Two generators: one from noise, and one that translates images with operations that tiled inference does not know."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS


@GENERATORS.register("toy-noise")
class NoiseGenerator(nn.Module):
    """Latents (B, latent) to images (B, 3, size, size) in −1…1, by one linear layer and a pixel shuffle."""

    def __init__(self, size: int, latent: int, hidden: Annotated[int, Field(ge=1, le=64)] = 4) -> None:
        super().__init__()
        self.size, self.hidden = size, hidden
        self.linear = nn.Linear(latent, hidden * (size // 2) ** 2)
        self.colours = nn.Conv2d(hidden, 12, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, latents: Tensor) -> Tensor:
        maps = self.linear(latents).reshape(-1, self.hidden, self.size // 2, self.size // 2)
        return torch.tanh(self.shuffle(self.colours(F.relu(maps))))


@GENERATORS.register("toy-translator")
class Translator(nn.Module):
    """Images (B, 3, H, W) in −1…1, both sides even, to images of the same shape."""

    def __init__(self, hidden: Annotated[int, Field(ge=1, le=64)]) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, hidden, 4, 2, 1)
        self.norm = nn.InstanceNorm2d(hidden)
        self.gate = nn.Linear(hidden, hidden)
        self.up = nn.Conv2d(hidden, 12, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        maps = F.relu(self.norm(self.down(F.pad(images, (0, width % 2, 0, height % 2), mode="replicate"))))
        gates = torch.sigmoid(self.gate(maps.mean((2, 3))))  # squeeze and excitation
        return torch.tanh(F.pixel_shuffle(self.up(maps * gates[:, :, None, None]), 2))[..., :height, :width]
