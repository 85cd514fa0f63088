"""Commands that run styles: ``generate``, ``paint``, ``styles`` and ``submit``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from impasto.cli.app import SCORE, SOURCE, STYLE, USE, Device, Overwrite
from impasto.cli.completion import complete_style
from impasto.cli.results import Result, result_command
from impasto.errors import ImpastoError
from impasto.progress_bar import bar
from impasto.terminal import console, print_lines

PHOTOS = (
    "Photos: files, folders, zips, TFRecord files, '*.jpg', sample:photos, kaggle:NAME, hf:OWNER/NAME, or - to read a "
    "list of files from standard input. Videos and animated GIFs: files, or '*.mp4'."
)


@result_command(panel=USE)
def generate(
    style: Annotated[str, typer.Argument(help=STYLE, autocompletion=complete_style)],
    out: Annotated[
        str,
        typer.Option(
            help="Folder or .zip for single images; .png or .jpg for one sheet; .mp4 or .webp for a video that "
            "interpolates between images."
        ),
    ],
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 16,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same images.")] = 0,
    start: Annotated[int, typer.Option(min=0, help="Number of the first image: skip those before it.")] = 0,
    show: Annotated[
        Literal["paintings", "neighbours", "mixtures"],
        typer.Option(
            help="Content of a sheet: images, neighbours of the first in latent space, or style mixing (structure of "
            "each row, appearance of each column)."
        ),
    ] = "paintings",
    nearest: Annotated[
        str | None, typer.Option(help="Training images: show the nearest ones to each image on a sheet.")
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(help="Truncation threshold for the latent; lower is more typical and less diverse (try 1.5)."),
    ] = None,
    interpolate: Annotated[
        Literal["loop", "walk"] | None,
        typer.Option(help="Interpolation of a video: back to the first image (loop, default) or to the last (walk)."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Seconds of a video from one image to the next.")] = 2.0,
    kind: Annotated[Literal["png", "jpg"], typer.Option("--format", help="Format of single images.")] = "png",
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> Result:
    """Generate images from noise: as files, on one sheet, or as an interpolation video."""
    from impasto.api.generate import generate

    with bar("generating") as advance:
        summary = generate(
            style,
            out,
            count=count,
            seed=seed,
            start=start,
            show=show,
            nearest=nearest,
            truncation=truncation,
            interpolate=interpolate,
            seconds=seconds,
            kind=kind,
            overwrite=overwrite,
            device=device,
            progress=advance,
        )
    made = {"style": style, "out": out, "count": count, "seed": seed, "start": start, "summary": summary}
    return Result(made, partial(print_lines, summary))


@result_command(panel=USE)
def paint(
    photos: Annotated[list[str], typer.Argument(help=PHOTOS)],
    out: Annotated[str, typer.Option(help="Folder or .zip; for one photo or video also a file.")] = "painted",
    style: Annotated[str, typer.Option(help=STYLE, autocompletion=complete_style)] = "monet",
    strength: Annotated[float, typer.Option(min=0, max=1, help="Blend from the photo (0) to the painting (1).")] = 1.0,
    brush: Annotated[
        float, typer.Option(min=0.5, max=4, help="Relative size of the brush strokes; 2 doubles it.")
    ] = 1.0,
    keep_colour: Annotated[bool, typer.Option("--keep-colour", help="Keep the photo's colours.")] = False,
    mood: Annotated[
        list[int] | None,
        typer.Option(help="Use the light and palette of this training painting (a number; list them with --moods)."),
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(help="Use the light and palette of this image file. Several --mood and --like are averaged."),
    ] = None,
    moods: Annotated[
        bool, typer.Option("--moods", help="Write a contact sheet of one photo in every mood, with its number.")
    ] = False,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Translate paintings to photos, with a style that has both directions.")
    ] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Put each photo on the left of its painting.")] = False,
    kind: Annotated[
        Literal["keep", "jpg", "png"],
        typer.Option(
            "--format",
            help="Format of images; keep writes JPEG, PNG and WebP as they are, HEIC as JPEG, others as PNG.",
        ),
    ] = "keep",
    keep_metadata: Annotated[
        bool,
        typer.Option(
            "--keep-metadata",
            help="Copy the photos' EXIF data: date, author, camera and place (GPS).",
        ),
    ] = False,
    films: Annotated[bool, typer.Option("--films", help="Paint the videos in folders too.")] = False,
    engine: Annotated[
        Literal["here", "ray"],
        typer.Option(help="Where to compute; ray uses a Ray cluster, from and to folders and addresses (s3://…)."),
    ] = "here",
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> Result:
    """Stylise photos and videos, each at its own size and under its own name. Run again to resume.

    Files that cannot be painted are listed at the end, and the exit code is 1.
    """
    from impasto.api.paint import paint, paint_moods

    if moods:
        given = mood, like, reverse, compare, kind != "keep", keep_metadata, films, engine != "here"
        if len(photos) > 1 or any(given):
            raise ImpastoError(
                "--moods takes one photo, and only the options --style, --strength, --brush, --keep-colour, --out, "
                "--overwrite and --device."
            )
        with bar("painting") as advance:
            place = paint_moods(
                photos[0],
                out,
                style=style,
                strength=strength,
                brush=brush,
                keep_colour=keep_colour,
                overwrite=overwrite,
                device=device,
                progress=advance,
            )
        return Result({"out": place}, partial(print_lines, f"Contact sheet: {place}"))
    with _resume_hint(), bar("painting") as advance:
        summary = paint(
            photos,
            out,
            style=style,
            strength=strength,
            brush=brush,
            keep_colour=keep_colour,
            mood=mood or (),
            like=like or (),
            reverse=reverse,
            compare=compare,
            kind=kind,
            keep_metadata=keep_metadata,
            films=films,
            engine=engine,
            overwrite=overwrite,
            device=device,
            progress=advance,
        )
    return Result({"style": style} | vars(summary), complete=bool(summary))


@contextmanager
def _resume_hint() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print_lines("Interrupted: run the same command to resume.", file=sys.stderr)
        raise


@result_command(panel=USE)
def styles() -> Result:
    """List the bundled styles, and those in a folder styles/ here."""
    from rich.table import Table
    from rich.text import Text

    from impasto.reports.styles import describe_file, style_record
    from impasto.style import available_styles

    found = available_styles()

    def show() -> None:
        table = Table.grid(padding=(0, 2, 1, 0))
        table.add_column(no_wrap=True, style="bold")
        for name, path in found.items():
            table.add_row(name, Text("\n".join(describe_file(path))))
        console().print(table)
        print_lines("Use one:  impasto generate NAME --out images  or  impasto paint PHOTO --style NAME --out painted")

    return Result({"styles": [{"name": name} | style_record(path) for name, path in found.items()]}, show)


@result_command(panel=SCORE)
def submit(
    style: Annotated[str | None, typer.Argument(help=STYLE, autocompletion=complete_style)] = None,
    named: Annotated[
        str | None, typer.Option("--style", help="The same, as an option.", autocompletion=complete_style)
    ] = None,
    photos: Annotated[str | None, typer.Option(help=f"Photos to stylise, for a translation style. {SOURCE}")] = None,
    out: Annotated[str, typer.Option(help="Output zip.")] = "images.zip",
    count: Annotated[
        int | None,
        typer.Option(help="Number of images, 7,000 to 10,000. Default: 7,000, or all distinct photos."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of an unconditional style.")] = 0,
    check: Annotated[Path | None, typer.Option(help="Check this zip instead of writing one.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing zip.")] = False,
    device: Device = "auto",
) -> Result:
    """Write images.zip for Kaggle's competition 'I'm Something of a Painter Myself', or check one (--check)."""
    if check is not None:
        from impasto.interop.kaggle_submission import check_submission

        report = check_submission(check)
        lines = [f"{check}: {report.count:,} images, valid for the competition."] if report.ok else report.problems
        found = {"zip": check, "images": report.count, "problems": report.problems}
        return Result(found, partial(print_lines, *lines), complete=report.ok)
    style = style or named
    if style is None:
        raise ImpastoError("Give a style, or a zip to --check.")
    if named not in (None, style):
        raise ImpastoError(f"Give one style: {style} or {named}.")
    from impasto.api.submit import submit

    with bar("painting") as advance:
        written = submit(
            style,
            out,
            photos=photos,
            count=count,
            seed=seed,
            overwrite=overwrite,
            device=device,
            progress=advance,
        )
    line = f"{out}: {written:,} images, valid for the competition."
    return Result({"zip": out, "images": written, "problems": []}, partial(print_lines, line))
