"""What to do before and in a training with the pictures that were explored, and from which number that follows."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from impasto.config.recipe import Recipe, bundled_recipes
from impasto.data.loader import FEW, FEW_HELDOUT, FEWEST
from impasto.data.pixel_store import is_pack
from impasto.exploration.issues import common_frames, find_issues
from impasto.exploration.results import Advice, Domain, Gap
from impasto.exploration.speed import CONVERGED, PREVIEW, Measured, SpeedEstimate, about, seconds, until
from impasto.reports.evaluation_text import SURE, listed, number
from impasto.reports.exploration_text import many
from impasto.training.memory_estimate import gigabytes

if TYPE_CHECKING:
    import torch

#: Up to SOME pictures have to be varied; more than PLENTY teach little that those do not.
SOME, PLENTY = 1_000, 5_000
#: For a DCGAN of a few hundred pictures this did best of what was tried (docs/decisions.md, Learning).
FOR_SOME = ("batch=16", "schedule.decay_from=0.5")
#: Augmentation of all that the discriminator sees, as strong as it memorises: translation as in Zhao et al. 2020
#: (arXiv:2006.10738), half of their colour, the target of Karras et al. 2020 (arXiv:2006.06676).
ADAPTIVE = ("diffaugment.color=0.5", "diffaugment.translation=0.125", "diffaugment.target=0.6")
#: The smallest size that a recipe is brought down to.
SMALLEST = 32
#: KID by efficientnet-lite0 from which on two sets have little in common. Photos are 0.06 from Monets, and classical
#: Chinese paintings 0.18.
FAR = 0.15
#: Seconds of the longest training that is proposed, a night, and of one where nothing is known.
LONGEST, USUAL = 8 * 3600, 1800
#: The share of the processors from which on other programs are worth a word.
BUSY = 0.3
#: Trials that `impasto tune` makes if no number is given.
TRIALS = 30


def choose_recipe(
    sides: Sequence[int],
    translates: bool,
    device: "torch.device",
    named: str | None = None,
    *,
    packed: int | None = None,
) -> tuple[Recipe, list[str]]:
    """The recipe for paintings with these short sides in pixels, and the settings that it was changed by for them.

    ``named``, a recipe's name or a YAML file, is taken instead; a file as it is. ``packed`` is the size of the smallest
    pack that is learned from, as none can be enlarged.
    Raises :class:`impasto.errors.ImpastoError` if there is no such recipe.
    """
    chosen = Recipe.load(named or _fitting(sides, translates, device))
    if named is not None and named not in bundled_recipes():
        return chosen, []
    settings: list[str] = []
    if chosen.generator.network in {"dcgan", "progressive"} and len(sides) <= SOME:
        settings += FOR_SOME
        settings += ADAPTIVE if len(sides) < 2 * FEW else ()
    size, least = chosen.size, max(SMALLEST, chosen.min_size)
    while sides and size // 2 >= least and size > float(np.median(sides)):
        size //= 2
    while packed and size // 2 >= least and least_size(chosen.replace([f"size={size}"])) > packed:
        size //= 2
    settings += [f"size={size}"] if size < chosen.size else []
    return chosen.replace(settings), settings


def least_size(recipe: Recipe) -> int:
    """The size that a pack must have at least for a recipe to learn from it."""
    return recipe.stored_size if recipe.translates else recipe.size


def short_sides(domain: Domain) -> list[int]:
    """What a training has of the pictures' short sides, in pixels: of a pack no more than its size."""
    sides = [picture.short_side for picture in domain.inventory.pictures]
    return [min(side, domain.inventory.size) for side in sides] if is_pack(domain.inventory.source) else sides


def _fitting(sides: Sequence[int], translates: bool, device: "torch.device") -> str:
    """The bundled_recipes recipe that learns best from such pictures on such a device."""
    if translates:
        return "monet"
    larger = ("projected-256", "projected-128") if sides and device.type == "cuda" else ()
    return next((name for name in larger if Recipe.load(name).stored_size <= _low(sides)), "projected-64")


