"""The report: one HTML page that holds all that a run has to show, and asks nothing of any network."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from impasto.data.image_grid import tile
from impasto.files import atomic_write
from impasto.reports import curves, pairs
from impasto.reports.diagnostics import Diagnostics, percent
from impasto.reports.embed import Picture, data_uri, drawing, embed, jpeg, lossless, render
from impasto.reports.evaluation import Findings
from impasto.reports.evaluation_text import number
from impasto.reports.run_record import RecordedData, RunRecord, Sample, open_picture
from impasto.reports.time_lapse import write_film, write_loop

MILESTONES = 8
"""Rows of the table that follows the same noise, or the same photos, through training, and its columns."""

ACROSS = 4
"""Pairs of a photo and its painting that stand beside each other in the page."""

SHEET_SIDE, STRIP_SIDE = 2200, 1440
"""The longest side, in pixels, at which a sheet and a strip of paintings are put into the page."""


@dataclass(frozen=True)
class Measure:
    """One number that sums up the run, and what it says."""

    value: str
    meaning: str


def write_report(run: Path) -> Path:
    """Writes ``report.html`` into a run folder, and ``curves.png`` and ``evolution.mp4``/``.webp`` beside it.

    The run may have ended, still go on or have just begun: the page says what is not there yet.

    Returns:
        The path of the page.

    Raises:
        ImpastoError: the folder is no run, or one of its files is damaged.
    """
    record = RunRecord.read(run)
    page = run / "report.html"
    shown: dict[str, Any] = {"curves": None, "film": None, "findings": None}
    if len(record.log):
        drawn = drawing(lambda theme: curves.figure(record, theme))
        shown["curves"] = drawn
        with atomic_write(run / "curves.png") as part:
            part.write_bytes(drawn.light.content)
    if record.samples:
        write_film(record, run / "evolution.mp4")
        write_loop(record, run / "evolution.webp")
        shown["film"] = data_uri((run / "evolution.mp4").read_bytes(), "video/mp4")
    if record.evaluation is not None and record.ended:
        copies = open_picture(record.copies) if record.copies.exists() else None
        shown["findings"] = Findings.of(record.evaluation, copies)
    with atomic_write(page) as part:
        part.write_text(render("page.html", **shown, **_words(record), **_pictures(record)), encoding="utf-8")
    return page


def _words(record: RunRecord) -> dict[str, Any]:
    """Everything on the page that is not a picture."""
    facts, standing = record.facts, Diagnostics.of(record)
    return {
        "run": record.folder.resolve().name,
        "facts": facts,
        "size": record.size,
        "translates": record.translates,
        "paints": record.target == "paintings",
        "domains": record.domains,
        "there_and_back": any(name.endswith(curves.BACK) for name in record.log.columns),
        "after": _named(facts.paintings.spec),
        "start": None if facts.start is None else _named(facts.start),
        "duration": duration(record.log.last("seconds") or 0.0),
        "steps": int(record.log.last("step") or 0),
        "standing": standing,
        "measures": list(_measures(record, standing)) if standing else [],
        "events": record.log.events,
        "details": list(_details(record)),
        "commands": list(_commands(record)),
        "recipe": list(_groups(record.recipe)),
    }


def _pictures(record: RunRecord) -> dict[str, Any]:
    """The paintings on the page, None or empty where there are none yet."""
    newest = record.samples[-1] if record.samples else None
    real = record.real if record.real.exists() else None
    photos = record.photos if record.translates and record.photos.exists() else None
    # While a run goes on, the final paintings are those of an earlier end.
    ended = record.ended and record.paintings.exists()
    return {
        "paintings": _paintings(record) if ended else None,
        "newest": newest,
        "newest_sheet": _newest(record, newest) if newest and not ended else None,
        "photos": _strip(record, photos) if photos else None,
        "real": _sheet(real) if real else None,
        "reverse": _sheet(record.reverse) if record.reverse else None,
        "pair": [_single(record, path) for path in (real, newest.path)] if newest and real else None,
        "photo": _single(record, photos) if photos else None,
        "milestones": [(sample.step, _strip(record, sample.path)) for sample in milestones(record.samples)],
    }


def milestones(samples: tuple[Sample, ...], most: int = MILESTONES) -> list[Sample]:
    """The first sample, the last, and those between that lie closest to equal *ratios* of steps.

    A painter changes most at first: equal distances would show the beginning once and the end many times.
    """
    if not samples:
        return []
    places = np.log1p([sample.step for sample in samples])
    wanted = np.linspace(places[0], places[-1], most)
    nearest = np.abs(places[None, :] - wanted[:, None]).argmin(axis=1)
    return [samples[index] for index in dict.fromkeys(nearest)]


def duration(seconds: float) -> str:
    """A time as people say it: ``48 s``, ``12 min 05 s``, ``3 h 20 min``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minute:02} min"
    return f"{minutes} min {second:02} s" if minutes else f"{second} s"


def _named(spec: str) -> str:
    """The last part of a path, or the name that it is."""
    return PurePath(spec).name or spec


