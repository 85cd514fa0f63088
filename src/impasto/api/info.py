"""Facts about a file or folder: a picture, a video, a style, a run or a pack."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from impasto.data.decode import decode
from impasto.data.entry import UnreadableError
from impasto.data.formats import identify
from impasto.data.pixel_store import PixelStore, is_pack
from impasto.errors import ImpastoError
from impasto.inference.options import BROADEST, FINEST
from impasto.inference.output_names import VIDEOS
from impasto.inference.settings_metadata import read_settings
from impasto.reports.run_record import RunRecord
from impasto.reports.styles import describe_file, style_record, training_command
from impasto.style import Card, find_style
from impasto.training.run_dir import resume_command

#: A name in a command: of a file or style, but no option, whatever the settings of a foreign file hold.
Name = Annotated[str, Field(pattern=r"^[^-]", max_length=300)]


@dataclass(frozen=True)
class Info:
    """What a file or folder is.

    Attributes:
        path: as it was given.
        kind: what it is.
        lines: facts as text.
        facts: the same as values.
        made_by: the command that makes it again; None if that is unknown.
    """

    path: str
    kind: Literal["picture", "video", "style", "run", "pack"]
    lines: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    made_by: str | None = None


class _PaintSettings(BaseModel):
    style: Name
    photo: Name = "PHOTO"
    strength: float = Field(1.0, ge=0, le=1)
    brush: float = Field(1.0, ge=FINEST, le=BROADEST)
    keep_colour: bool = False
    reverse: bool = False
    compare: bool = False
    mood: list[int] = []
    like: list[Name] = []

    def command(self) -> str:
        words = ["impasto", "paint", self.photo, "--style", self.style]
        for name in ("strength", "brush"):
            if getattr(self, name) != 1:
                words += [f"--{name}", f"{getattr(self, name):g}"]
        words += [
            f"--{name.replace('_', '-')}" for name in ("keep_colour", "reverse", "compare") if getattr(self, name)
        ]
        words += [word for number in self.mood for word in ("--mood", str(number))]
        words += [word for reference in self.like for word in ("--like", reference)]
        return shlex.join([*words, "--out", "painted"])


class _GenerationSettings(BaseModel, extra="forbid"):  # the studio makes images that no command does
    style: Name
    seed: int
    number: int = Field(ge=0)
    truncation: float | None = Field(None, gt=0)
    show: Literal["paintings", "neighbours", "mixtures"] | None = None  #: of a sheet
    count: int = Field(1, ge=1)

    def command(self) -> str:
        words = ["impasto", "generate", self.style, "--seed", str(self.seed), "--start", str(self.number)]
        words += ["--count", str(self.count)]
        words += [] if self.truncation is None else ["--truncation", f"{self.truncation:g}"]
        words += [] if self.show in (None, "paintings") else ["--show", str(self.show)]
        return shlex.join([*words, "--out", "images" if self.show is None else "sheet.png"])


def info(path: str | Path) -> Info:
    """Return what a file or folder is, or the style of that name.

    Raises ImpastoError if it is nothing that impasto makes or reads.
    """
    place = find_style(path)
    if place.is_dir():
        if is_pack(place):
            return _pack(str(path), place)
        if (place / "run.json").exists():
            return _run(str(path), place)
        raise ImpastoError(f"{path} is neither a run folder nor a pack: give a file, or impasto explore for images.")
    if not place.is_file():
        raise ImpastoError(f"There is no file, folder or style {path}: check the path.")
    if place.suffix.lower() == ".safetensors":
        card = Card.load(place)
        made_by = None if card.imported is not None else training_command(card)
        return Info(str(path), "style", describe_file(place), style_record(place), made_by)
    if place.suffix.lower() in VIDEOS:
        return _video(str(path), place)
    return _picture(str(path), place)


def command_of(settings: dict[str, Any]) -> str | None:
    """Return the command that makes a picture with these settings; None if there is none.

    The settings may be anybody's: what they name is quoted, and is no option.
    """
    model = _GenerationSettings if "seed" in settings else _PaintSettings
    try:
        return model.model_validate(settings, strict=False).command()
    except ValidationError:
        return None


def _picture(name: str, path: Path) -> Info:
    try:
        with path.open("rb") as file:
            head = file.read(32)
            if identify(head) is None:
                raise ImpastoError(
                    f"{name} is no picture, video, style, run or pack: impasto has nothing to tell about it."
                )
            data = head + file.read()
        decoded = decode(data)
    except OSError as error:
        raise ImpastoError(f"{name} cannot be read ({error.strerror}): check the path.") from error
    except UnreadableError as error:
        raise ImpastoError(f"{name} cannot be read: {error}.") from error
    settings = read_settings(data)
    facts = {"format": decoded.format, "mode": decoded.mode, "width": decoded.width, "height": decoded.height}
    lines = [f"{decoded.format}, {decoded.width}×{decoded.height} pixels, {decoded.mode}, {len(data) / 1e6:.2f} MB"]
    if settings is None:
        lines.append("no settings of impasto inside")
    else:
        lines.append(", ".join(f"{key} {value}" for key, value in settings.items()))
    command = None if settings is None else command_of(settings)
    return Info(name, "picture", lines, facts | {"bytes": len(data), "settings": settings}, command)


def _video(name: str, path: Path) -> Info:
    from impasto.inference.video.reader import duration, open_video

    with open_video(path) as (_, stream):
        seconds, codec = float(duration(path)), stream.codec_context
        facts = {"codec": codec.name, "width": codec.width, "height": codec.height, "seconds": round(seconds, 3)}
        rate = float(stream.average_rate or 0)
    line = f"{codec.name}, {codec.width}×{codec.height} pixels, {seconds:.1f} s, {rate:.3g} frames per second"
    return Info(name, "video", [line], facts | {"rate": rate})


def _run(name: str, folder: Path) -> Info:
    run = RunRecord.read(folder)
    facts, steps = run.facts, int(run.log.columns["step"][-1]) if len(run.log) else 0
    line = f"recipe {run.recipe['name']}, {facts.status}, {run.domains}, step {steps:,}, budget {facts.budget}"
    values = {"recipe": run.recipe["name"], "steps": steps} | facts.model_dump(exclude={"best"})
    made_by = resume_command(folder) if facts.status != "finished" else None
    best = folder / "best.safetensors"
    if made_by is None and best.exists():
        made_by = training_command(Card.load(best))
    return Info(name, "run", [line], values, made_by)


def _pack(name: str, folder: Path) -> Info:
    summary = PixelStore.open(folder).summary
    images = f"{summary.pictures:,} images of {summary.size}×{summary.size} pixels"
    command = ["impasto", "pack", *summary.sources, name, "--size", str(summary.size)]
    command += ["--crop-frames"] if summary.framed else []
    made_by = shlex.join(command) if len(summary.sources) == 1 else None  # else others were added to it
    return Info(name, "pack", [f"{images}, from {', '.join(summary.sources)}"], {"summary": summary}, made_by)
