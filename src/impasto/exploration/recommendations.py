"""Recommendations for training on an explored data set, each with the numbers it follows from."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from impasto.config.recipe import Recipe
from impasto.data.loader import FEW_HELDOUT, FEW_IMAGES, MIN_IMAGES
from impasto.exploration.issues import find_issues, frames_are_common
from impasto.exploration.phrases import count_noun
from impasto.exploration.recipe_choice import (
    ADAPTIVE,
    MIN_SIZE,
    SMALL,
    fifth_percentile,
    largest_size,
    min_pack_size,
    short_sides,
)
from impasto.exploration.results import Domain, DomainGap, Recommendation
from impasto.exploration.speed import (
    CONVERGED,
    PREVIEW,
    ReferenceRun,
    SpeedEstimate,
    approximate_duration,
    reference_run,
    seconds_until,
)
from impasto.metrics.formatting import SIGNIFICANT, format_number, join_words
from impasto.training.memory_estimate import gigabytes

#: Number of images beyond which more of them add little.
MANY = 5_000
#: KID[efficientnet-lite0] beyond which two domains have little in common: photos are 0.06 from Monet's paintings,
#: classical Chinese paintings 0.18.
LARGE_GAP = 0.15
#: Seconds of the longest training that is proposed (a night), and of one whose speed is unknown.
MAX_SECONDS, DEFAULT_SECONDS = 8 * 3600, 1800
#: Processor load of other programs from which on it is mentioned.
BUSY = 0.3
#: Default number of trials of `impasto tune`.
TRIALS = 30


def recommend(
    paintings: Domain,
    photos: Domain | None,
    gap: DomainGap | None,
    speeds: Mapping[str, SpeedEstimate],
    recipe: Recipe,
    *,
    settings: Sequence[str] = (),
    named: str | None = None,
) -> list[Recommendation]:
    """Return recommendations in the order in which to follow them: fix the data, train, improve.

    Args:
        paintings: results for the paintings.
        photos: results for the photos, if there are any.
        gap: distance between the two.
        speeds: speed estimates by recipe name.
        recipe: the recipe to train, with ``settings`` applied.
        settings: changes of the recipe, such as ``batch=16``, for the commands.
        named: how commands name the recipe, if it is a file.
    """
    plan = _Plan(paintings, photos if recipe.translates else None, recipe, speeds, settings, named or recipe.name)
    return [
        *_memory(plan),
        *_count(plan),
        *(issue for domain in plan.domains for issue in find_issues(domain, recipe)),
        *_packs(plan),
        *_size(plan),
        *(_gap(gap) if gap and plan.photos else ()),
        *_balance(plan),
        *_duration(plan),
        *_train(plan),
        *_augment(plan),
        *_tune(plan),
    ]


@dataclass(frozen=True)
class _Plan:
    """The data and the recipe of a training."""

    paintings: Domain
    photos: Domain | None
    recipe: Recipe
    speeds: Mapping[str, SpeedEstimate]
    settings: Sequence[str]
    named: str

    @property
    def domains(self) -> list[Domain]:
        """The training data."""
        return [self.paintings, *([self.photos] if self.photos else [])]

    @property
    def speed(self) -> SpeedEstimate | None:
        return self.speeds.get(self.recipe.name)

    @property
    def crops_frames(self) -> bool:
        """Whether to crop frames: they are common, or have been cropped by this exploration. Never for packs."""
        inventory = self.paintings.inventory
        cropped = any(image.frame for image in inventory.pictures)
        return not self.paintings.is_pack and (cropped or frames_are_common(self.paintings))

    @property
    def heldout(self) -> int:
        return max(1, round(self.paintings.count * self.recipe.heldout)) if self.recipe.heldout else 0

    @property
    def seconds(self) -> float:
        """Seconds until convergence (or a preview), if known, at most a night."""
        if self.speed is None or not math.isfinite(self.speed.seconds_per_step):
            return DEFAULT_SECONDS
        converged = seconds_until(CONVERGED, self.recipe, self.speed)
        return min(converged or seconds_until(PREVIEW, self.recipe, self.speed) or DEFAULT_SECONDS, MAX_SECONDS)

    def command(self, verb: str, *, out: str, seconds: float | None = None, more: Sequence[str] = ()) -> str:
        """Return the command line."""
        settings = dict(setting.split("=", 1) for setting in self.settings)
        if self.speed and self.speed.fits:
            settings["batch"] = str(self.speed.fits)
        settings |= dict(setting.split("=", 1) for setting in more)
        words = ["impasto", verb, self.named, "--paintings", self.paintings.inventory.source]
        if self.recipe.translates:
            words += ["--photos", self.photos.inventory.source if self.photos else "my-photos"]
        budget = "--budget" if verb == "train" else "--budget-per-trial"
        words += ["--out", out, budget, _budget(self.seconds if seconds is None else seconds)]
        words += ["--crop-frames"] if self.crops_frames else []
        for name, value in settings.items():
            words += ["--set", f"{name}={value}"]
        return shlex.join(words)


def _memory(plan: _Plan) -> Iterator[Recommendation]:
    speed = plan.speed
    if speed is None or speed.free is None or speed.memory <= speed.free:
        return
    reason = (
        f"{plan.recipe.name} with batch {plan.recipe.batch} needs about {gigabytes(speed.memory)} of memory, and "
        f"{gigabytes(speed.free)} are free."
    )
    if speed.fits:
        yield Recommendation(action=f"Reduce the batch size to {speed.fits}.", reason=reason)
    else:
        yield Recommendation(action="Choose a smaller size or recipe.", reason=f"{reason} No batch size fits.")


def _count(plan: _Plan) -> Iterator[Recommendation]:
    count = plan.paintings.count
    paintings = count_noun(count, "painting")
    if count < MIN_IMAGES:
        yield Recommendation(
            action="Find more paintings.",
            reason=f"{paintings} are too few to train on: {MIN_IMAGES} are the minimum, a few hundred are useful.",
        )
    elif count < FEW_IMAGES:
        yield Recommendation(
            action="Find more paintings, or expect the model to reproduce these.",
            reason=f"{paintings} are few enough to be memorised. A few hundred are useful.",
        )
    elif count > MANY:
        yield Recommendation(
            action="Collect no more paintings.",
            reason=f"{paintings} are enough: beyond {MANY:,}, training time and network width matter more.",
        )


def _packs(plan: _Plan) -> Iterator[Recommendation]:
    """Packs that are smaller than the unchanged recipe needs."""
    for domain in plan.domains:
        inventory = domain.inventory
        if domain.at_address:
            yield Recommendation(
                action=f"Download the {domain.role} before training.",
                reason="Training reads images from disks, and only packs from addresses.",
            )
        if not domain.is_pack or inventory.size >= (needed := min_pack_size(Recipe.load(plan.named))):
            continue
        fits = min_pack_size(plan.recipe) <= inventory.size
        yield Recommendation(
            action=f"Pack the {domain.role} again with --size {needed} or more.",
            reason=f"They are packed at {inventory.size} pixels, and {plan.recipe.name} trains on {needed}"
            + (f"; this pack only allows training at {plan.recipe.size}." if fits else "."),
        )


def _size(plan: _Plan) -> Iterator[Recommendation]:
    sides = short_sides(plan.paintings)
    if not sides:
        return
    recipe, allowed = plan.recipe, largest_size(sides)
    median = count_noun(round(np.median(sides)), "pixel")
    distribution = f"The median shorter side is {median}; 95 % reach {fifth_percentile(sides):,.0f}"
    if allowed < recipe.size:
        small = sum(side < recipe.size for side in sides)
        smaller = max(allowed, MIN_SIZE, recipe.min_size)
        yield Recommendation(
            action=f"Train at {smaller} pixels, or without the small paintings."
            if smaller < recipe.size
            else "Find larger paintings.",
            reason=f"{distribution}. {recipe.name} trains at {recipe.size}, for which {small:,} have to be enlarged.",
        )
    elif allowed > recipe.size and not recipe.translates:
        yield Recommendation(
            action=f"Start at {recipe.size} pixels; these images allow up to {allowed}.",
            reason=f"{distribution}. Each doubling makes a step about four times as long and needs more steps.",
        )


def _gap(gap: DomainGap) -> Iterator[Recommendation]:
    kid = gap.distance
    distance = f"KID[{gap.network}] is {format_number(kid.value)}, {gap.counts}"
    if kid.value - max(kid.floor or 0.0, 0.0) <= SIGNIFICANT * (kid.error or 0.0):
        yield Recommendation(
            action="Check that photos and paintings are not the same kind of images.",
            reason=f"They cannot be distinguished, so there is nothing to learn: {distance}.",
        )
    elif kid.value > LARGE_GAP and gap.network == "efficientnet-lite0":
        most = f" {gap.differences[0]}" if gap.differences else ""
        yield Recommendation(
            action="Choose photos of the subjects that the paintings show.",
            reason=f"The domains have little in common: {distance}. Photos and Monet's paintings are at 0.06.{most}",
        )


def _balance(plan: _Plan) -> Iterator[Recommendation]:
    if plan.photos is None or not plan.paintings.count:
        return
    paintings, photos = plan.paintings.count, plan.photos.count
    if photos >= 2 * paintings:
        yield Recommendation(
            action="Use all photos; the domains need not be balanced.",
            reason=f"In one epoch of the {photos:,} photos, each of the {paintings:,} paintings is seen about "
            f"{photos / paintings:.0f} times, with different augmentation. The paintings limit the result, not the "
            "photos.",
        )
    elif photos < FEW_IMAGES:
        yield Recommendation(
            action="Find more photos.",
            reason=f"{count_noun(photos, 'photo')} may be memorised.",
        )


def _augment(plan: _Plan) -> Iterator[Recommendation]:
    """Augmentation of small data sets."""
    count, recipe = plan.paintings.count, plan.recipe
    if not MIN_IMAGES <= count <= SMALL:
        return
    augment, diffaugment = recipe.augment, recipe.diffaugment
    applied = ["flips"] if augment.flip else []
    applied += [f"crops of {augment.scale[0]:.0%} to {augment.scale[1]:.0%} of the side"] * (augment.scale[0] < 1)
    applied += [f"rotations up to {augment.rotate:g}°"] * (augment.rotate > 0)
    applied += ["colour changes"] * (augment.color > 0)
    reason = f"{count:,} paintings are few; {recipe.name} augments them by {join_words(applied) or 'nothing'}."
    if plan.heldout:
        few = ", too few for a reliable result" if plan.heldout < FEW_HELDOUT else ""
        reason += f" {plan.heldout:,} {'is' if plan.heldout == 1 else 'are'} held out to detect memorisation{few}."
    if any((diffaugment.color, diffaugment.translation, diffaugment.scale, diffaugment.cutout)):
        adaptive = ", adapted to its overfitting" if diffaugment.target is not None else ""
        yield Recommendation(
            action="Add no further augmentation: the recipe has enough.",
            reason=f"{reason} DiffAugment is applied to all inputs of the discriminator{adaptive}.",
        )
    else:
        yield Recommendation(
            action="If the discriminator memorises, add adaptive DiffAugment.",
            reason=f"{reason} The progress line and the report show whether it does.",
            command=plan.command("train", out="augmented", more=ADAPTIVE),
        )


def _duration(plan: _Plan) -> Iterator[Recommendation]:
    speed, recipe = plan.speed, plan.recipe
    if speed is None or not math.isfinite(speed.seconds_per_step) or plan.paintings.count < MIN_IMAGES:
        return
    preview, converged = seconds_until(PREVIEW, recipe, speed), seconds_until(CONVERGED, recipe, speed)
    free = "" if speed.free is None else f" of {gigabytes(speed.free)} free"
    steps = _steps(reference_run(PREVIEW, recipe), reference_run(CONVERGED, recipe), speed)
    reason = (
        f"A step of {count_noun(speed.batch, 'image')} takes {format_number(speed.seconds_per_step)} s on this "
        f"machine, and training takes about {steps}. It needs {gigabytes(speed.memory)}{free} memory."
    )
    if speed.busy > BUSY:
        reason += f" Other programs used {speed.busy:.0%} of the processors during this measurement."
    if preview is None:  # a method of a plugin
        return
    if converged is None:
        action = f"Expect a preview after {approximate_duration(preview)}; the time to convergence is unknown."
        yield Recommendation(action=action, reason=reason)
        return
    action = (
        f"Expect a preview after {approximate_duration(preview)} and convergence after "
        f"{approximate_duration(converged)}."
    )
    if converged > MAX_SECONDS:
        half = f"half the size (--set size={recipe.size // 2}), which makes a step about four times as fast"
        other = "the recipe monet" if recipe.translates and recipe.name != "monet" else half
        action += f" If that is too long, use a faster machine or {other}."
    yield Recommendation(action=action, reason=reason)


def _steps(preview: ReferenceRun | None, converged: ReferenceRun | None, speed: SpeedEstimate) -> str:
    """Return the numbers of steps with the reference runs they are derived from."""
    goals = [(run, goal) for run, goal in ((preview, "a preview"), (converged, "convergence")) if run is not None]
    parts = []
    for index, (run, goal) in enumerate(goals):
        last = index + 1 == len(goals) or goals[index + 1][0].source != run.source
        parts.append(f"{run.steps_of(speed.batch):,} steps to {goal}{f' (from {run.source})' if last else ''}")
    return join_words(parts)


def _tune(plan: _Plan) -> Iterator[Recommendation]:
    if plan.paintings.count < MIN_IMAGES or not plan.recipe.tune:
        return
    preview = None if plan.speed is None else seconds_until(PREVIEW, plan.recipe, plan.speed)
    if preview is not None and TRIALS * preview <= 2 * MAX_SECONDS:
        yield Recommendation(
            action="If the result is not good enough, tune the hyperparameters.",
            reason=f"{plan.recipe.name} defines a search space. A trial has to reach a preview, and {TRIALS} of them "
            f"take {approximate_duration(TRIALS * preview)}.",
            command=plan.command("tune", out="trials", seconds=preview),
        )


def _train(plan: _Plan) -> Iterator[Recommendation]:
    if plan.paintings.count >= MIN_IMAGES:
        translates = plan.recipe.translates
        reason = "It translates photos into paintings." if translates else "It generates paintings from noise."
        needs = " It needs photos: give them with --photos." if translates and plan.photos is None else ""
        yield Recommendation(
            action=f"Train {plan.recipe.name}.", reason=reason + needs, command=plan.command("train", out="run")
        )


def _budget(seconds: float) -> str:
    """Round a duration up to a value of ``--budget``."""
    minutes = seconds / 60
    step = 1 if minutes <= 10 else 5 if minutes <= 60 else 30
    rounded = max(2, step * math.ceil(minutes / step))
    return f"{rounded // 60}h" if rounded % 60 == 0 else f"{rounded}m"
