"""Spatially-correlative loss: compares the layout of images, independent of their appearance."""

import torch
import torch.nn.functional as F
from torch import Tensor


def self_similarity(source: Tensor, output: Tensor, positions: Tensor) -> Tensor:
    """Return the distance of the self-similarities of two images' features, a scalar: 0 for the same, at most 2.

    Zheng, Cham & Cai 2021, "The Spatially-Correlative Loss for Various Image Translation Tasks" (arXiv:2104.00854),
    equations 1 and 3, on fixed features; the descriptor is that of Shechtman & Irani (CVPR 2007).

    Args:
        source: feature maps (B, C, H, W).
        output: feature maps (B, C, H, W) to compare.
        positions: (P,), flat indices into H·W. Their cosine similarities to all positions are one row each, and rows
            are compared by 1 − cosine.

    Features are centred over the positions of each image first, since their common component is not about layout.
    """
    with torch.autocast(source.device.type, enabled=False):
        rows = []
        for maps in (source.float(), output.float()):
            features = maps.flatten(2)
            features = F.normalize(features - features.mean(2, keepdim=True), dim=1)  # (B, C, H·W)
            rows.append(features[:, :, positions].transpose(1, 2) @ features)  # (B, P, H·W)
        return (1 - F.cosine_similarity(rows[0], rows[1], dim=2)).mean()
