"""Settings of data augmentation."""

import math
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from impasto.config.base import Config
from impasto.config.types import Fraction, Share


class AugmentConfig(Config):
    """Augmentation of a training image: horizontal flip, rotation by up to ``rotate`` degrees, a random crop at a
    random scale, and brightness, contrast and saturation changed by up to the fraction ``color``."""

    flip: bool
    scale: tuple[Annotated[float, Field(ge=0.1, le=1)], Annotated[float, Field(ge=0.1, le=1)]]
    rotate: float = Field(default=0.0, ge=0, le=45)
    color: Fraction = 0.0

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError("the smaller scale comes first")
        return scale

    def stored_size(self, size: int) -> int:
        """The size to store images at, so that a crop at the smallest scale still has ``size`` pixels of its own."""
        return math.ceil(size / self.scale[0])


class DiffAugmentConfig(Config):
    """Differentiable augmentation of all that the discriminator sees: strengths, 0 for none.

    With a ``target``, the probability adapts to the discriminator's overfitting (ADA: Karras et al. 2020,
    arXiv:2006.06676), starting from ``probability``; without, it stays.
    """

    color: Share = 0.0
    translation: Fraction = 0.0
    scale: Fraction = 0.0
    cutout: Fraction = 0.0
    probability: Share = 1.0
    target: Fraction | None = None

    @field_validator("target")
    @classmethod
    def _adapts(cls, target: float | None, info: ValidationInfo) -> float | None:
        if target is not None and not any(info.data.get(part) for part in ("color", "translation", "scale", "cutout")):
            raise ValueError("there is nothing to adapt: set color, translation, scale or cutout too")
        return target
