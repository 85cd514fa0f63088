"""How long a training takes here: by a few real steps, and by how many it took elsewhere to see something."""

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import psutil
import torch

from impasto.config.recipe import Recipe
from impasto.data.loader import Batches, Loader
from impasto.device import Precision, available, choose_layout, open_fabric
from impasto.methods import METHODS
from impasto.training.ema import ModelEma
from impasto.training.memory_estimate import fitting, needed

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: A batch whose step takes so many seconds is large enough: more pictures take in proportion more time.
TELLING = 1.0
#: Seconds and steps after which the speed counts as measured; a first step that takes ``SLOW`` has measured it already.
ENOUGH, STEPS, SLOW = 2.5, 5, 4.0
#: Pictures that the steps learn from.
PICTURES = 8
#: Seconds for which it is listened to what other programs do.
LISTENING = 0.3
#: What samples and scores take beside the steps, at most: a twentieth of the time each.
WATCHING = 1.1


@dataclass(frozen=True)
class SpeedEstimate:
    """How fast a recipe learns, and what it needs for that."""

    seconds_per_step: float  #: of ``batch`` pictures; infinite where not one fits into the memory
    batch: int
    memory: int  #: bytes that the recipe takes, with the batch that it asks for
    free: int | None = None  #: bytes that were free, if known
    fits: int | None = None  #: the largest batch that fits, where that of the recipe does not
    busy: float = 0.0  #: the share of the processors that other programs took just before, 0…1


class Measured(NamedTuple):
    """A training that was watched: after so many steps of so many pictures there was something to see."""

    steps: int
    batch: int
    source: str

    def steps_of(self, batch: int) -> int:
        """About how many steps of another batch do the same: of a smaller one as many pictures; of a larger one by the
        root of how much larger it is, as it learned less from as many pictures (docs/decisions.md, Learning)."""
        ratio = self.batch / batch
        return math.ceil(self.steps * (ratio if ratio > 1 else math.sqrt(ratio)))


#: When pictures are blurred or coarse, but one sees what they will be. By a recipe's name, else by its method.
PREVIEW = {
    "gan": Measured(1_800, 16, "dcgan-64 on 270 Monets"),
    "dcgan-128": Measured(3_600, 16, "twice that of dcgan-64, not measured"),
    "dcgan-256": Measured(7_200, 16, "four times that of dcgan-64, not measured"),
    "progressive": Measured(7_200, 16, "that of dcgan-256, not measured"),
    "projected-64": Measured(250, 16, "projected-64 on 315 Chinese landscapes"),
    "projected-128": Measured(190, 32, "projected-128 on 315 Chinese landscapes"),
    "projected-256": Measured(170, 32, "projected-256 on 270 Monets"),
    "fsesim": Measured(70, 4, "7 minutes of monet at half its size on 285 Monets and 6,677 photos"),
    "cut": Measured(7_000, 1, "one round through the photos of Kaggle's competition, not measured"),
    "cyclegan": Measured(3_000, 1, "the competition's well-known tutorial, 10 rounds through 300 photos"),
    "plain": Measured(229, 7, "cnn at 128 pixels on a hundred photos, 20 rounds, still far from painting"),
}
#: When going on changes little. What is missing there never got so far.
CONVERGED = {
    "gan": Measured(8_700, 16, "dcgan-64 on 270 Monets"),
    "dcgan-128": Measured(17_400, 16, "twice that of dcgan-64, not measured"),
    "dcgan-256": Measured(34_800, 16, "four times that of dcgan-64, not measured"),
    "progressive": Measured(34_800, 16, "that of dcgan-256, not measured"),
    "projected-64": Measured(1_060, 64, "projected-64 on 315 Chinese landscapes"),
    "projected-128": Measured(1_540, 32, "projected-128 on 315 Chinese landscapes"),
    "projected-256": Measured(1_270, 32, "projected-256 on 270 Monets"),
    "fsesim": Measured(1_140, 4, "monet on 285 Monets and 6,677 photos: 1,801 steps, two thirds at half the size"),
    # Park et al. 2020, arXiv:2007.15651: 400 epochs of horse2zebra's 1,334 pictures for CUT, 200 for FastCUT.
    "cut": Measured(534_000, 1, "CUT's 400 rounds through 1,334 pictures in its paper"),
    "fastcut": Measured(267_000, 1, "FastCUT's 200 rounds through 1,334 pictures in its paper"),
    # Zhu et al. 2017, arXiv:1703.10593, appendix: 200 epochs, of 6,853 photos for Monet.
    "cyclegan": Measured(1_371_000, 1, "200 rounds through 6,853 photos in CycleGAN's paper"),
    "cyclegan-unet": Measured(15_000, 32, "a U-Net in Kaggle's competition that reached a MiFID of 37 to 42"),
}


