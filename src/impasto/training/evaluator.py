"""Evaluation during training: sample grids, scores, and the choice of the best style."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.config.types import Pixels
from impasto.data.augment import to_pixels
from impasto.data.image_grid import tile
from impasto.data.loader import Batches, Loader, stream_seed
from impasto.files import atomic_write
from impasto.metrics.candidates import Candidate
from impasto.metrics.choice import Choice
from impasto.training.callbacks import Callback
from impasto.training.ema import ModelEma
from impasto.training.run_dir import RunDir
from impasto.training.state import TrainingState

#: Images that are scored, always of the same latents or photos.
SCORE_IMAGES = 256

#: Scores generated images, uint8 (N, S, S, 3).
Scorer = Callable[[Pixels], Candidate]


@dataclass(frozen=True)
class TrainingData:
    """The data of a training.

    Attributes:
        train: what the networks are trained on.
        heldout: paintings that are never trained on, to measure the discriminator with; None if there are none.
        photos: photos to translate for samples and scores, held out if possible; None for unconditional models.
    """

    train: Batches
    heldout: Batches | None = None
    photos: Loader | None = None


class Evaluator:
    """Generate with the averaged generators: sample grids to look at, and images to score.

    Attributes:
        candidate: the newest scores, and ``scored_at``, the step at which they were measured.
        best: which style is the best so far, and why.
    """

    def __init__(
        self, run: RunDir, state: TrainingState, data: TrainingData, scorer: Scorer | None, callback: Callback
    ) -> None:
        self.run, self.state, self.data, self.scorer, self.callback = run, state, data, scorer, callback
        self.recipe, self.seed = state.recipe, run.facts["seed"]
        self.inputs = self._inputs(grid_count(self.recipe.sample_size), "samples")
        self.candidate: Candidate | None = None
        self.scored_at = 0
        self.best: Choice | None = None

    def write_references(self) -> None:
        """Write grids of real paintings, and of the photos that the samples are translations of."""
        self._write_grid("real", self.run.samples / "real.jpg", to_pixels(self._real()).cpu().numpy())
        if self.data.photos is not None:
            self._write_grid("photos", self.run.samples / "photos.jpg", to_pixels(self.inputs).cpu().numpy())

    def write_samples(self) -> None:
        """Write a grid of samples, always of the same inputs, in each direction of the method."""
        name = f"step-{self.state.step:08d}.jpg"
        self._write_grid("samples", self.run.samples / name, self.generate(self.state.ema, self.inputs))
        if self.state.ema_reverse is not None:
            images = self.generate(self.state.ema_reverse, self._real())
            self._write_grid("samples_reverse", self.run.samples / f"reverse-{name}", images)

    def score(self, divisor: int = 1) -> Candidate | None:
        """Score ``SCORE_IMAGES`` / ``divisor`` images, always of the same inputs.

        Returns None without a scorer, or if the deciding score is not finite.
        """
        if self.scorer is None:
            return None
        candidate = self.scorer(self.generate(self.state.ema, self._inputs(SCORE_IMAGES // divisor, "scored")))
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

    @torch.no_grad()
    def generate(self, average: ModelEma, inputs: Tensor) -> Pixels:
        """Return images, uint8 (N, H, W, 3), by an averaged generator, computed in batches of the recipe's size."""
        with self.state.fabric.autocast():
            images = [self.state.method.sample(average.network, part) for part in inputs.split(self.recipe.batch)]
        return np.concatenate([to_pixels(part).cpu().numpy() for part in images])

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

    def _inputs(self, count: int, purpose: str) -> Tensor:
        return self.state.method.inputs(count, stream_seed(self.seed, purpose), self.data.photos)

    def _real(self) -> Tensor:
        """Return as many real paintings as there are samples, (N, 3, H, W)."""
        return self.data.train.paintings.load_evenly(len(self.inputs), self.recipe.sample_size)

    def _write_grid(self, name: str, path: Path, images: Pixels) -> None:
        grid = tile(images)
        with atomic_write(path) as part:
            grid.save(part, format="JPEG", quality=92, subsampling=0)
        self.callback.on_image(name, self.state.step, np.asarray(grid))


def grid_count(size: int) -> int:
    """Return how many images of ``size`` px a sample grid holds: 8×8, or fewer to stay below about 1000 px."""
    return min(8, max(2, 1056 // (size + 2))) ** 2
