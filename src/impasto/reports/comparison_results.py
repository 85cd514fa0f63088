"""Several runs in numbers: the data of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Self

from pydantic import BaseModel

from impasto.config.setting_paths import flatten
from impasto.config.types import Pixels
from impasto.metrics.results import Evaluation
from impasto.reports.record_text import base_name, setting_text
from impasto.reports.run_record import RecordedData, RunRecord


@dataclass(frozen=True)
class Entry:
    """One run of a comparison, with its images."""

    name: str
    record: RunRecord
    evaluation: Evaluation | None = None
    afresh: bool = False
    """Whether it was evaluated for this comparison, against real images that may not be its training images."""
    pictures: Pixels | None = None
    """Samples, (N, S, S, 3), with the same numbers for every run."""
    caption: str = ""
    """What the samples are, such as ``style of step 1,200``."""
    photos: Pixels | None = None
    """Their source images, (N, S, S, 3), of a translation run."""

    @classmethod
    def of_samples(cls, name: str, record: RunRecord, evaluation: Evaluation | None, afresh: bool, count: int) -> Self:
        """Return a run with at most ``count`` of its newest samples and their source images, if there are any."""
        if not record.samples:
            return cls(name, record, evaluation, afresh)
        newest = record.samples[-1]
        reason = "" if record.translates else ", as there is no style yet"
        photos = record.images(record.photos)[:count] if record.translates and record.photos.exists() else None
        pictures = record.images(newest.path)[:count]
        return cls(name, record, evaluation, afresh, pictures, f"samples of step {newest.step:,}{reason}", photos)


class TrainingScore(BaseModel, frozen=True):
    """A score during training: its lowest value and its last."""

    measure: str  #: with network and counts
    lowest: float | None
    step: int | None  #: of the lowest
    last: float


class ComparedRun(BaseModel, frozen=True):
    """One run, in numbers."""

    name: str
    folder: str
    status: str
    created: datetime
    impasto: str
    recipe: str
    families: list[str] = []  #: of the pretrained networks that it is trained against
    size: int  #: side of its images in pixels
    seed: int
    budget: str
    device: str
    precision: str
    pictures: str
    fingerprint: str
    learned: int  #: number of training images
    heldout: int
    domains: str  #: source → target
    photos: str | None  #: photo data set of a translation run
    photos_fingerprint: str | None
    start: str | None  #: the style or run whose weights it started from
    total_steps: int | None
    steps: int
    shown: int  #: images shown in training
    seconds: float
    speed: float | None  #: images per second
    memory: int | None  #: bytes, at most
    cost: float | None  #: at the price of the comparison
    during: list[TrainingScore]
    evaluation: Evaluation | None
    afresh: bool  #: evaluated for this comparison

    @property
    def processor(self) -> str:
        """``CPU`` or ``GPU``."""
        return "CPU" if self.device.startswith("cpu") else "GPU"

    @property
    def remaining(self) -> str:
        """`` of 400`` where not all steps are done."""
        return f" of {self.total_steps:,}" if self.total_steps and self.steps < self.total_steps else ""

    @classmethod
    def of(cls, entry: Entry, price: float | None) -> "ComparedRun":
        """Summarise a run; ``price``: of an hour of training."""
        record, facts = entry.record, entry.record.facts
        log, paintings = record.log, record.facts.paintings
        seconds, shown = log.last("seconds") or 0.0, int(log.last("pictures") or 0)
        _, memory = log.series("memory")
        during = []
        for name in log.scores:
            lowest = log.lowest(name)
            last = float(log.series(name)[1][-1])
            during.append(
                TrainingScore(measure=name, lowest=lowest and lowest[1], step=lowest and lowest[0], last=last)
            )
        return cls(
            name=entry.name,
            folder=str(record.folder),
            status=facts.status,
            created=facts.created,
            impasto=facts.impasto,
            recipe=str(record.recipe.get("name", "")),
            families=sorted(record.feature_families),
            size=record.sample_size,
            seed=facts.seed,
            budget=facts.budget,
            device=facts.device,
            precision=facts.precision,
            pictures=paintings.spec,
            fingerprint=paintings.fingerprint,
            learned=paintings.trained_on,
            heldout=paintings.heldout,
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
    """``comparison.json``: the runs, their differences, the conclusion and warnings."""

    impasto: str
    created: datetime
    against: str | None  #: the real images that all runs were evaluated against for this comparison
    price: float | None  #: of an hour of training
    runs: list[ComparedRun]
    differences: dict[str, dict[str, Any]]  #: by dotted setting name, then by run; a run may lack it
    verdict: str
    warnings: list[str]


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Return a name per folder: as many last parts of its path as make the names distinct."""
    parts = [PurePath(folder.resolve()).parts for folder in folders]
    names = []
    for mine in parts:
        count = 1
        while count < len(mine) and sum(other[-count:] == mine[-count:] for other in parts) > 1:
            count += 1
        names.append("/".join(mine[-count:]))
    return names


def setting_differences(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Return the settings and facts that differ between runs, by dotted name and run; a run may lack a setting."""
    settings = {entry.name: _settings(entry.record) for entry in entries}
    recipes = (name for entry in entries for name, _ in flatten(entry.record.recipe))
    every = dict.fromkeys([*recipes, *(name for entry in entries for name in _facts(entry.record))])
    for kind, sources in (
        ("paintings", [entry.record.facts.paintings for entry in entries]),
        ("photos", [entry.record.facts.photos for entry in entries]),
    ):
        if len({source and source.fingerprint for source in sources}) == 1:
            every.pop(kind, None)  # equal data in different places
    found: dict[str, dict[str, Any]] = {}
    for name in every:
        values = {run: mine[name] for run, mine in settings.items() if name in mine}
        if len(values) < len(settings) or len({setting_text(value) for value in values.values()}) > 1:
            found[name] = values
    return found


def _settings(record: RunRecord) -> dict[str, Any]:
    """Return a recipe by dotted names, with everything else that a training depends on."""
    return dict(flatten(record.recipe)) | _facts(record)


def _facts(record: RunRecord) -> dict[str, Any]:
    facts = record.facts
    found = {
        "seed": facts.seed,
        "budget": facts.budget,
        "device": facts.device,
        "precision": facts.precision,
        "paintings": _data_text(facts.paintings),
        "frames cropped": facts.paintings.crop_frames,
    }
    found |= {"photos": _data_text(facts.photos)} if facts.photos is not None else {}
    found |= {"initial weights": facts.start} if facts.start is not None else {}
    return found | {"impasto": facts.impasto}


def _data_text(data: RecordedData) -> str:
    return f"{base_name(data.spec)}: {data.pictures:,} ({data.fingerprint[:8]})"
