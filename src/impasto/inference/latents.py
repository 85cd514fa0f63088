"""Latents to play with: calmer ones, ways from one to the next, and neighbours."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

#: One picture's random numbers, (L,).
Latent = NDArray[np.float32]


def truncated(latent: Latent, limit: float | None) -> Latent:
    """The latent with each normal number at the same place of a normal distribution cut off at ± ``limit``: the smaller
    it is, the calmer and the more alike are the pictures, and each keeps its motif. The truncation of Brock et al. 2019
    (arXiv:1809.11096, section 3.1), mapped rather than drawn again. ``None`` cuts nothing off."""
    if limit is None:
        return latent
    import torch
    from torch.special import ndtr, ndtri

    beyond = ndtr(torch.tensor(-limit, dtype=torch.float64))
    normal = torch.from_numpy(latent.astype(np.float64))
    found: Latent = ndtri(beyond + ndtr(normal) * (1 - 2 * beyond)).float().numpy()
    return found


def between(one: Latent, other: Latent, share: float) -> Latent:
    """On the way from ``one`` (0) to ``other`` (1), along the sphere near which normal latents lie (White 2016,
    arXiv:1609.04468)."""
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    cosine = np.clip(float(np.vdot(one, other)) / max(lengths, 1e-12), -1, 1)
    angle = float(np.arccos(cosine))
    if np.sin(angle) < 1e-6:
        mixed = (1 - share) * one + share * other
    else:
        mixed = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    return mixed.astype(np.float32)


def walk(stops: Sequence[Latent], steps: int, closed: bool) -> Iterator[Latent]:
    """From each stop to the next in ``steps`` steps, slow at the stops; ``closed``, on to the first again, which is not
    repeated."""
    following = [*stops[1:], stops[0]] if closed else stops[1:]
    for stop, goal in zip(stops, following, strict=False):
        for step in range(steps):
            yield between(stop, goal, 0.5 - 0.5 * np.cos(np.pi * step / steps))
    if not closed:
        yield stops[-1]


def around(latent: Latent, reach: float, side: int, rng: np.random.Generator) -> list[Latent]:
    """``side`` × ``side`` neighbours in a plane of two random directions, row by row, itself in the middle. At the
    edges they are turned from it by ``reach`` radians."""
    ways: list[Latent] = []
    for _ in range(2):
        way = rng.standard_normal(len(latent))
        for other in (latent, *ways):
            way -= np.vdot(way, other) / max(np.vdot(other, other), 1e-12) * other
        ways.append(way * np.linalg.norm(latent) / max(np.linalg.norm(way), 1e-12))
    middle = (side - 1) / 2
    found = []
    for row in range(side):
        for column in range(side):
            down, right = (reach * (place - middle) / max(middle, 1) for place in (row, column))
            angle = float(np.hypot(down, right))
            towards = np.zeros_like(latent) if angle == 0 else (right * ways[0] + down * ways[1]) / angle
            found.append((np.cos(angle) * latent + np.sin(angle) * towards).astype(np.float32))
    return found