def until(table: dict[str, Measured], recipe: Recipe) -> Measured | None:
    """The watched training that is nearest to a recipe, of :data:`PREVIEW` or :data:`CONVERGED`."""
    return table.get(recipe.name) or table.get(recipe.method)


def seconds(table: dict[str, Measured], recipe: Recipe, estimate_speed: SpeedEstimate) -> float | None:
    """About how long that takes at this estimate_speed; None where nobody got so far."""
    watched = until(table, recipe)
    return (
        None if watched is None else WATCHING * estimate_speed.seconds_per_step * watched.steps_of(estimate_speed.batch)
    )


def about(seconds: float) -> str:
    """A time as one says it: ``about 40 minutes``."""
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
    """Measures a few steps of a training, as the loop makes them, on pictures of noise. torch's global random state
    stays as it was.

    Takes about six seconds and the making of the networks; a step that is slower than that, once. A large batch whose
    step would be slow is measured by a smaller one.
    """
    busy = psutil.cpu_percent(interval=LISTENING) / 100
    fabric = open_fabric(device, precision)
    device = fabric.device  # with its number
    need, free = needed(recipe, fabric), available(device)
    fits = None if need <= free else fitting(recipe, fabric, need, free)
    most = recipe.batch if need <= free else fits
    if most is None:
        return SpeedEstimate(math.inf, recipe.batch, need, free)
    batch = recipe.min_batch
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        steps = _Steps(recipe, fabric)
        took, more = steps.settled(batch), 0.0
        while took < TELLING and batch < most:
            smaller, quicker = batch, took
            batch = min(2 * batch, most)
            took = steps.settled(batch)
            more = (took - quicker) / (batch - smaller)
        if took < SLOW:
            times = [took] if took >= TELLING else []
            while len(times) < STEPS and sum(times) < ENOUGH:
                times.append(steps.time(batch))
            took = sum(times) / len(times)
    # A picture more costs less than the first did; how much less is told by two times, which may be those of a busy
    # moment.
    share = took / batch
    return SpeedEstimate(
        took + (most - batch) * min(max(more or share, share / 2), share), most, need, free, fits, busy
    )


class _Steps:
    """A training's steps one by one, with any batch."""

    def __init__(self, recipe: Recipe, fabric: "Fabric") -> None:
        self.recipe, self.device = recipe, fabric.device
        self.method = METHODS[recipe.method](recipe, fabric)
        self.ema = ModelEma(self.method.style(), recipe.ema.halflife, recipe.ema.rampup)
        shape = (PICTURES, recipe.stored_size, recipe.stored_size, 3)
        self.pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        self.made = 0

    def settled(self, batch: int) -> float:
        """Seconds of the next step; if it seems slow, of the one after it: a GPU's first step of a kind prepares much,
        and to take that for its speed would leave the batch far too small to tell anything."""
        took = self.time(batch)
        again = took >= TELLING and (took < SLOW or self.device.type == "cuda")
        return min(took, self.time(batch)) if again else took

    def time(self, batch: int) -> float:
        """Seconds of the next step, of so many pictures."""
        paintings = self._loader(batch)
        batches = Batches(paintings, self._loader(batch) if self.recipe.translates else None)
        begun = time.perf_counter()
        losses = self.method.step(batches.batch(self.made, progress=self.recipe.peak_memory_at))
        self.made += 1
        self.ema.update(self.method.style(), batch, self.made * batch)
        for loss in losses.values():
            loss.item()  # waits for the device
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - begun

    def _loader(self, batch: int) -> Loader:
        recipe, layout = self.recipe, choose_layout(self.device, self.recipe.normalises_spatially)
        indices = np.arange(PICTURES)
        return Loader(self.pixels, indices, recipe.size, batch, recipe.augment, 0, self.device, layout=layout)
