"""Several trainings in numbers: where they differ, which is best, and what keeps them from being compared."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path, PurePath
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from impasto._version import __version__
from impasto.metrics.results import Evaluation, Scores, Side, Value
from impasto.reports.evaluation_text import HIGHER, LOWER, SURE, copying, listed, measured
from impasto.reports.run_record import RecordedData, RunRecord


@dataclass(frozen=True)
class Entry:
    """One run of a comparison, with what is not in its record."""

    name: str
    record: RunRecord
    evaluation: Evaluation | None = None
    afresh: bool = False
    """Whether it was evaluated for this comparison, against pictures that may be others than it learned from."""
    pictures: NDArray[np.uint8] | None = None
    """Paintings, (N, S, S, 3), of the same numbers for every run."""
    painted_at: str = ""
    """What painted them, such as ``its style of step 1,200``."""
    photos: NDArray[np.uint8] | None = None
    """What they are of, (N, S, S, 3), for a run that paints photos."""

    @classmethod
    def of_samples(cls, name: str, record: RunRecord, evaluation: Evaluation | None, afresh: bool, count: int) -> Self:
        """A run with at most ``count`` of its newest samples, and the photos that they are of; without, where there are
        none yet."""
        if not record.samples:
            return cls(name, record, evaluation, afresh)
        newest = record.samples[-1]
        reason = "" if record.translates else ", for it has no style yet"
        photos = record.pictures(record.photos)[:count] if record.translates and record.photos.exists() else None
        pictures = record.pictures(newest.path)[:count]
        return cls(name, record, evaluation, afresh, pictures, f"samples of step {newest.step:,}{reason}", photos)


class Lowest(BaseModel, frozen=True):
    """A measure taken during a training: its lowest, by which the style was chosen, and its last."""

    measure: str  #: with network and counts
    lowest: float | None
    step: int | None  #: of the lowest
    last: float


class Training(BaseModel, frozen=True):
    """One run, in numbers."""

    name: str
    folder: str
    status: str
    created: datetime
    impasto: str
    recipe: str
    size: int  #: of the pictures that it paints
    seed: int
    budget: str
    device: str
    precision: str
    pictures: str
    fingerprint: str
    learned: int
    heldout: int
    domains: str  #: what into what
    photos: str | None  #: that it learned to paint
    photos_fingerprint: str | None
    start: str | None  #: the style or run whose weights it began with
    total_steps: int | None
    steps: int
    shown: int
    seconds: float
    speed: float | None  #: pictures a second
    memory: int | None  #: bytes, at most
    cost: float | None  #: at the price of the comparison
    during: list[Lowest]
    evaluation: Evaluation | None
    afresh: bool  #: evaluated for this comparison

    @property
    def processor(self) -> str:
        """What its hours are hours of."""
        return "CPU" if self.device.startswith("cpu") else "GPU"

    @classmethod
    def of(cls, entry: Entry, price: float | None) -> "Training":
        """What a run's record says."""
        record, facts = entry.record, entry.record.facts
        log, source = record.log, record.facts.paintings
        seconds, shown = log.last("seconds") or 0.0, int(log.last("pictures") or 0)
        _, memory = log.measured("memory")
        during = []
        for name in log.kids:
            best = record.chosen(name)
            last = float(log.measured(name)[1][-1])
            during.append(Lowest(measure=name, lowest=best and best[1], step=best and best[0], last=last))
        return cls(
            name=entry.name,
            folder=str(record.folder),
            status=facts.status,
            created=facts.created,
            impasto=facts.impasto,
            recipe=str(record.recipe.get("name", "")),
            size=record.sample_size,
            seed=facts.seed,
            budget=facts.budget,
            device=facts.device,
            precision=facts.precision,
            pictures=source.spec,
            fingerprint=source.fingerprint,
            learned=source.learned,
            heldout=source.heldout,
            domains=record.domains,
            photos=None if facts.photos is None else facts.photos.spec,
            photos_fingerprint=None if facts.photos is None else facts.photos.fingerprint,
            start=facts.start,
            total_steps=facts.total_steps,
            steps=int(log.last("step") or 0),
            shown=shown,
            seconds=seconds,
            speed=shown / seconds if seconds else None,
            memory=int(memory.max()) if len(memory) else None,
            cost=None if price is None else round(price * seconds / 3600, 4),
            during=during,
            evaluation=entry.evaluation,
            afresh=entry.afresh,
        )


class Comparison(BaseModel, frozen=True):
    """``comparison.json``: the runs, where they differ, and what keeps them from being compared."""

    impasto: str
    created: datetime
    against: str | None  #: the pictures that all were scored against afresh
    price: float | None  #: of an hour of training
    runs: list[Training]
    differences: dict[str, dict[str, Any]]  #: by the setting's dotted name, then by the run's name; runs may lack it
    verdict: str
    warnings: list[str]

    @classmethod
    def of(cls, entries: Sequence[Entry], *, against: str | None = None, price: float | None = None) -> "Comparison":
        """Compares runs, at least one, of different names."""
        runs = [Training.of(entry, price) for entry in entries]
        return cls(
            impasto=__version__,
            created=datetime.now(UTC).replace(microsecond=0),
            against=against,
            price=price,
            runs=runs,
            differences=differences(entries),
            verdict=_verdict(runs),
            warnings=list(_warnings(runs)),
        )


