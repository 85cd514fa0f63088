"""Evaluation during training: sample grids, scores, and the choice of the best style."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from impasto.config.types import Features, Pixels
from impasto.data.augment import to_pixels
from impasto.data.image_grid import tile
from impasto.files import atomic_write
from impasto.metrics.candidates import Candidate
from impasto.metrics.choice import Choice
from impasto.training.callbacks import Callback
from impasto.training.run_dir import RunDir
from impasto.training.samples import Samples
from impasto.training.state import TrainingState

#: Images that are scored, always of the same latents or photos.
SCORE_IMAGES = 256


class Scorer(Protocol):
    """Scores generated images by their features."""

    def features(self, images: Pixels) -> list[Features]:
        """Return what images, uint8 (N, S, S, 3), are scored by, each (N, D)."""

    def score(self, features: list[Features]) -> Candidate:
        """Return the scores."""


class Evaluator:
    """Write sample grids of the averaged generators, and score them.

    Attributes:
        candidate: the newest scores, and ``scored_at``, the step at which they were measured.
        best: which style is the best so far, and why.
    """

    def __init__(
        self, run: RunDir, state: TrainingState, samples: Samples, scorer: Scorer | None, callback: Callback
    ) -> None:
        self.run, self.state, self.samples, self.scorer, self.callback = run, state, samples, scorer, callback
        self.candidate: Candidate | None = None
        self.scored_at = 0
        self.best: Choice | None = None

    def write_references(self) -> None:
        """Write grids of real paintings, and of the photos that the samples are translations of."""
        self._write_grid("real", self.run.samples / "real.jpg", to_pixels(self.samples.real()).cpu().numpy())
        if self.samples.data.photos is not None:
            self._write_grid("photos", self.run.samples / "photos.jpg", to_pixels(self.samples.inputs).cpu().numpy())

    def write_samples(self) -> None:
        """Write a grid of samples, always of the same inputs, in each direction of the method."""
        name = f"step-{self.state.step:08d}.jpg"
        self._write_grid("samples", self.run.samples / name, self.samples.grid())
        if self.state.ema_reverse is not None:
            self._write_grid("samples_reverse", self.run.samples / f"reverse-{name}", self.samples.grid(reverse=True))

    def score(self, divisor: int = 1) -> Candidate | None:
        """Score ``SCORE_IMAGES`` / ``divisor`` images, always of the same inputs.

        Returns None without a scorer, or if the deciding score is not finite.
        """
        if self.scorer is None:
            return None
        candidate = self.scorer.score(self.samples.features(SCORE_IMAGES // divisor))
        return candidate if math.isfinite(candidate.value) else None

    def update_best(self) -> bool:
        """Score, and return whether the style is the best so far: one that memorises is not, if another does not."""
        self.candidate, self.scored_at = self.score(), self.state.step
        if self.candidate is None:
            return False
        choice = self.candidate.as_choice(self.state.step)
        if self.best is not None and not self.best.replaced_by(choice):
            return False
        self.best = choice
        return True

    @property
    def current(self) -> Candidate | None:
        """The scores of the weights as they are now; None if they have not been scored."""
        return self.candidate if self.scored_at == self.state.step else None

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {
            "candidate": self.candidate and self.candidate.model_dump(),
            "scored_at": self.scored_at,
            "best": self.best and self.best.model_dump(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned. Earlier versions did not store what decided, so the next style that
        is scored becomes the best one."""
        candidate, best = state.get("candidate"), state.get("best")
        self.candidate = Candidate.model_validate(candidate) if candidate else None
        self.scored_at = state.get("scored_at", 0)
        self.best = Choice.model_validate(best) if best else None

    def _write_grid(self, name: str, path: Path, images: Pixels) -> None:
        grid = tile(images)
        with atomic_write(path) as part:
            grid.save(part, format="JPEG", quality=92, subsampling=0)
        self.callback.on_image(name, self.state.step, np.asarray(grid))
