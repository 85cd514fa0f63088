"""A discriminator of two convolutions."""

from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS
from impasto.config.types import Width


@DISCRIMINATORS.register("toy-discriminator")
class Discriminator(nn.Module):
    """Images (B, 3, H, W) in −1…1 to logits (B, 1, H/4, W/4), above 0 for real."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 4, 2, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits
