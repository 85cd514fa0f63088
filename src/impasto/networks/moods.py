"""Statistics of a picture that tell its look, apart from its layout."""

from collections.abc import Sequence

import torch
from torch import Tensor

#: Numbers in a palette.
PALETTE = 9


def moments(maps: Sequence[Tensor]) -> Tensor:
    """Means and standard deviations over places of each of several maps (B, C, H, W), one after the other: (B, 2 ΣC).

    They are AdaIN's (Huang & Belongie 2017, arXiv:1703.06868, equations 5 and 6).
    """
    found = []
    for each in maps:
        flat = each.float().flatten(2)
        mean = flat.mean(2)
        variance = (flat - mean[:, :, None]).square().mean(2)
        found += [mean, (variance + 1e-5).sqrt()]
    return torch.cat(found, 1)


def palette(pictures: Tensor) -> Tensor:
    """The colours of pictures (B, 3, H, W) in −1…1: (B, 9) means, standard deviations and covariances of their
    opponent channels: light, red–green, yellow–blue.

    The covariances tell in which hues shadows and lights are painted.
    """
    red, green, blue = pictures.float().flatten(2).unbind(1)  # each (B, H·W)
    channels = torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], 1)
    means = channels.mean(2)
    centred = channels - means[:, :, None]
    covariance = centred @ centred.transpose(1, 2) / centred.shape[2]  # (B, 3, 3)
    deviations = (covariance.diagonal(dim1=1, dim2=2) + 1e-5).sqrt()
    mixed = torch.stack([covariance[:, 0, 1], covariance[:, 0, 2], covariance[:, 1, 2]], 1)
    return torch.cat([means, deviations, mixed], 1)
