"""The recipe ``monet`` as it was when its generator was the network ``painter``: styles that learned by it still load,
and any recipe of CUT can still name that network."""

from typing import Any

from impasto.recipe import Recipe

MONET: dict[str, Any] = {
    "name": "monet",
    "method": "cut",
    "size": 128,
    "batch": 8,
    "loss": "hinge",
    "identity": 2.0,
    "contrast": {"weight": 1.0, "patches": 128, "temperature": 0.07, "identity": False},
    "generator": {"network": "painter", "width": 32, "body": 96, "blocks": 8, "lr": 6.0e-4, "betas": [0.5, 0.99]},
    "discriminator": {"network": "projected", "width": 64, "pixels": 32, "lr": 6.0e-4, "betas": [0.5, 0.99]},
    "schedule": {"decay_from": 0.5},
    "ema": {"halflife": 5000, "rampup": 0.05},
    "augment": {"flip": True, "scale": [0.5, 0.75]},
    "diffaugment": {"translation": 0.125, "scale": 0.2},
    "heldout": 0.05,
}


def monet(*settings: str) -> Recipe:
    """That recipe, with some settings changed."""
    return Recipe.of(MONET).replace(settings)
