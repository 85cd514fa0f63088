"""Report of a run: one self-contained HTML page, made from the run folder without running any network."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from impasto import notebook
from impasto.config.setting_paths import flatten
from impasto.data.image_grid import tile
from impasto.data.loader import FEW_HELDOUT
from impasto.files import atomic_write
from impasto.metrics.formatting import format_number, format_percent
from impasto.reports import pairs
from impasto.reports.curves import REVERSE, draw_curves
from impasto.reports.diagnostics import Diagnostics
from impasto.reports.embed import Picture, data_uri, drawing, embed, jpeg, lossless, render
from impasto.reports.evaluation import Findings
from impasto.reports.figure_style import NEUTRAL, png
from impasto.reports.record_text import base_name, format_duration, setting_text
from impasto.reports.run_record import RecordedData, RunRecord, Sample, open_image
from impasto.reports.time_lapse import write_animation, write_video
from impasto.training.run_dir import RunDir
from impasto.training.trainer import Outcome

MILESTONES = 8
"""Rows and columns of the table of samples through training."""

ACROSS = 4
"""Columns of pairs."""

GRID_SIDE, STRIP_SIDE = 2200, 1440
"""Longest side in pixels of a grid and of a strip of images in the page."""

NOTEBOOK_SIDE, NOTEBOOK_DPI = 800, 80
"""Longest side in pixels of images, and resolution of curves, in a notebook."""


@dataclass(frozen=True)
class KeyFigure:
    """One number that summarises the run, and its meaning."""

    value: str
    meaning: str


def write_report(run: Path) -> Path:
    """Write ``report.html`` into a run folder, with ``curves.png`` and ``evolution.mp4``/``.webp``.

    The run may be finished, running or just started: the page says what is missing.

    Returns:
        The path of the page.

    Raises:
        ImpastoError: the folder is not a run folder, or one of its files is damaged.
    """
    record = RunRecord.read(run)
    page = run / "report.html"
    shown: dict[str, Any] = {"curves": None, "video": None, "findings": None}
    if len(record.log):
        figure = drawing(lambda theme: draw_curves(record, theme))
        shown["curves"] = figure
        with atomic_write(run / "curves.png") as part:
            part.write_bytes(figure.light.content)
    if record.samples:
        write_video(record, run / "evolution.mp4")
        write_animation(record, run / "evolution.webp")
        shown["video"] = data_uri((run / "evolution.mp4").read_bytes(), "video/mp4")
    if record.evaluation is not None and record.ended:
        nearest = open_image(record.copies) if record.copies.exists() else None
        shown["findings"] = Findings.of(record.evaluation, nearest)
    with atomic_write(page) as part:
        part.write_text(render("page.html", **shown, **_text(record), **_images(record)), encoding="utf-8")
    return page


def _text(record: RunRecord) -> dict[str, Any]:
    """Return everything on the page that is not an image."""
    facts, diagnostics = record.facts, Diagnostics.of(record)
    inputs, outputs = record.source, record.target
    return {
        "run": record.folder.resolve().name,
        "facts": facts,
        "size": record.size,
        "recipe_name": record.recipe.get("name", ""),
        "translates": record.translates,
        "task": record.task,
        "inputs": inputs,
        "outputs": outputs,
        "input": inputs.removesuffix("s"),
        "output": outputs.removesuffix("s"),
        "target_data": record.target_data,
        "source_data": record.source_data,
        "shown_in_training": record.source_data is not None and record.source_data.heldout < FEW_HELDOUT,
        "both_directions": any(name.endswith(REVERSE) for name in record.log.columns),
        "data": base_name(facts.paintings.spec),
        "start": None if facts.start is None else base_name(facts.start),
        "duration": format_duration(record.log.last("seconds") or 0.0),
        "steps": int(record.log.last("step") or 0),
        "diagnostics": diagnostics,
        "key_figures": list(_key_figures(record, diagnostics)) if diagnostics else [],
        "events": record.log.events,
        "details": list(_details(record)),
        "commands": list(_commands(record)),
        "recipe": list(_setting_groups(record.recipe)),
    }


def _images(record: RunRecord) -> dict[str, Any]:
    """Return the images on the page, None or empty where there are none yet."""
    newest = record.samples[-1] if record.samples else None
    real = record.real if record.real.exists() else None
    photos = record.photos if record.translates and record.photos.exists() else None
    # During training, the final images are those of an earlier end.
    ended = record.ended and record.paintings.exists()
    return {
        "final": _final(record) if ended else None,
        "newest": newest,
        "newest_grid": _newest(record, newest) if newest and not ended else None,
        "sources": _strip(record, photos) if photos else None,
        "real": _grid(real) if real else None,
        "reverse": _grid(record.reverse) if record.reverse else None,
        "pair": [_single(record, path) for path in (real, newest.path)] if newest and real else None,
        "source": _single(record, photos) if photos else None,
        "milestones": [(sample.step, _strip(record, sample.path)) for sample in milestones(record.samples)],
    }


def milestones(samples: tuple[Sample, ...], most: int = MILESTONES) -> list[Sample]:
    """Return the first sample, the last, and those nearest to logarithmically spaced steps between them.

    Generators change most at first.
    """
    if not samples:
        return []
    steps = np.log1p([sample.step for sample in samples])
    wanted = np.linspace(steps[0], steps[-1], most)
    nearest = np.abs(steps[None, :] - wanted[:, None]).argmin(axis=1)
    return [samples[index] for index in dict.fromkeys(nearest)]


def _key_figures(record: RunRecord, found: Diagnostics) -> Iterator[KeyFigure]:
    if found.real is not None:
        yield KeyFigure(format_percent(found.real), f"discriminator accuracy on training {found.target}")
    if found.heldout is not None:
        yield KeyFigure(format_percent(found.heldout), f"discriminator accuracy on held-out {found.target}")
    if found.fake is not None:
        yield KeyFigure(format_percent(found.fake), "discriminator accuracy on fakes")
    if found.diversity_ratio is not None:
        meaning = f"diversity ratio: pixel standard deviation, fakes / real {found.target}"
        yield KeyFigure(f"{found.diversity_ratio:.2f}", meaning)
    for name in record.log.scores:
        yield KeyFigure(*_score(record, name))


def _score(record: RunRecord, name: str) -> tuple[str, str]:
    """Return the lowest value of a score during training, and a text with those of the best and the last style."""
    steps, values = record.log.series(name)
    step, lowest = int(steps[values.argmin()]), float(values.min())
    best = record.facts.best
    last = "the last one" if step == steps[-1] else f"last: {format_number(values[-1])} at step {steps[-1]:,.0f}"
    if best is not None and best.step == step:
        others = ["the best style", last]
    elif best is not None and (value := record.log.at(name, best.step)) is not None:
        others = [f"best style: {format_number(value)} at step {best.step:,}", last]
    else:
        others = [last]
    return format_number(lowest), f"{name}: lowest, at step {step:,} ({'; '.join(others)})"


def _details(record: RunRecord) -> Iterator[tuple[str, str]]:
    facts, photos, log = record.facts, record.facts.photos, record.log
    yield "Task", record.domains
    yield "Status", facts.status
    yield "Started", f"{facts.created:%Y-%m-%d %H:%M} {facts.created:%Z}".strip()
    if len(log):
        shown, seconds = log.last("pictures") or 0.0, log.last("seconds") or 0.0
        yield "Training time", format_duration(seconds)
        yield "Steps", f"{log.last('step'):,.0f}"
        if photos is not None:
            yield "Photos seen", _epochs(shown, photos)
        yield "Paintings seen", _epochs(shown, facts.paintings)
        if seconds:
            yield "Throughput", f"{shown / seconds:,.1f} images/s"
        _, memory = log.series("memory")
        if len(memory):
            yield "Peak memory", f"{memory.max() / 2**30:.2f} GiB"
    known = facts.total_steps is not None and facts.budget != f"{facts.total_steps}steps"
    steps = f", {facts.total_steps:,} steps" if known else ""
    yield "Budget", f"{facts.budget}{steps}"
    if facts.best is not None:
        yield "Best style", facts.best.sentence()
    yield "Device", f"{facts.device}, {facts.precision}"
    yield "Seed", str(facts.seed)
    if facts.start is not None:
        yield "Initial weights", facts.start
    yield from _data_rows("Paintings", facts.paintings)
    if photos is not None:
        yield from _data_rows("Photos", photos)
    yield "impasto", facts.impasto


def _epochs(shown: float, data: RecordedData) -> str:
    epochs = shown / max(data.trained_on, 1)
    return f"{shown:,.0f} ({epochs:,.{0 if epochs >= 10 else 1}f} epochs)"


def _data_rows(kind: str, data: RecordedData) -> Iterator[tuple[str, str]]:
    yield kind, data.spec
    yield f"{kind}: fingerprint", data.fingerprint
    yield f"{kind}: split", f"{data.trained_on:,} training, {data.heldout:,} held out"
    yield f"{kind}: excluded", f"{data.left_out:,} unreadable or unsuitable, {data.duplicates:,} duplicates"


def _commands(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield commands to run next: purpose and command line."""
    facts, run = record.facts, str(record.folder)
    if record.paintings.exists() and record.translates:
        inputs = "PHOTO…" if record.source == "photos" else "PAINTING…"
        options = shlex.join(["--style", run, "--out", record.target])
        yield f"Translate {record.source}", f"impasto paint {inputs} {options}"
    elif record.paintings.exists():
        yield (
            "Generate paintings",
            shlex.join(["impasto", "generate", run, "--count", "16", "--out", "paintings"]),
        )
    if facts.status != "finished":
        yield "Resume this training", shlex.join(["impasto", "train", "--resume", run])
    again = ["impasto", "train", str(record.folder / "recipe.yaml"), "--paintings", facts.paintings.spec]
    again += ["--crop-frames"] if facts.paintings.crop_frames else []
    again += ["--photos", facts.photos.spec] if facts.photos is not None else []
    again += ["--from", facts.start] if facts.start is not None else []
    # A budget in time would give another number of steps.
    steps = facts.plan or (None if facts.total_steps is None else f"{facts.total_steps}steps")
    again += ["--budget", steps or facts.budget]
    again += ["--seed", str(facts.seed), "--device", facts.device]
    again += [
        "--precision",
        "bf16" if facts.precision.startswith("bf16") else "fp32",
        "--out",
        f"{run}-again",
    ]
    yield "Reproduce this training", shlex.join(again)


