"""Samples of the averaged generators, made by all processes of a training together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from impasto import parallel
from impasto.config.types import Features, Pixels
from impasto.data.augment import to_pixels
from impasto.data.loader import Batches, Loader, stream_seed
from impasto.training.state import TrainingState


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


class Samples:
    """Images by the averaged generators, always of the same latents or photos, and the features they are scored by.

    Each process makes a contiguous part; the first one, which asks for them, gets all, in order.

    Args:
        state, data: of the training.
        seed: of the training.
        extract: computes features, each (N, D), of images, uint8 (N, S, S, 3); None without scores.
    """

    def __init__(
        self,
        state: TrainingState,
        data: TrainingData,
        seed: int,
        extract: Callable[[Pixels], list[Features]] | None = None,
    ) -> None:
        self.state, self.data, self.seed, self._extract = state, data, seed, extract
        #: Of a sample grid: latents, or photos (N, 3, S, S).
        self.inputs = self._inputs(grid_count(state.recipe.sample_size), "samples")

    def grid(self, reverse: bool = False) -> Pixels:
        """Return the images of a sample grid, uint8 (N, H, W, 3); ``reverse``: in the reverse direction of the method,
        of real paintings."""
        parallel.tell({"grid": {"reverse": reverse}})
        return self.make_grid(reverse)

    def features(self, count: int) -> list[Features]:
        """Return the features, each (n, D), of up to ``count`` images."""
        parallel.tell({"features": {"count": count}})
        return self.make_features(count)

    def make_grid(self, reverse: bool) -> Pixels:
        """Make the part of this process of :meth:`grid`. Return the whole."""
        return parallel.current().join(self._generate(self.real(), reverse) if reverse else self._generate(self.inputs))

    def make_features(self, count: int) -> list[Features]:
        """Make the part of this process of :meth:`features`. Return the whole."""
        if self._extract is None:
            raise ValueError("nothing to extract features by was given")
        return [parallel.current().join(each) for each in self._extract(self._generate(self._inputs(count, "scored")))]

    def real(self) -> Tensor:
        """Return as many real paintings as there are samples in a grid, (N, 3, H, W)."""
        return self.data.train.paintings.load_evenly(len(self.inputs), self.state.recipe.sample_size)

    def _inputs(self, count: int, purpose: str) -> Tensor:
        return self.state.method.inputs(count, stream_seed(self.seed, purpose), self.data.photos)

    @torch.no_grad()
    def _generate(self, inputs: Tensor, reverse: bool = False) -> Pixels:
        """Return this process's part of the images of ``inputs``, computed in batches of the recipe's size, or smaller
        ones where there would be too few for all processes."""
        average = self.state.ema_reverse if reverse else self.state.ema
        assert average is not None
        share = -(-len(inputs) // parallel.current().size)
        batch = min(self.state.recipe.batch, share)
        own = parallel.span(-(-share // batch) * batch, len(inputs))
        if not own.count:
            return np.empty((0, 0, 0, 3), np.uint8)
        with self.state.fabric.autocast():
            images = [
                to_pixels(self.state.method.sample(average.network, each)).cpu().numpy()
                for each in inputs[own.start : own.stop].split(batch)
            ]
        return np.concatenate(images)


def grid_count(size: int) -> int:
    """Return how many images of ``size`` px a sample grid holds: 8×8, or fewer to stay below about 1000 px."""
    return min(8, max(2, 1056 // (size + 2))) ** 2
