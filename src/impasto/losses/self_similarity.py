"""Spatially-correlative loss: the layout of a picture, apart from how it looks."""

import torch
import torch.nn.functional as F
from torch import Tensor


def self_similarity(source: Tensor, painted: Tensor, places: Tensor) -> Tensor:
    """How far the self-similarities of two pictures differ, in one layer's features: a scalar, 0 for the same, 2 at
    most.

    Zheng, Cham & Cai 2021, "The Spatially-Correlative Loss for Various Image Translation Tasks" (arXiv:2104.00854),
    equations 1 and 3, on fixed features; the descriptor is Shechtman & Irani's (CVPR 2007). ``source`` and ``painted``
    are maps (B, C, H, W). The cosine similarities of ``places`` (P,), flat indices into H·W, with all places form a row
    each for either picture, which are compared by 1 − their cosine. Features are centred over the places of each
    picture first: what all share says nothing about layout.
    """
    with torch.autocast(source.device.type, enabled=False):
        rows = []
        for maps in (source.float(), painted.float()):
            features = maps.flatten(2)
            features = F.normalize(features - features.mean(2, keepdim=True), dim=1)  # (B, C, H·W)
            rows.append(features[:, :, places].transpose(1, 2) @ features)  # (B, P, H·W)
        return (1 - F.cosine_similarity(rows[0], rows[1], dim=2)).mean()
