"""Operations on latents: truncation, interpolation and neighbourhoods."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.special import ndtr, ndtri

#: Latent vector of one image, (L,).
Latent = NDArray[np.float32]


def truncated(latent: Latent, limit: float | None) -> Latent:
    """Map a normal latent to a normal distribution truncated at ±``limit``, by quantiles; None returns it unchanged.

    Lower limits give more typical and less diverse images; each keeps its motif. The truncation trick of Brock et al.
    2019 (arXiv:1809.11096, section 3.1), mapped instead of resampled.
    """
    if limit is None:
        return latent
    beyond = ndtr(torch.tensor(-limit, dtype=torch.float64))
    normal = torch.from_numpy(latent.astype(np.float64))
    mapped: Latent = ndtri(beyond + ndtr(normal) * (1 - 2 * beyond)).float().numpy()
    return mapped


def slerp(one: Latent, other: Latent, share: float) -> Latent:
    """Interpolate spherically from ``one`` (0) to ``other`` (1) (White 2016, arXiv:1609.04468)."""
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    cosine = np.clip(float(np.vdot(one, other)) / max(lengths, 1e-12), -1, 1)
    angle = float(np.arccos(cosine))
    if np.sin(angle) < 1e-6:
        mixed = (1 - share) * one + share * other
    else:
        mixed = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    return mixed.astype(np.float32)


def walk(stops: Sequence[Latent], steps: int, closed: bool) -> Iterator[Latent]:
    """Yield latents from each stop to the next in ``steps`` steps, with ease-in and ease-out; ``closed`` returns to the
    first stop, which is not repeated."""
    following = [*stops[1:], stops[0]] if closed else stops[1:]
    for stop, goal in zip(stops, following, strict=False):
        for step in range(steps):
            yield slerp(stop, goal, 0.5 - 0.5 * np.cos(np.pi * step / steps))
    if not closed:
        yield stops[-1]


def around(latent: Latent, reach: float, side: int, rng: np.random.Generator) -> list[Latent]:
    """Return ``side`` × ``side`` neighbours in a plane of two random directions, row by row, the latent itself in the
    middle; those at the edges are rotated by ``reach`` radians."""
    directions: list[Latent] = []
    for _ in range(2):
        direction = rng.standard_normal(len(latent))
        for other in (latent, *directions):
            direction -= np.vdot(direction, other) / max(np.vdot(other, other), 1e-12) * other
        directions.append(direction * np.linalg.norm(latent) / max(np.linalg.norm(direction), 1e-12))
    middle = (side - 1) / 2
    neighbours = []
    for row in range(side):
        for column in range(side):
            down, right = (reach * (place - middle) / max(middle, 1) for place in (row, column))
            angle = float(np.hypot(down, right))
            towards = np.zeros_like(latent) if angle == 0 else (right * directions[0] + down * directions[1]) / angle
            neighbours.append((np.cos(angle) * latent + np.sin(angle) * towards).astype(np.float32))
    return neighbours
