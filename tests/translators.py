"""Styles that paint photos in a way that is known to the pixel."""

import torch
from torch import nn

from impasto.networks import build_generator
from impasto.recipe import Recipe
from impasto.style import Card, Style

RECIPE = {
    "name": "tiny",
    "method": "plain",
    "size": 16,
    "batch": 2,
    "loss": "hinge",
    "generator": {
        "network": "cnn",
        "width": 6,
        "depth": 2,
        "activation": "relu",
        "norm": "none",
        "init_std": 0.02,
        "lr": 1e-3,
        "betas": (0.5, 0.9),
    },
    "discriminator": {
        "network": "cnn",
        "width": 4,
        "depth": 2,
        "activation": "relu",
        "norm": "none",
        "init_std": 0.02,
        "lr": 1e-3,
        "betas": (0.5, 0.9),
    },
    "schedule": {"decay_from": 1},
    "ema": {"halflife": 100, "rampup": 0.1},
    "augment": {"flip": True, "scale": (0.5, 1)},
    "heldout": 0.1,
}


def mirror(sign: float) -> nn.Module:
    """The network that multiplies every value by ``sign``: x = max(x, 0) − max(−x, 0), by two convolutions."""
    network = build_generator(**Recipe.of(RECIPE).painter())
    first, last = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        for weight in (first.weight, last.weight):
            weight.zero_()
        for colour in range(3):
            first.weight[colour, colour, 1, 1], first.weight[colour + 3, colour, 1, 1] = 1, -1
            last.weight[colour, colour, 1, 1], last.weight[colour, colour + 3, 1, 1] = sign, -sign
    return network.eval().requires_grad_(False)


def translator(sign: float = -1.0, identity: float = 0.0) -> Style:
    """A style whose painting of a photo is its negative; with ``sign`` 1, the photo itself."""
    card = Card(
        turns="photos into paintings",
        recipe=Recipe.of(RECIPE | {"identity": identity}).model_dump(mode="json"),
        source={"spec": "monets", "pictures": 300, "heldout": 30},
        photos={"spec": "photos", "pictures": 7028, "heldout": 700},
        steps=1,
        pictures=2,
        seconds=5400.0,
        seed=0,
        created="2026-01-01T00:00:00+00:00",
        impasto="0.1.0",
        licence="CC0-1.0",
    )
    return Style(mirror(sign), card)