def recommend(
    paintings: Domain,
    photos: Domain | None,
    gap: Gap | None,
    paces: Mapping[str, SpeedEstimate],
    recipe: Recipe,
    *,
    settings: Sequence[str] = (),
    named: str | None = None,
) -> list[Advice]:
    """What follows from an exploration, in the order in which it is to be done: mend, train, and what may help then.

    Args:
        paintings: what was found in the paintings.
        photos: what was found in the photos, if some were given.
        gap: how far the two are from each other.
        paces: how fast recipes learn on this machine, by their names; that of ``recipe`` among them, if known.
        recipe: the recipe to train by, with its ``settings`` already made.
        settings: what it was changed by, such as ``batch=16``, for the command.
        named: what to call the recipe in a command, if it is a file.
    """
    case = _Case(paintings, photos if recipe.translates else None, recipe, paces, settings, named or recipe.name)
    return [
        *_memory(case),
        *_count(case),
        *(advice for domain in case.domains for advice in find_issues(domain, recipe)),
        *_packed(case),
        *_size(case),
        *(_gap(gap) if gap and case.photos else ()),
        *_balance(case),
        *_time(case),
        *_train(case),
        *_vary(case),
        *_search(case),
    ]


@dataclass(frozen=True)
class _Case:
    """What a training would be of, and by."""

    paintings: Domain
    photos: Domain | None
    recipe: Recipe
    paces: Mapping[str, SpeedEstimate]
    settings: Sequence[str]
    named: str

    @property
    def domains(self) -> list[Domain]:
        """What is learned from."""
        return [self.paintings, *([self.photos] if self.photos else [])]

    @property
    def pace(self) -> SpeedEstimate | None:
        return self.paces.get(self.recipe.name)

    @property
    def crops(self) -> bool:
        """Whether to take frames off: they are common, or were taken off already. Of a pack nothing can be."""
        survey = self.paintings.inventory
        cropped = any(picture.frame for picture in survey.pictures)
        return not is_pack(survey.source) and (cropped or common_frames(self.paintings))

    @property
    def heldout(self) -> int:
        return max(1, round(self.paintings.count * self.recipe.heldout)) if self.recipe.heldout else 0

    @property
    def lasting(self) -> float:
        """Seconds until quality, if that is known and no more than a night."""
        if self.pace is None or not math.isfinite(self.pace.seconds_per_step):
            return USUAL
        good = seconds(CONVERGED, self.recipe, self.pace) or seconds(PREVIEW, self.recipe, self.pace)
        return min(good or USUAL, LONGEST)

    def command(self, verb: str, *, out: str, lasting: float | None = None, more: Sequence[str] = ()) -> str:
        """What to type."""
        settings = dict(setting.split("=", 1) for setting in self.settings)
        if self.pace and self.pace.fits:
            settings["batch"] = str(self.pace.fits)
        settings |= dict(setting.split("=", 1) for setting in more)
        words = ["impasto", verb, self.named, "--paintings", self.paintings.inventory.source]
        if self.recipe.translates:
            words += ["--photos", self.photos.inventory.source if self.photos else "my-photos"]
        budget = "--budget" if verb == "train" else "--budget-per-trial"
        words += ["--out", out, budget, _budget(self.lasting if lasting is None else lasting)]
        words += ["--crop-frames"] if self.crops else []
        for name, value in settings.items():
            words += ["--set", f"{name}={value}"]
        return shlex.join(words)


def _memory(case: _Case) -> Iterator[Advice]:
    pace = case.pace
    if pace is None or pace.free is None or pace.memory <= pace.free:
        return
    why = (
        f"{case.recipe.name} with batch {case.recipe.batch} needs about {gigabytes(pace.memory)} of memory, and "
        f"{gigabytes(pace.free)} are free."
    )
    if pace.fits:
        yield Advice(what=f"Take batches of {pace.fits}.", why=why)
    else:
        yield Advice(what="Choose a smaller size or a smaller recipe.", why=f"{why} No batch fits.")


def _count(case: _Case) -> Iterator[Advice]:
    count = case.paintings.count
    if count < FEWEST:
        yield Advice(
            what="Find more paintings.",
            why=f"{many(count, 'painting')} cannot be trained on: it takes {FEWEST}, and a few hundred to learn.",
        )
    elif count < FEW:
        yield Advice(
            what="Find more paintings, or expect copies of these.",
            why=f"{many(count, 'painting')} can be learned by heart. A few hundred make a painter.",
        )
    elif count > PLENTY:
        yield Advice(
            what="Collect no more paintings.",
            why=f"{many(count, 'painting')} are plenty: beyond {PLENTY:,}, time and width count for more.",
        )


