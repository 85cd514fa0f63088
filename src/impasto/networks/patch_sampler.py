"""Features of sampled positions for PatchNCE: the projection head of CUT (Park et al. 2020, arXiv:2007.15651)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchSampler(nn.Module):
    """A two-layer MLP for each of several feature maps (CUT, section 3), whose channels are ``channels``."""

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(), nn.Linear(width, width)) for count in channels
        )

    def forward(self, maps: list[Tensor], positions: list[Tensor]) -> list[Tensor]:
        """Return unit-length features (B, P, width) at the flat ``positions`` (P,) of each of ``maps`` (B, C, H, W).

        Raises:
            ValueError: the numbers of maps, of position lists and of channel counts differ.
        """
        return [
            F.normalize(head(features.flatten(2)[:, :, at].transpose(1, 2)), dim=2)
            for head, features, at in zip(self.heads, maps, positions, strict=True)
        ]


def sample_positions(maps: list[Tensor], count: int, rng: torch.Generator) -> list[Tensor]:
    """Sample ``count`` distinct positions (P,) of each of ``maps`` (B, C, H, W), as indices into H·W; all positions
    where there are fewer.

    All images of a batch share them. ``rng`` is on the maps' device.
    """
    return [torch.randperm(each[0, 0].numel(), device=each.device, generator=rng)[:count] for each in maps]
