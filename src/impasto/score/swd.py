"""Sliced Wasserstein distance between the patches of two sets of pictures, level by level of a Laplacian pyramid.

Karras et al. 2018, "Progressive Growing of GANs" (arXiv:1710.10196), section 5: needs no trained network, and sees
colour and texture at each scale, but not whether a picture makes sense.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 7  #: side of a patch, in pixels
PATCHES = 8192  #: patches compared at each level
SLICES = 128  #: random directions
SMALLEST = 16  #: side of the coarsest level


class SlicedWasserstein:
    """The distance × 1000 of pictures to a reference, whose part of the work is done once.

    Both are uint8 (N, S, S, 3), with numbers N that may differ. Zero for the same pictures. As in the paper, patches
    are brought to mean 0 and deviation 1 by channel, so that all levels count alike; unlike there, both sets by the
    numbers of the reference, so that a wrong colour or contrast counts.
    """

    def __init__(self, reference: np.ndarray, seed: int = 0) -> None:
        self.seed = seed
        levels = _pyramid(reference)
        self._scales = [(level.mean((0, 2, 3)), level.std((0, 2, 3)).clamp_min(1e-3)) for level in levels]
        self._reference = [self._projected(level, *scale) for level, scale in zip(levels, self._scales, strict=True)]

    def __call__(self, pictures: np.ndarray) -> dict[str, float]:
        """``swd``, the mean over the levels, and ``swd_<side>`` for each level."""
        levels: dict[str, float] = {}
        for level, scale, reference in zip(_pyramid(pictures), self._scales, self._reference, strict=True):
            distance = (self._projected(level, *scale) - reference).abs().mean()
            levels[f"swd_{level.shape[-1]}"] = 1000 * float(distance)
        return {"swd": sum(levels.values()) / len(levels)} | levels

    def _projected(self, level: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        """Random patches of a level on random directions, sorted along each: (PATCHES, SLICES)."""
        rng = torch.Generator().manual_seed(self.seed)
        patches = ((_patches(level, rng) - mean) / deviation).flatten(1)  # (P, 3·PATCH²)
        directions = torch.randn(patches.shape[1], SLICES, generator=rng)
        directions /= directions.norm(dim=0)
        return torch.sort(patches @ directions, dim=0)[0]


def _pyramid(pictures: np.ndarray) -> list[Tensor]:
    """Differences between each size and the next coarser one, and the coarsest, all (N, 3, S, S) in −1…1."""
    level = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    levels = []
    while level.shape[-1] > SMALLEST:
        coarse = F.avg_pool2d(level, 2)
        levels.append(level - F.interpolate(coarse, scale_factor=2, mode="bilinear"))
        level = coarse
    return [*levels, level]


def _patches(level: Tensor, rng: torch.Generator) -> Tensor:
    """Random patches of all pictures of a level: (PATCHES, PATCH, PATCH, 3)."""
    count, _, side, _ = level.shape
    which = torch.randint(count, (PATCHES,), generator=rng)
    top, left = torch.randint(side - PATCH + 1, (2, PATCHES), generator=rng)
    reach = torch.arange(PATCH)
    rows, columns = (top[:, None] + reach)[:, :, None], (left[:, None] + reach)[:, None, :]
    return level.permute(0, 2, 3, 1)[which[:, None, None], rows, columns]