def _packed(case: _Case) -> Iterator[Advice]:
    """Packs that are smaller than what the recipe, as it comes, would learn from."""
    for domain in case.domains:
        survey = domain.inventory
        if not is_pack(survey.source) or survey.size >= (least := least_size(Recipe.load(case.named))):
            continue
        fits = least_size(case.recipe) <= survey.size
        yield Advice(
            what=f"Pack the {domain.role} again with --size {least} or more.",
            why=f"They are packed at {survey.size} pixels, and {case.recipe.name} learns from {least}"
            + (f": from this pack it can learn at {case.recipe.size} alone." if fits else "."),
        )


def _size(case: _Case) -> Iterator[Advice]:
    sides = short_sides(case.paintings)
    if not sides:
        return
    recipe, allowed = case.recipe, largest_size(sides)
    median = many(round(np.median(sides)), "pixel")
    short = f"The shorter sides have {median} (median), 95 % of them at least {_low(sides):,.0f}"
    if allowed < recipe.size:
        small = sum(side < recipe.size for side in sides)
        yield Advice(
            what=f"Learn at {smaller} pixels, or do without the small paintings."
            if (smaller := max(allowed, SMALLEST, recipe.min_size)) < recipe.size
            else "Find larger paintings.",
            why=f"{short}; {recipe.name} learns at {recipe.size}, for which {small:,} have to be enlarged.",
        )
    elif allowed > recipe.size and not recipe.translates:
        yield Advice(
            what=f"Begin at {recipe.size} pixels; these pictures would do for {allowed}.",
            why=f"{short}. Each doubling makes a step about four times as long, and takes more of them.",
        )


def largest_size(sides: Sequence[int]) -> int:
    """The largest power of two, up to a recipe's 1,024, that hardly any of these short sides is below."""
    return 1 << min(10, int(math.log2(max(_low(sides), 1))))


def _gap(gap: Gap) -> Iterator[Advice]:
    kid = gap.distance
    distance = f"KID[{gap.network}] {number(kid.value)}, {gap.counts}"
    if kid.value - max(kid.floor or 0.0, 0.0) <= SURE * (kid.error or 0.0):
        yield Advice(
            what="Check that photos and paintings are not the same kind of pictures.",
            why=f"They cannot be told from each other, so there is nothing to learn: {distance}.",
        )
    elif kid.value > FAR and gap.network == "efficientnet-lite0":
        most = f" {gap.words[0]}" if gap.words else ""
        yield Advice(
            what="Choose photos that show what the paintings show.",
            why=f"The two have little in common: {distance}, where photos are 0.06 from Monets.{most}",
        )


def _balance(case: _Case) -> Iterator[Advice]:
    if case.photos is None or not case.paintings.count:
        return
    paintings, photos = case.paintings.count, case.photos.count
    if photos >= 2 * paintings:
        yield Advice(
            what="Use all photos: nothing has to be balanced.",
            why=f"In one round through the {photos:,} photos each of the {paintings:,} paintings is seen about "
            f"{photos / paintings:.0f} times, varied each time. The few paintings limit what is learned, not the "
            "photos.",
        )
    elif photos < FEW:
        yield Advice(
            what="Find more photos.",
            why=f"{many(photos, 'photo')} may be learned by heart.",
        )