def _setting_groups(recipe: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the recipe's own settings without a name, then each group of settings under its name."""
    yield "", [(name, setting_text(value)) for name, value in recipe.items() if not isinstance(value, Mapping)]
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            yield name, [(key, setting_text(each)) for key, each in flatten(value)]


def _final(record: RunRecord) -> Picture:
    """Return the final images; translations each to the right of its source image."""
    if not record.translates:
        return _grid(record.paintings)
    return jpeg(pairs.pair_grid(pairs.final_pairs(record), columns=ACROSS), GRID_SIDE)


def _newest(record: RunRecord, sample: Sample) -> Picture:
    """Return a sample; translations each to the right of its source image."""
    found = pairs.sample_pairs(record, sample)
    return _grid(sample.path) if found is None else jpeg(pairs.pair_grid(found, columns=ACROSS), GRID_SIDE)


def _grid(path: Path) -> Picture:
    """Embed a grid file as it is, resized only if it is very large."""
    image = open_image(path)
    return embed(path.read_bytes(), "jpeg") if max(image.size) <= GRID_SIDE else jpeg(image, GRID_SIDE)


def _single(record: RunRecord, path: Path) -> Picture:
    """Embed the first image of a grid."""
    return lossless(Image.fromarray(record.cells(path)[0, 0]))


def _strip(record: RunRecord, path: Path) -> Picture:
    """Embed the first images of a grid, side by side."""
    first = record.images(path)[:MILESTONES]
    return jpeg(tile(first, columns=len(first)), STRIP_SIDE)


@notebook.html.register
def _outcome_html(outcome: Outcome) -> str | None:
    return None if outcome.run is None else _run_html(outcome.run)


@notebook.html.register
def _run_html(run: RunDir) -> str:
    """Return status, images, diagnostics and curves of a run."""
    record = RunRecord.read(run.path)
    diagnostics = Diagnostics.of(record)
    parts = [notebook.paragraphs(_status(record))]
    if (images := _notebook_images(record)) is not None:
        images.thumbnail((NOTEBOOK_SIDE, NOTEBOOK_SIDE), Image.Resampling.LANCZOS)
        parts.append(notebook.picture(images, f"{record.target} made from {record.source}"))
    if diagnostics is not None:
        parts.append(notebook.paragraphs(*diagnostics.sentences()))
        parts.append(notebook.table((each.meaning, each.value) for each in _key_figures(record, diagnostics)))
        curves = draw_curves(record, NEUTRAL)
        curves.set_dpi(NOTEBOOK_DPI)
        parts.append(notebook.figure(png(curves), "Training curves"))
    return notebook.section(f"{record.recipe.get('name', '')}: {record.task}", *parts)


def _status(record: RunRecord) -> str:
    log, status, folder = record.log, record.facts.status, str(record.folder)
    length = f"{log.last('step') or 0:,.0f} steps in {format_duration(log.last('seconds') or 0.0)}"
    if status == "stopped":
        return f"Stopped after {length}. To resume: impasto.resume({folder!r})"
    return f"{status.capitalize()}: {length}. Report: {record.folder / 'report.html'}"


def _notebook_images(record: RunRecord) -> Image.Image | None:
    """Return some of the final images, or of the newest sample; translations each to the right of its source image."""
    if record.ended and record.paintings.exists():
        final = pairs.final_pairs(record) if record.translates else None
        path = record.paintings
    elif record.samples:
        final = pairs.sample_pairs(record, record.samples[-1])
        path = record.samples[-1].path
    else:
        return None
    return tile(record.images(path)[:16], columns=8) if final is None else pairs.pair_grid(final[:8], columns=ACROSS)
