"""Explorations of pictures by the simplest means: what a page is made of, for tests of the page alone."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.data import survey
from impasto.exploration.findings import Advice, Colour, Domain, Exploration, Gap, Group, Looks
from impasto.exploration.page import Pictures
from impasto.scores import Value

Pixels = NDArray[np.uint8]
Role = Literal["paintings", "photos"]

ADVICE = Advice(
    what="Train on 128 pixels first", why="It shows after 20 minutes what comes out.", command="impasto train"
)


def blobs(count: int, seed: int = 0, side: int = 64) -> dict[str, Pixels]:
    """Coloured clouds by name, no two alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    return {
        f"{seed}-{i}.jpg": np.asarray(Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC))
        for i, each in enumerate(noise)
    }


def domain(role: Role, pictures: Mapping[str, Pixels], **changes: Any) -> Domain:
    """A domain of pictures that are all 256×256 JPEG without a fault, all of them in the sample."""
    names = list(pictures)
    pixels = np.stack(list(pictures.values())).astype(float)
    features = _features(pictures)
    files = [
        survey.Picture(name=name, format="JPEG", mode="RGB", width=256, height=256, digest=str(i))
        for i, name in enumerate(names)
    ]
    central = np.argsort(-(features @ features.T).mean(axis=1))
    groups = [
        Group(size=len(each), members=[names[i] for i in each]) for each in np.array_split(central, 3) if len(each)
    ]
    found = Domain(
        role=role,
        survey=survey.Survey(source=role, size=64, pictures=files),
        looks=[_looks(name, picture) for name, picture in pictures.items()],
        spreads={},
        histogram=[
            (np.bincount(pixels[..., c].astype(int).ravel(), minlength=256) / pixels[..., c].size).tolist()
            for c in range(3)
        ],
        spectrum=_spectrum(pixels),
        palette=_palette(pixels[:: len(pixels) // 30 + 1].reshape(-1, pixels.shape[1], 3).astype(np.uint8)),
        closely=len(names),
        framed=[],
        marks=[],
        sample=names,
        alike={"pixels": 0.1, "efficientnet-lite0": 0.3},
        typical=[names[i] for i in central[:12]],
        untypical=[names[i] for i in central[::-1][:12]],
        groups=groups,
    )
    return found.model_copy(update=changes)


def pictures(shown: Mapping[str, Pixels], **changes: Any) -> Pictures:
    """What a page shows of a domain made of the same pictures."""
    features = _features(shown)
    similar = (features @ features.T).astype(np.float32)
    order = np.argsort(features @ np.linalg.svd(features)[2][0])
    across = int(np.ceil(len(shown) ** 0.5))
    cells = np.empty((len(shown), 2), np.int64)
    cells[order] = np.stack([np.arange(len(shown)) % across, np.arange(len(shown)) // across], axis=1)
    ordered = similar[np.ix_(order, order)]
    given: dict[str, Any] = {
        "shown": dict(shown), "pixels_matrix": ordered, "features_matrix": ordered**3, "order_pixels": order,
        "order_features": order, "cells": cells,
    }  # fmt: skip
    return Pictures(**given | changes)


def exploration(paintings: Domain, photos: Domain | None = None, **changes: Any) -> Exploration:
    """An exploration of domains, with a gap if there are two."""
    gap = Gap(
        network="efficientnet-lite0",
        counts="1,000 v 300",
        distance=Value(value=0.21, error=0.002, floor=0.007),
        words=["Photos have finer detail than paintings."],
    )
    found = Exploration(
        impasto="0.1.0",
        created=datetime(2026, 11, 25, 9, tzinfo=UTC),
        size=64,
        paintings=paintings,
        photos=photos,
        gap=None if photos is None else gap,
        advice=[ADVICE],
        seconds=41.2,
    )
    return found.model_copy(update=changes)


def _features(shown: Mapping[str, Pixels]) -> NDArray[np.float64]:
    small = np.stack([np.asarray(Image.fromarray(each).resize((8, 8))) for each in shown.values()]).astype(float)
    flat = small.reshape(len(small), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True).clip(1e-9))


def _looks(name: str, picture: Pixels) -> Looks:
    grey = picture.mean(axis=2) / 2.55
    red, green, blue = np.moveaxis(picture.astype(float), 2, 0)
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    return Looks(
        name=name,
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        colourfulness=float(np.hypot(*opponents.std(axis=(1, 2))) + 0.3 * np.hypot(*opponents.mean(axis=(1, 2)))),
        sharpness=float(np.abs(np.diff(grey)).mean()),
        palette=_palette(picture),
    )


def _palette(picture: Pixels) -> list[Colour]:
    indexed = Image.fromarray(picture).quantize(6)
    whole, table = indexed.width * indexed.height, indexed.getpalette() or []
    counted: Sequence[tuple[int, Any]] = sorted(indexed.getcolors() or [], reverse=True)
    return [Colour(hex="#" + bytes(table[3 * i : 3 * i + 3]).hex(), share=count / whole) for count, i in counted]


def _spectrum(pixels: NDArray[np.float64]) -> list[float]:
    side = pixels.shape[1]
    power = (np.abs(np.fft.fft2(pixels.mean(axis=3), axes=(1, 2))) ** 2).mean(axis=0)
    waves = np.fft.fftfreq(side, 1 / side)
    radius = np.hypot(waves[:, None], waves).round().astype(int)
    rings = np.bincount(radius.ravel(), power.ravel()) / np.bincount(radius.ravel())
    return [float(each) for each in 10 * np.log10(rings[1 : side // 2 + 1] + 1e-9)]
