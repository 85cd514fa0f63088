"""Settings of the optimisation: Adam, learning-rate schedule, weight averaging and gradient penalties."""

import math
from typing import Literal

from pydantic import Field

from impasto.config.base import Config
from impasto.config.types import Fraction, NotNegative, Positive, Share


class AdamConfig(Config):
    """Adam (Kingma & Ba 2015): learning rate and the decay rates of its two moments."""

    lr: Positive
    betas: tuple[Fraction, Fraction]
    clip_gradient: Positive | None = None  #: largest norm of a step's whole gradient


class PenaltyConfig(Config):
    """Weights of the gradient penalties on the discriminator, 0 for none.

    With ``every`` n they are computed in every n-th step, n times as heavy (lazy regularisation).
    """

    gradient: NotNegative = 0.0  #: WGAN-GP
    r1: NotNegative = 0.0
    r2: NotNegative = 0.0
    every: int = Field(default=1, ge=1, le=1000)


class ScheduleConfig(Config):
    """The learning rate over the budget: warm-up during the fraction ``warmup``, constant until ``decay_from``, then
    decay to 0 at the end, linear or as a cosine.

    ``decay_from: 1`` keeps it constant.
    """

    decay_from: Share
    warmup: Fraction = 0.0
    shape: Literal["linear", "cosine"] = "linear"

    def factor(self, progress: float) -> float:
        """The factor on the learning rate at ``progress`` (0…1) through the budget."""
        rise = min(1.0, progress / self.warmup) if self.warmup else 1.0
        if progress <= self.decay_from:
            return rise
        left = max(0.0, (1.0 - progress) / (1.0 - self.decay_from))
        return rise * (left if self.shape == "linear" else 0.5 - 0.5 * math.cos(math.pi * left))


class EmaConfig(Config):
    """Exponential moving average of the generator: half-life in images, at first ``rampup`` × images so far."""

    halflife: Positive
    rampup: Positive
