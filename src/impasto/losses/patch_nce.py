"""Contrastive loss of CUT."""

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_nce(query: Tensor, key: Tensor, temperature: float = 0.07) -> Tensor:
    """Return the PatchNCE loss of one layer's features, a scalar (CUT: Park et al. 2020, arXiv:2007.15651, section 3).

    ``query`` and ``key`` are (B, P, C): features of outputs and inputs at the same P positions. The loss is the
    cross-entropy of softmax(cosine similarity / ``temperature``) with each query's own key as the positive and the
    other keys of the same image as negatives; it is log P for uninformative features. Keys get no gradient.
    """
    with torch.autocast(query.device.type, enabled=False):  # 1 / temperature would amplify bf16 rounding
        query, key = F.normalize(query.float(), dim=2), F.normalize(key.detach().float(), dim=2)
        similarity = query @ key.transpose(1, 2) / temperature  # (B, P, P)
        return -similarity.log_softmax(2).diagonal(dim1=1, dim2=2).mean()
