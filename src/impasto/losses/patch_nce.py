"""Contrastive losses: what stood at a place should still be recognised there."""

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_nce(query: Tensor, key: Tensor, temperature: float = 0.07) -> Tensor:
    """The PatchNCE loss of CUT (Park et al. 2020, arXiv:2007.15651, section 3), of one layer's features.

    ``query`` and ``key`` are (B, P, C): features of B pictures, and of what they were made from, at the same P places.
    Each query is to find its key among those of its own picture: the cross-entropy of softmax(cosine similarity /
    ``temperature``), a scalar, log P for blind features. The keys are taken as given: no gradient reaches them.
    """
    with torch.autocast(query.device.type, enabled=False):  # 1 / temperature would enlarge bf16's rounding
        query, key = F.normalize(query.float(), dim=2), F.normalize(key.detach().float(), dim=2)
        similarity = query @ key.transpose(1, 2) / temperature  # (B, P, P)
        return -similarity.log_softmax(2).diagonal(dim1=1, dim2=2).mean()
