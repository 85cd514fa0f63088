"""Estimate the duration of a training: measured time per step, times the steps of reference runs."""

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import psutil
import torch

from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.data.loader import Batches, Loader
from impasto.device import Precision, available, open_fabric
from impasto.training.ema import ModelEma
from impasto.training.memory_estimate import fitting, needed

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Seconds per step from which on the time is taken to be proportional to the batch size.
MIN_STEP_SECONDS = 1.0
#: Seconds or number of steps to measure; a single step that takes ``SLOW`` seconds is enough.
MAX_SECONDS, MAX_STEPS, SLOW = 2.5, 5, 4.0
#: Number of random images to train on.
IMAGES = 8
#: Seconds over which the processor load of other programs is sampled.
CPU_SAMPLE_SECONDS = 0.3
#: Factor for samples and scores, which take at most a twentieth of the time each.
OVERHEAD = 1.1


@dataclass(frozen=True)
class SpeedEstimate:
    """Training speed and memory of a recipe on a device."""

    seconds_per_step: float  #: at ``batch``; infinite if no batch fits into the memory
    batch: int
    memory: int  #: bytes needed at the recipe's batch size
    free: int | None = None  #: bytes available, if known
    fits: int | None = None  #: largest batch size that fits, if the recipe's does not
    busy: float = 0.0  #: processor load of other programs before the measurement, 0…1


class ReferenceRun(NamedTuple):
    """Number of steps that a training took to reach a goal."""

    steps: int
    batch: int
    source: str

    def steps_of(self, batch: int) -> int:
        """Return the steps at another batch size: as many images at a smaller one; at a larger one fewer steps by the
        square root of the ratio (measured, docs/decisions.md)."""
        ratio = self.batch / batch
        return math.ceil(self.steps * (ratio if ratio > 1 else math.sqrt(ratio)))


#: Steps to a preview: samples are blurred or coarse but recognisable. By recipe name, else by method.
PREVIEW = {
    "gan": ReferenceRun(1_800, 16, "dcgan-64 on 270 Monets"),
    "dcgan-128": ReferenceRun(3_600, 16, "twice that of dcgan-64, not measured"),
    "dcgan-256": ReferenceRun(7_200, 16, "four times that of dcgan-64, not measured"),
    "progressive": ReferenceRun(7_200, 16, "that of dcgan-256, not measured"),
    "projected-64": ReferenceRun(250, 16, "projected-64 on 315 Chinese landscapes"),
    "projected-128": ReferenceRun(190, 32, "projected-128 on 315 Chinese landscapes"),
    "projected-256": ReferenceRun(170, 32, "projected-256 on 270 Monets"),
    "fsesim": ReferenceRun(70, 4, "monet on 285 Monets and 6,677 photos: 7 minutes, at half size"),
    "cut": ReferenceRun(7_000, 1, "one epoch of the Kaggle competition's photos, not measured"),
    "cyclegan": ReferenceRun(3_000, 1, "the competition's tutorial, 10 epochs of 300 photos"),
    "unconstrained": ReferenceRun(229, 7, "cnn at 128 pixels on 100 photos, 20 epochs, not converged"),
}
#: Steps to convergence, after which samples change little. Absent if it was never reached.
CONVERGED = {
    "gan": ReferenceRun(8_700, 16, "dcgan-64 on 270 Monets"),
    "dcgan-128": ReferenceRun(17_400, 16, "twice that of dcgan-64, not measured"),
    "dcgan-256": ReferenceRun(34_800, 16, "four times that of dcgan-64, not measured"),
    "progressive": ReferenceRun(34_800, 16, "that of dcgan-256, not measured"),
    "projected-64": ReferenceRun(1_060, 64, "projected-64 on 315 Chinese landscapes"),
    "projected-128": ReferenceRun(1_540, 32, "projected-128 on 315 Chinese landscapes"),
    "projected-256": ReferenceRun(1_270, 32, "projected-256 on 270 Monets"),
    "fsesim": ReferenceRun(1_140, 4, "monet on 285 Monets and 6,677 photos: 1,801 steps, two thirds at half size"),
    # Park et al. 2020, arXiv:2007.15651: 400 epochs of horse2zebra's 1,334 images for CUT, 200 for FastCUT.
    "cut": ReferenceRun(534_000, 1, "CUT's paper, 400 epochs of 1,334 images"),
    "fastcut": ReferenceRun(267_000, 1, "FastCUT's paper, 200 epochs of 1,334 images"),
    # Zhu et al. 2017, arXiv:1703.10593, appendix: 200 epochs, of 6,853 photos for Monet.
    "cyclegan": ReferenceRun(1_371_000, 1, "CycleGAN's paper, 200 epochs of 6,853 photos"),
    "cyclegan-unet": ReferenceRun(15_000, 32, "a U-Net in the Kaggle competition with a MiFID of 37 to 42"),
}


