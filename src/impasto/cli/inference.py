"""The verbs that make paintings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from impasto.cli.app import SOURCE, STYLE, Device, app
from impasto.cli.progress_bar import bar
from impasto.errors import ImpastoError

PHOTOS = (
    "Films, pictures, folders, zips, TFRecord files, '*.jpg', sample:photos, kaggle:NAME, or - for a list of files."
)


@app.command()
def generate(
    style: Annotated[str, typer.Argument(help=STYLE)],
    out: Annotated[
        Path,
        typer.Option(help="A folder or a .zip; a .png or .jpg for one sheet; an .mp4 or .webp for a film."),
    ],
    count: Annotated[int, typer.Option(min=1, help="How many paintings.")] = 16,
    seed: Annotated[int, typer.Option(help="The same seed gives the same paintings.")] = 0,
    start: Annotated[int, typer.Option(min=0, help="The number of the first one: skip those before.")] = 0,
    show: Annotated[
        Literal["paintings", "neighbours", "mixtures"],
        typer.Option(help="On a sheet: paintings, those around the first, or the forms of each in the others' manner."),
    ] = "paintings",
    nearest: Annotated[
        str | None, typer.Option(help="Beside each on a sheet, the pictures here that it is most like.")
    ] = None,
    truncation: Annotated[float | None, typer.Option(help="Calmer the smaller: 1.5; below 1 they fade.")] = None,
    interpolate: Annotated[
        Literal["loop", "walk"] | None,
        typer.Option(help="How a film goes from painting to painting: back to the first (loop), or to the last."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Of a film, from painting to painting.")] = 2.0,
    kind: Annotated[Literal["png", "jpg"], typer.Option("--format")] = "png",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file, or in a folder the pictures of the same names.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Make new paintings out of nothing: as files, on one sheet, or as a film that goes from each to the next."""
    from impasto.api.generate import frames, generate

    with bar("painting", frames(count, out, show, interpolate, seconds)) as advance:
        told = generate(
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
    print(told)


@app.command()
def paint(
    photos: Annotated[list[str], typer.Argument(help=PHOTOS)],
    out: Annotated[str, typer.Option(help="A folder, a .zip, or for one photo or film a file.")] = "painted",
    style: Annotated[str, typer.Option(help=STYLE)] = "monet",
    strength: Annotated[float, typer.Option(min=0, max=1, help="From 0, the photo, to 1, the painting.")] = 1.0,
    brush: Annotated[
        float, typer.Option(min=0.5, max=4, help="The size of the strokes against the picture: 2 is twice as large.")
    ] = 1.0,
    keep_colour: Annotated[bool, typer.Option("--keep-colour", help="Paint in the photo's colours.")] = False,
    mood: Annotated[
        list[int] | None,
        typer.Option(help="Paint in the light and palette of this training painting (a number; see --moods)."),
    ] = None,
    like: Annotated[
        list[str] | None, typer.Option(help="The same of any picture, a file. Several --mood and --like are mixed.")
    ] = None,
    moods: Annotated[
        bool, typer.Option("--moods", help="Paint one photo small in every mood, numbered, on a sheet.")
    ] = False,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Make photos of paintings, with a style that has both directions.")
    ] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Put each photo on the left of its painting.")] = False,
    kind: Annotated[
        Literal["keep", "jpg", "png"],
        typer.Option("--format", help="keep writes JPEG, PNG and WebP as they were, and all others as PNG."),
    ] = "keep",
    engine: Annotated[
        Literal["here", "ray"],
        typer.Option(help="ray: on a Ray cluster, from a folder or an address (s3://…) to another."),
    ] = "here",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a zip, or in a folder the pictures of the same names.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Paint photos and films, each at its own size and under its own name; after a stop, go on.

    What cannot be painted is named at the end, and is no reason to stop; the exit code is then 1.
    """
    from impasto.api.paint import paint_all, show_moods

    if moods:
        if len(photos) > 1 or mood or like or reverse or compare or kind != "keep" or engine != "here":
            raise ImpastoError(
                "--moods shows one photo in every mood: give one photo, and of the other options no more than --style, "
                "--strength, --brush, --keep-colour, --out, --overwrite and --device."
            )
        with bar("painting") as advance:
            place = show_moods(
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
        print(f"Contact sheet: {place}")
        return
    with _going_on(), bar("painting") as advance:
        complete = paint_all(
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
            engine=engine,
            overwrite=overwrite,
            device=device,
            progress=advance,
        )
    if not complete:
        raise typer.Exit(1)


@contextmanager
def _going_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print("Stopped: the same command goes on.", file=sys.stderr)
        raise


@app.command()
def styles() -> None:
    """List the styles that come with impasto or lie in a folder styles/ here: painters that need no training."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from impasto.reports.styles import list_styles

    table = Table.grid(padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True, style="bold")
    for name, lines in list_styles():
        table.add_row(name, Text("\n".join(lines)))
    Console().print(table)
    print("Paint with one:  impasto generate NAME --out paintings  or  impasto paint PHOTO --style NAME --out painted")


@app.command()
def submit(
    style: Annotated[str | None, typer.Argument(help=STYLE)] = None,
    named: Annotated[str | None, typer.Option("--style", help="The same, as an option.")] = None,
    photos: Annotated[str | None, typer.Option(help=f"What to paint, for a style that paints photos. {SOURCE}")] = None,
    out: Annotated[Path, typer.Option(help="The zip to write.")] = Path("images.zip"),
    count: Annotated[
        int | None, typer.Option(help="7,000 to 10,000; 7,000 if not given, or all photos that differ.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same paintings out of nothing.")] = 0,
    check: Annotated[Path | None, typer.Option(help="Check this zip instead, whoever made it.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    device: Device = "auto",
) -> None:
    """Write images.zip for Kaggle's 'I'm Something of a Painter Myself', or check one (--check)."""
    from impasto.interop.kaggle_submission import check_submission, make_submission

    if check is not None:
        report = check_submission(check)
        for problem in report.problems:
            print(problem)
        if not report.ok:
            raise typer.Exit(1)
        print(f"{check}: {report.count:,} pictures, as the competition wants them.")
        return
    style = style or named
    if style is None:
        raise ImpastoError("Give a style to paint with, or a zip to --check.")
    if named not in (None, style):
        raise ImpastoError(f"Give one style: {style} or {named}.")
    from impasto.inference.translator import load

    made = make_submission(load(style, device), out, photos=photos, count=count, seed=seed, overwrite=overwrite)
    print(f"{out}: {made:,} pictures, as the competition wants them.")
