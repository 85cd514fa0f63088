"""Moods: global style codes of single paintings.

A mood is the vector of feature statistics and palette of one training painting. It describes colours and texture
independently of layout, and conditions the generator in :mod:`impasto.networks.feature_decoder`. This module computes
the statistics, and the offsets that spread the choice of the nearest mood evenly over the training paintings.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

#: Length of a palette vector.
PALETTE_DIM = 9
#: Entropic regularisation of the transport, in standard deviations of the distances, and Sinkhorn iterations.
REGULARISATION, ITERATIONS = 0.05, 300


def moments(maps: Sequence[Tensor]) -> Tensor:
    """Return the means and standard deviations over positions of each of several maps (B, C, H, W), concatenated:
    (B, 2 ΣC).

    These are the statistics of AdaIN (Huang & Belongie 2017, arXiv:1703.06868, equations 5 and 6).
    """
    parts = []
    for each in maps:
        flat = each.float().flatten(2)
        mean = flat.mean(2)
        variance = (flat - mean[:, :, None]).square().mean(2)
        parts += [mean, (variance + 1e-5).sqrt()]
    return torch.cat(parts, 1)


def palette(images: Tensor) -> Tensor:
    """Return the palette (B, 9) of images (B, 3, H, W) in −1…1: means, standard deviations and covariances of the
    opponent channels lightness, red–green and yellow–blue.

    The covariances with lightness are the hues of shadows and highlights.
    """
    red, green, blue = images.float().flatten(2).unbind(1)  # each (B, H·W)
    channels = torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], 1)
    means = channels.mean(2)
    centred = channels - means[:, :, None]
    with torch.autocast(images.device.type, enabled=False):
        covariance = centred @ centred.transpose(1, 2) / centred.shape[2]  # (B, 3, 3)
    deviations = (covariance.diagonal(dim1=1, dim2=2) + 1e-5).sqrt()
    covariances = torch.stack([covariance[:, 0, 1], covariance[:, 0, 2], covariance[:, 1, 2]], 1)
    return torch.cat([means, deviations, covariances], 1)


def balancing_offsets(distances: Tensor) -> Tensor:
    """Return offsets (N,) to subtract from distances (M, N), so that each of the N points is the nearest to about M / N
    of the M queries.

    In high dimensions a few points, the hubs, are nearest to most queries (Radovanović et al. 2010, JMLR 11). The
    offsets are the dual potentials of optimal transport between both sets with uniform weights, by Sinkhorn's
    iterations (Cuturi 2013, arXiv:1306.0895) in the log domain.
    """
    costs = distances.cpu().double()  # some devices have no float64
    temperature = REGULARISATION * costs.std() + 1e-12
    potentials = costs.new_zeros(costs.shape[1])
    log_ratio = math.log(costs.shape[0] / costs.shape[1])
    for _ in range(ITERATIONS):
        rows = temperature * torch.logsumexp((potentials - costs) / temperature, 1, keepdim=True)  # (M, 1)
        potentials = -temperature * (torch.logsumexp((-rows - costs) / temperature, 0) - log_ratio)
    return potentials.float().to(distances.device)