def reference_run(table: dict[str, ReferenceRun], recipe: Recipe) -> ReferenceRun | None:
    """Return the reference run of :data:`PREVIEW` or :data:`CONVERGED` for a recipe or its method."""
    return table.get(recipe.name) or table.get(recipe.method)


def seconds_until(table: dict[str, ReferenceRun], recipe: Recipe, speed: SpeedEstimate) -> float | None:
    """Return the estimated seconds to :data:`PREVIEW` or :data:`CONVERGED`; None if there is no reference run."""
    run = reference_run(table, recipe)
    return None if run is None else OVERHEAD * speed.seconds_per_step * run.steps_of(speed.batch)


def approximate_duration(seconds: float) -> str:
    """Return an approximate duration as text: ``about 40 minutes``."""
    minutes = seconds / 60
    if minutes < 1.5:
        return "about a minute"
    if minutes < 57.5:
        return f"about {round(minutes) if minutes < 12.5 else 5 * round(minutes / 5)} minutes"
    hours = minutes / 60
    if hours < 1.25:
        return "about an hour"
    if hours < 44:
        return f"about {round(2 * hours) / 2 if hours < 3.75 else round(hours):g} hours"
    days = hours / 24
    return f"about {round(days)} days" if days < 14 else f"about {round(days / 7)} weeks"


def estimate_speed(recipe: Recipe, device: torch.device, precision: Precision) -> SpeedEstimate:
    """Measure a few real training steps on random images, without changing torch's global random state.

    Takes about six seconds plus the construction of the networks, or one step if that is slower. Slow steps of large
    batches are extrapolated from smaller ones.
    """
    busy = psutil.cpu_percent(interval=CPU_SAMPLE_SECONDS) / 100
    fabric = open_fabric(device, precision)
    device = fabric.device  # with its index
    need, free = needed(recipe, fabric), available(device)
    fits = None if need <= free else fitting(recipe, fabric, need, free)
    most = recipe.batch if need <= free else fits
    if most is None:
        return SpeedEstimate(math.inf, recipe.batch, need, free)
    batch = recipe.min_batch
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        timer = _StepTimer(recipe, fabric)
        took, more = timer.time_warm(batch), 0.0
        while took < MIN_STEP_SECONDS and batch < most:
            smaller, quicker = batch, took
            batch = min(2 * batch, most)
            took = timer.time_warm(batch)
            more = (took - quicker) / (batch - smaller)
        if took < SLOW:
            times = [took] if took >= MIN_STEP_SECONDS else []
            while len(times) < MAX_STEPS and sum(times) < MAX_SECONDS:
                times.append(timer.time(batch))
            took = sum(times) / len(times)
    # The marginal cost of an image is below the average one; the estimate from two timings is noisy, so bound it.
    share = took / batch
    return SpeedEstimate(
        took + (most - batch) * min(max(more or share, share / 2), share), most, need, free, fits, busy
    )


class _StepTimer:
    """Runs and times single training steps at any batch size."""

    def __init__(self, recipe: Recipe, fabric: "Fabric") -> None:
        self.recipe, self.device = recipe, fabric.device
        self.method = METHODS[recipe.method](recipe, fabric)
        self.ema = ModelEma(self.method.style(), recipe.ema.halflife, recipe.ema.rampup)
        shape = (IMAGES, recipe.stored_size, recipe.stored_size, 3)
        self.pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        self.made = 0

    def time_warm(self, batch: int) -> float:
        """Return the seconds of the next step, or of the one after it if that is slow: the first step at a batch size
        includes compilation and allocation."""
        took = self.time(batch)
        again = took >= MIN_STEP_SECONDS and (took < SLOW or self.device.type == "cuda")
        return min(took, self.time(batch)) if again else took

    def time(self, batch: int) -> float:
        """Return the seconds of the next step."""
        paintings = self._loader(batch)
        batches = Batches(paintings, self._loader(batch) if self.recipe.translates else None)
        begun = time.perf_counter()
        losses = self.method.step(batches.batch(self.made, progress=self.recipe.peak_memory_at))
        self.made += 1
        self.ema.update(self.method.style(), batch, self.made * batch)
        for loss in losses.values():
            loss.item()  # synchronises with the device
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - begun

    def _loader(self, batch: int) -> Loader:
        recipe = self.recipe
        indices = np.arange(IMAGES)
        return Loader(self.pixels, indices, recipe.size, batch, recipe.augment, 0, self.device)