def _vary(case: _Case) -> Iterator[Advice]:
    """How a recipe makes few pictures last."""
    count, recipe = case.paintings.count, case.recipe
    if not FEWEST <= count <= SOME:
        return
    augment, later = recipe.augment, recipe.diffaugment
    shown = ["mirrored"] if augment.flip else []
    shown += [f"cut out at {augment.scale[0]:.0%} to {augment.scale[1]:.0%} of the side"] * (augment.scale[0] < 1)
    shown += [f"turned by up to {augment.rotate:g}°"] * (augment.rotate > 0)
    shown += ["recoloured"] * (augment.color > 0)
    why = f"{count:,} paintings are few; {recipe.name} shows them {listed(shown) or 'as they are'}."
    if case.heldout:
        unsure = ", too few to be sure" if case.heldout < FEW_HELDOUT else ""
        why += f" {case.heldout:,} {'is' if case.heldout == 1 else 'are'} held out to notice memorising{unsure}."
    if any((later.color, later.translation, later.scale, later.cutout)):
        follows = " as much as it memorises" if later.target is not None else ""
        yield Advice(
            what="Vary the pictures no further: the recipe does.",
            why=f"{why} What the discriminator sees is varied{follows}.",
        )
    else:
        yield Advice(
            what="If the discriminator memorises, vary all that it sees.",
            why=f"{why} The live line and the report say whether it does.",
            command=case.command("train", out="varied", more=ADAPTIVE),
        )


def _time(case: _Case) -> Iterator[Advice]:
    pace, recipe = case.pace, case.recipe
    if pace is None or not math.isfinite(pace.seconds_per_step) or case.paintings.count < FEWEST:
        return
    look, good = seconds(PREVIEW, recipe, pace), seconds(CONVERGED, recipe, pace)
    free = "" if pace.free is None else f", of {gigabytes(pace.free)} that are free"
    why = (
        f"A step of {many(pace.batch, 'picture')} takes {number(pace.seconds_per_step)} s here, and it takes about "
        f"{_steps(until(PREVIEW, recipe), until(CONVERGED, recipe), pace)}. It needs {gigabytes(pace.memory)} of "
        f"memory{free}."
    )
    if pace.busy > BUSY:
        why += (
            f" Other programs took {pace.busy:.0%} of the processors when that was measured: without them it is faster."
        )
    if look is None or good is None:
        yield Advice(what=f"Expect a first look after {about(look or 0)}; nobody knows more.", why=why)
        return
    what = f"Expect a first look after {about(look)} and quality after {about(good)}."
    if good > LONGEST:
        half = f"half the size (--set size={recipe.size // 2}), of which a step takes about a quarter"
        other = "the recipe monet" if recipe.translates and recipe.name != "monet" else half
        what += f" If that is too long, take a faster machine or {other}."
    yield Advice(what=what, why=why)


def _steps(look: Measured | None, good: Measured | None, pace: SpeedEstimate) -> str:
    """How many steps it took elsewhere, and where."""
    goals = [(each, goal) for each, goal in ((look, "a first look"), (good, "quality")) if each is not None]
    told = []
    for place, (each, goal) in enumerate(goals):
        last = place + 1 == len(goals) or goals[place + 1][0].source != each.source
        told.append(f"{each.steps_of(pace.batch):,} for {goal}{f' (from {each.source})' if last else ''}")
    return listed(told)


def _search(case: _Case) -> Iterator[Advice]:
    if case.paintings.count < FEWEST or not case.recipe.tune:
        return
    look = None if case.pace is None else seconds(PREVIEW, case.recipe, case.pace)
    if look is not None and TRIALS * look <= 2 * LONGEST:
        yield Advice(
            what="If that is not good enough, search for better settings.",
            why=f"{case.recipe.name} says which are worth it. A trial has to last until a first look, and {TRIALS} of "
            f"them take {about(TRIALS * look)}.",
            command=case.command("tune", out="trials", lasting=look),
        )


def _train(case: _Case) -> Iterator[Advice]:
    if case.paintings.count >= FEWEST:
        why = "It paints photos." if case.recipe.translates else "It paints out of nothing."
        needs = " It needs photos: say where they are." if case.recipe.translates and case.photos is None else ""
        yield Advice(what=f"Train {case.recipe.name}.", why=why + needs, command=case.command("train", out="run"))


def _budget(lasting: float) -> str:
    """A round time that is no shorter, as ``--budget`` takes it."""
    minutes = lasting / 60
    step = 1 if minutes <= 10 else 5 if minutes <= 60 else 30
    whole = max(2, step * math.ceil(minutes / step))
    return f"{whole // 60}h" if whole % 60 == 0 else f"{whole}m"


def _low(sides: Sequence[int]) -> float:
    """Nineteen in twenty are at least so long."""
    return float(np.percentile(sides, 5))