def names(folders: Sequence[Path]) -> list[str]:
    """What different folders are called: by their last parts, as many as tell them apart."""
    parts = [PurePath(folder.resolve()).parts for folder in folders]
    called = []
    for mine in parts:
        kept = 1
        while kept < len(mine) and sum(other[-kept:] == mine[-kept:] for other in parts) > 1:
            kept += 1
        called.append("/".join(mine[-kept:]))
    return called


def differences(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """The settings and facts in which runs differ, by dotted name and run; a run may lack a setting."""
    settings = {entry.name: _settings(entry.record) for entry in entries}
    recipes = (name for entry in entries for name, _ in _flat(entry.record.recipe))
    every = dict.fromkeys([*recipes, *(name for entry in entries for name in _facts(entry.record))])
    for kind, found in (
        ("paintings", [entry.record.facts.paintings for entry in entries]),
        ("photos", [entry.record.facts.photos for entry in entries]),
    ):
        if len({source and source.fingerprint for source in found}) == 1:
            every.pop(kind, None)  # the same are the same wherever they lie
    differ: dict[str, dict[str, Any]] = {}
    for name in every:
        values = {run: mine[name] for run, mine in settings.items() if name in mine}
        if len(values) < len(settings) or len({text(value) for value in values.values()}) > 1:
            differ[name] = values
    return differ


def _settings(record: RunRecord) -> dict[str, Any]:
    """All of a recipe by dotted names, and what else a training depends on."""
    return dict(_flat(record.recipe)) | _facts(record)


def _facts(record: RunRecord) -> dict[str, Any]:
    facts = record.facts
    found = {
        "seed": facts.seed,
        "budget": facts.budget,
        "device": facts.device,
        "precision": facts.precision,
        "paintings": _source(facts.paintings),
        "frames cropped": facts.paintings.crop_frames,
    }
    found |= {"photos": _source(facts.photos)} if facts.photos is not None else {}
    found |= {"started from": facts.start} if facts.start is not None else {}
    return found | {"impasto": facts.impasto}


def _source(source: RecordedData) -> str:
    return f"{PurePath(source.spec).name or source.spec}: {source.pictures:,} ({source.fingerprint[:8]})"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def text(value: object) -> str:
    """A setting as it is read."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


@dataclass(frozen=True)
class Condition:
    """All that must be the same for two scores to be compared."""

    network: str
    counts: str
    size: int
    reals: str
    fingerprint: str  #: of the pictures that the run learned from, where those are the reals
    unseen: bool

    def __str__(self) -> str:
        kind = ", held-out pictures" if self.unseen else ""
        return f"{self.network}, {self.counts}, {self.size}×{self.size} px, against {self.reals}{kind}"

    def unlike(self, other: "Condition") -> list[str]:
        """What is not the same."""
        differs = {
            "network": self.network != other.network,
            "counts": self.counts != other.counts,
            "size": self.size != other.size,
            "real pictures": (self.reals, self.fingerprint) != (other.reals, other.fingerprint),
        }
        return [name for name, found in differs.items() if found]


def conditions(run: Training) -> dict[Condition, Scores]:
    """A run's scores by what they may be compared with; none if it was not scored."""
    if run.evaluation is None:
        return {}
    reals = _reals(run.evaluation.reals)
    learned = "" if run.afresh else run.fingerprint

    def condition(scores: Scores, unseen: bool) -> Condition:
        return Condition(scores.network, scores.counts, scores.size, reals, learned, unseen)

    found = {condition(each, False): each for each in run.evaluation.scores}
    if run.evaluation.unseen is not None:
        found[condition(run.evaluation.unseen, True)] = run.evaluation.unseen
    return found


def _reals(side: Side) -> str:
    return f"{PurePath(side.name).name or side.name} ({side.there:,} pictures)"


def best(measure: str, values: Sequence[Value | None]) -> list[bool]:
    """Which of several runs' values is the best, and which cannot be told from it; none where that is not known, or
    all are alike.

    Two standard errors of the difference are what it takes. The reals are the same, so the errors of two runs are
    somewhat alike and their difference a little surer than this: it errs to the side of not telling apart.
    """
    known = [value for value in values if value is not None and math.isfinite(value.value)]
    if any(_error(value) is None for value in known):
        return [False] * len(values)
    if measure not in LOWER + HIGHER or len(known) < 2:
        return [False] * len(values)
    top = (min if measure in LOWER else max)(known, key=lambda value: value.value)
    found = [
        value is not None
        and abs(value.value - top.value) <= SURE * math.hypot(_error(value) or 0.0, _error(top) or 0.0)
        for value in values
    ]
    return [False] * len(values) if all(found) else found


def _unlike(runs: Sequence[Training]) -> Iterator[str]:
    """The runs whose scores have nothing in common with those of the first that was scored, and why."""
    groups: list[list[Training]] = []
    for run in filter(conditions, runs):
        shared = (group for group in groups if conditions(group[0]).keys() & conditions(run).keys())
        if (group := next(shared, None)) is not None:
            group.append(run)
        else:
            groups.append([run])
    for others in groups[1:]:
        pairs = product(*([each for each in conditions(group[0]) if not each.unseen] for group in (groups[0], others)))
        first, condition = min(pairs, key=lambda pair: len(pair[0].unlike(pair[1])))
        yield (
            f"The scores of {listed([run.name for run in groups[0]])} ({first}) and of "
            f"{listed([run.name for run in others])} ({condition}) cannot be compared: "
            f"other {' and '.join(first.unlike(condition))}. --against PICTURES scores all runs alike."
        )


def _error(value: Value) -> float | None:
    """A standard error; where only an interval of 95 % is known, that of the normal distribution that has it."""
    if value.error is None and value.interval is not None:
        return (value.interval[1] - value.interval[0]) / (2 * 1.96)
    return value.error


def progress(run: Training) -> str:
    """`` of 400`` where a run has not done all of its steps yet."""
    return f" of {run.total_steps:,}" if run.total_steps and run.steps < run.total_steps else ""


def _verdict(runs: Sequence[Training]) -> str:
    """Which run is best by the kernel distance that most runs have in common, as far as that can be told."""
    if len(runs) == 1:
        return "One run: there is nothing to compare it with."
    scored: dict[Condition, list[tuple[Training, Scores]]] = {}
    for run in runs:
        for each, scores in conditions(run).items():
            if "KID" in scores.values:
                scored.setdefault(each, []).append((run, scores))
    condition, shared = max(scored.items(), key=lambda item: len(item[1]), default=(None, []))
    if condition is None or len(shared) < 2:
        return "No two of these runs have scores that can be compared."
    shared.sort(key=lambda pair: pair[1].values["KID"].value)
    numbers = ", ".join(f"{run.name} {measured(scores.values['KID'])}" for run, scores in shared)
    told = f"{shared[0][1].label('KID')}, {condition.counts}: {numbers}"
    top = best("KID", [scores.values["KID"] for _, scores in shared])
    first = [run for (run, _), among in zip(shared, top, strict=True) if among]
    if not first:
        return f"No run can be told to be better than another. {told}."
    copyists = [run.name for run in first if run.evaluation and copying(run.evaluation.copies).level == "by heart"]
    but = f" But {listed(copyists)} learned pictures by heart." if copyists else ""
    if len(first) == 1:
        return f"{first[0].name} is nearest to the reals. {told}.{but}"
    return f"{listed([run.name for run in first])} are nearest, and cannot be told apart. {told}.{but}"


def _warnings(runs: Sequence[Training]) -> Iterator[str]:
    """Whatever a reader should know before comparing, a sentence each."""
    for run in runs:
        if run.status != "finished":
            where = f"at step {run.steps:,}{progress(run)}"
            yield f"{run.name} is not finished: it {'goes on' if run.status == 'running' else 'stopped'} {where}."
    missing = [run.name for run in runs if run.evaluation is None]
    if missing:
        lacks = "has" if len(missing) == 1 else "have"
        yield f"{listed(missing)} {lacks} no score: --against PICTURES scores all runs alike."
    yield from _unlike(runs)
    if len({run.fingerprint for run in runs}) > 1:
        yield "The runs learned from different paintings."
    if len({run.domains for run in runs}) > 1:
        kinds = {
            domains: [run.name for run in runs if run.domains == domains] for domains in (run.domains for run in runs)
        }
        told = (f"{listed(mine)} turn{'s' * (len(mine) == 1)} {domains}" for domains, mine in kinds.items())
        yield f"They do different things: {', '.join(told)}."
    if len({run.photos_fingerprint for run in runs} - {None}) > 1:
        yield "They paint different photos: some are nearer to paintings than others, whoever paints them."
    if len({run.size for run in runs}) > 1:
        yield f"They paint at different sizes: {', '.join(f'{run.name} at {run.size} px' for run in runs)}."
    if (
        len(runs) > 1
        and len({(run.fingerprint, run.size, run.learned, run.photos_fingerprint) for run in runs}) > 1
        and any(run.during for run in runs)
    ):
        yield "What was measured during training was measured of or against other pictures, or at another size."
    if len({(run.device, run.precision) for run in runs}) > 1:
        yield f"Times are of different devices: {', '.join(f'{run.name} on {run.device}' for run in runs)}."
