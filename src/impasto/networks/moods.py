"""Statistics of a picture that tell its look, apart from its layout; and how moods are shared out among photos."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

#: Numbers in a palette.
PALETTE = 9
#: How soft the choice is while offsets are sought, in standard deviations of the distances, and for how many rounds.
SOFT, ROUNDS = 0.05, 300


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
    with torch.autocast(pictures.device.type, enabled=False):
        covariance = centred @ centred.transpose(1, 2) / centred.shape[2]  # (B, 3, 3)
    deviations = (covariance.diagonal(dim1=1, dim2=2) + 1e-5).sqrt()
    mixed = torch.stack([covariance[:, 0, 1], covariance[:, 0, 2], covariance[:, 1, 2]], 1)
    return torch.cat([means, deviations, mixed], 1)


def offsets(distances: Tensor) -> Tensor:
    """What to take from distances (M, N), N for each of M things, for each of the N to be the nearest to about M / N:
    (N,).

    In many dimensions a few points are the nearest to most others ("hubs"; Radovanović et al. 2010, JMLR 11). The
    offsets are the potentials of the transport between both sets that costs least, each point of a set having the same
    weight, by Sinkhorn's iterations (Cuturi 2013, arXiv:1306.0895) on logarithms.
    """
    costs = distances.cpu().double()  # some devices have no float64
    soft = SOFT * costs.std() + 1e-12
    found = costs.new_zeros(costs.shape[1])
    for _ in range(ROUNDS):
        rows = soft * torch.logsumexp((found - costs) / soft, 1, keepdim=True)  # (M, 1)
        found = -soft * (torch.logsumexp((-rows - costs) / soft, 0) - math.log(costs.shape[0] / costs.shape[1]))
    return found.float().to(distances.device)