def _measures(record: RunRecord, standing: Diagnostics) -> Iterator[Measure]:
    if standing.real is not None:
        yield Measure(percent(standing.real), f"of its training {standing.target} the discriminator takes for real")
    if standing.heldout is not None:
        yield Measure(percent(standing.heldout), f"of the held-out {standing.target} it takes for real")
    if standing.fake is not None:
        yield Measure(percent(standing.fake), "of the fakes it sees through")
    if standing.spread is not None:
        yield Measure(f"{standing.spread:.2f}", f"spread of the fakes; the real {standing.target} have 1")
    for name in record.log.kids:
        steps, distances = record.log.measured(name)
        best = record.chosen(name)
        last = f"{number(float(distances[-1]))} at the last one, step {steps[-1]:,.0f}"
        if best is None:
            yield Measure(number(float(distances[-1])), f"{name}, at step {steps[-1]:,.0f}")
        else:
            step, lowest = best
            since = f"; {last}" if step < steps[-1] else ", the last one"
            yield Measure(number(lowest), f"{name}: the lowest, at step {step:,}{since}")


def _details(record: RunRecord) -> Iterator[tuple[str, str]]:
    facts, source, photos, log = record.facts, record.facts.paintings, record.facts.photos, record.log
    yield "Turns", record.domains
    yield "Status", facts.status
    yield "Begun", f"{facts.created:%Y-%m-%d %H:%M} {facts.created:%Z}".strip()
    if len(log):
        seen, seconds = log.last("pictures") or 0.0, log.last("seconds") or 0.0
        yield "Training time", duration(seconds)
        yield "Steps", f"{log.last('step'):,.0f}"
        if photos is not None:
            yield "Photos shown", _shown(seen, photos)
        yield "Paintings shown", _shown(seen, source)
        if seconds:
            yield "Speed", f"{seen / seconds:,.1f} pictures a second"
        _, memory = log.measured("memory")
        if len(memory):
            yield "Peak memory", f"{memory.max() / 2**30:.2f} GiB"
    asked = f", {facts.total_steps:,} steps" if facts.total_steps is not None else ""
    yield "Budget", f"{facts.budget}{asked}"
    yield "Device", f"{facts.device}, {facts.precision}"
    yield "Seed", str(facts.seed)
    if facts.start is not None:
        yield "Started from", facts.start
    yield from _source("Paintings", source)
    if photos is not None:
        yield from _source("Photos", photos)
    yield "impasto", facts.impasto


def _shown(seen: float, source: RecordedData) -> str:
    times = seen / max(source.learned, 1)
    return f"{seen:,.0f}, each about {times:,.{0 if times >= 10 else 1}f} times"


def _source(kind: str, source: RecordedData) -> Iterator[tuple[str, str]]:
    yield kind, source.spec
    yield f"{kind}: fingerprint", source.fingerprint
    yield f"{kind} used", f"{source.learned:,} to learn from, {source.heldout:,} held out"
    yield f"{kind} left out", f"{source.left_out:,} unusable, {source.duplicates:,} duplicate"


def _commands(record: RunRecord) -> Iterator[tuple[str, str]]:
    """What to type next, as a shell takes it, and what it is for."""
    facts, run = record.facts, str(record.folder)
    if record.paintings.exists() and record.translates:
        inputs, made = ("PHOTO…", "paintings") if record.target == "paintings" else ("PAINTING…", "photos")
        yield f"Make {made}", f"impasto paint {inputs} {shlex.join(['--style', run, '--out', made])}"
    elif record.paintings.exists():
        yield (
            "More paintings",
            shlex.join(["impasto", "generate", run, "--count", "16", "--out", "paintings"]),
        )
    if facts.status != "finished":
        yield "Go on with this training", shlex.join(["impasto", "train", "--resume", run])
    again = ["impasto", "train", str(record.folder / "recipe.yaml"), "--paintings", facts.paintings.spec]
    again += ["--crop-frames"] if facts.paintings.crop_frames else []
    again += ["--photos", facts.photos.spec] if facts.photos is not None else []
    again += ["--from", facts.start] if facts.start is not None else []
    # The same time is not the same number of steps, on another machine or another day.
    again += ["--budget", f"{facts.total_steps}steps" if facts.total_steps is not None else facts.budget]
    again += ["--seed", str(facts.seed), "--device", facts.device]
    again += [
        "--precision",
        "bf16" if facts.precision.startswith("bf16") else "fp32",
        "--out",
        f"{run}-again",
    ]
    yield "The same training again", shlex.join(again)


def _groups(recipe: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The recipe's single settings under no name, then each group of settings under its own."""
    yield "", [(name, _value(value)) for name, value in recipe.items() if not isinstance(value, Mapping)]
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            yield name, list(_flat(value))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _value(value)


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _paintings(record: RunRecord) -> Picture:
    """The final paintings; those of photos each to the right of its photo."""
    if not record.translates:
        return _sheet(record.paintings)
    return jpeg(pairs.sheet(pairs.painted(record), columns=ACROSS), SHEET_SIDE)


def _newest(record: RunRecord, sample: Sample) -> Picture:
    """The same of a sample."""
    found = pairs.sampled(record, sample)
    return _sheet(sample.path) if found is None else jpeg(pairs.sheet(found, columns=ACROSS), SHEET_SIDE)


def _sheet(path: Path) -> Picture:
    """A sheet of paintings as its file holds it, made smaller only if it is very large."""
    picture = open_picture(path)
    if max(picture.size) <= SHEET_SIDE:
        return embed(path.read_bytes(), "jpeg")
    return jpeg(picture, SHEET_SIDE)


def _single(record: RunRecord, path: Path) -> Picture:
    """The first picture of a sheet, by itself."""
    return lossless(Image.fromarray(record.cells(path)[0, 0]))


def _strip(record: RunRecord, path: Path) -> Picture:
    """The first pictures of a sheet, side by side."""
    first = record.pictures(path)[:MILESTONES]
    return jpeg(tile(first, columns=len(first)), STRIP_SIDE)
