"""Features of single places of a picture, to compare them: the head of CUT (Park et al. 2020, arXiv:2007.15651)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchSampler(nn.Module):
    """A perceptron of two layers for each of several feature maps, with ``channels`` as given (section 3 of CUT)."""

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(), nn.Linear(width, width)) for count in channels
        )

    def forward(self, maps: list[Tensor], places: list[Tensor]) -> list[Tensor]:
        """Features (B, P, width) of length 1 at the flat ``places`` (P,) of each of ``maps`` (B, C, H, W).

        Raises:
            ValueError: if there are not as many maps and lists of places as channel counts.
        """
        return [
            F.normalize(head(features.flatten(2)[:, :, at].transpose(1, 2)), dim=2)
            for head, features, at in zip(self.heads, maps, places, strict=True)
        ]


def draw_places(maps: list[Tensor], count: int, rng: torch.Generator) -> list[Tensor]:
    """``count`` different places (P,) of each of ``maps`` (B, C, H, W), as indices into H·W; all where there are fewer.

    All pictures of a batch share them. ``rng`` is on the maps' device.
    """
    return [torch.randperm(each[0, 0].numel(), device=each.device, generator=rng)[:count] for each in maps]
