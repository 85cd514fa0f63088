"""The verbs, for a shell: parse, call, print; nothing else lives here."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from impasto.bar import bar
from impasto.errors import ImpastoError

app = typer.Typer(
    name="impasto",
    help="Learns a painter from a few hundred pictures and makes new paintings.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SOURCE = "A folder, a zip, TFRecord files, a pack, sample:paintings, sample:photos or kaggle:NAME."
PHOTOS = "Pictures, folders, zips or TFRecord files, sample:photos or kaggle:NAME; as many as you like."
STYLE = "A style file (.safetensors), the folder of a run, or a style that comes along (impasto styles)."
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 … or mps.")]
CropFrames = Annotated[bool, typer.Option("--crop-frames", help="Take borders, mounts and frames off the pictures.")]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        import impasto

        print(f"impasto {impasto.__version__}")
        raise typer.Exit


@app.command()
def recipes(name: Annotated[str | None, typer.Argument(help="Show this recipe as YAML.")] = None) -> None:
    """List the recipes, or show one whole."""
    from rich.console import Console
    from rich.table import Table

    from impasto.recipe import Recipe, shipped

    if name is not None:
        print(Recipe.load(name).to_yaml(), end="")
        return
    table = Table("recipe", "method", "size", "batch", "network", box=None, header_style="bold", pad_edge=False)
    for each in map(Recipe.load, shipped()):
        table.add_row(each.name, each.method, str(each.size), str(each.batch), each.generator.network)
    Console().print(table)
    print("\nimpasto recipes NAME shows all of one's settings; --set NAME=VALUE changes one of them in training.")


@app.command()
def explore(
    paintings: Annotated[str, typer.Argument(help=SOURCE)],
    photos: Annotated[str | None, typer.Option(help="The same of photos, to learn to paint.")] = None,
    out: Annotated[Path, typer.Option(help="A folder for exploration.html, its plots and its numbers.")] = Path(
        "exploration"
    ),
    recipe: Annotated[str | None, typer.Option(help="What to train by; chosen by the pictures if not given.")] = None,
    crop_frames: CropFrames = False,
    device: Device = "auto",
) -> None:
    """Look at what is to be learned from before a training: what is there, what is wrong with it, what to do."""
    from impasto.exploration.explore import explore
    from impasto.exploration.words import summary

    with bar("looking") as advance:
        found = explore(
            paintings,
            out,
            photos=photos,
            recipe=recipe,
            crop_frames=crop_frames,
            device=device,
            progress=advance,
        )
    print("\n".join(summary(found)))
    print(f"To look at: {out / 'exploration.html'}")


@app.command()
def pack(
    source: Annotated[str, typer.Argument(help=SOURCE)],
    out: Annotated[Path, typer.Argument(help="The pack to write: a folder.")],
    size: Annotated[int, typer.Option(min=16, help="Side of the packed pictures, in pixels.")] = 256,
    crop_frames: CropFrames = False,
) -> None:
    """Read pictures once into a pixel store that opens at once, anywhere."""
    from impasto.data.pack import pack
    from impasto.data.survey import summarise

    with bar("packing") as advance:
        store = pack(source, out, size=size, crop_frames=crop_frames, progress=advance)
    for line in summarise(store.survey):
        print(line)
    print(f"{out} holds {len(store.pixels):,} pictures of {size}×{size}.")


@app.command()
def train(
    recipe: Annotated[str | None, typer.Argument(help="A recipe's name (impasto recipes) or a YAML file.")] = None,
    paintings: Annotated[str | None, typer.Option(help=SOURCE)] = None,
    photos: Annotated[str | None, typer.Option(help="The same of photos, for recipes that paint those.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder to make.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Begin with the weights of this style or run (fine-tuning).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same painter; 0 if not given.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="90s, 30m, 50kimg, 2000steps or 20epochs; 30m if not given. Last scores and the report come on top."
        ),
    ] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: generator.width=96")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run.")] = None,
    crop_frames: CropFrames = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1 … or mps.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, bf16 or fp32.")] = None,
    licence: Annotated[str | None, typer.Option(help="Under which the style may be used: its file says so.")] = None,
) -> None:
    """Learn a painter from pictures, or go on learning (--resume RUN)."""
    from impasto import learn
    from impasto.style import Style

    if resume is not None:
        if recipe or out or start or setting or crop_frames or seed is not None or precision or licence:
            raise ImpastoError(
                "--resume goes on with a run as it is: only --budget, --paintings, --photos and --device go with it."
            )
        run = resume
        outcome = learn.resume(run, paintings=paintings, photos=photos, budget=budget, device=device)
    else:
        if (recipe or start) is None or paintings is None or out is None:
            raise ImpastoError(
                "To train, give a recipe (or --from STYLE), --paintings and --out; to go on with a run, --resume RUN."
            )
        run = out
        outcome = learn.train(
            recipe,
            paintings,
            out,
            photos=photos,
            start=start,
            seed=seed or 0,
            budget=budget or "30m",
            settings=setting or (),
            crop_frames=crop_frames,
            device=device or "auto",
            precision=precision or "auto",
            licence=licence or "",
        )
    print(f"Report: {run / 'report.html'}")
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)
    work = "paint PHOTO… --style {}" if Style.load(run).recipe.translates else "generate {} --count 16"
    print(f"New paintings: impasto {work.format(shlex.quote(str(run)))} --out paintings")


@app.command()
def tune(
    recipe: Annotated[str, typer.Argument(help="A recipe with a 'tune' section: a name or a YAML file.")],
    paintings: Annotated[str, typer.Option(help=SOURCE)],
    out: Annotated[Path, typer.Option(help="The study's folder.")],
    photos: Annotated[str | None, typer.Option(help="The same of photos, for recipes that paint those.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Begin each training with this style or run.")] = None,
    trials: Annotated[int, typer.Option(help="How many there shall be in all.")] = 30,
    budget: Annotated[str, typer.Option("--budget-per-trial", help="90s, 10m, 50kimg, 2000steps or 20epochs.")] = "10m",
    seeds: Annotated[int, typer.Option(help="Trainings a trial, whose mean counts.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the search, and of each trial's first training.")] = 0,
    objective: Annotated[
        list[str] | None, typer.Option(help="score or content; both, and no trial is ended early.")
    ] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="Set this, and do not search for it.")] = None,
    storage: Annotated[
        str, typer.Option(help="A database's URL or a journal file (.log), to share; a file in --out if not given.")
    ] = "",
    study: Annotated[str, typer.Option(help="Its name in the storage; the recipe's if not given.")] = "",
    crop_frames: CropFrames = False,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16 or fp32.")] = "auto",
) -> None:
    """Search for the settings of a recipe that learn best.

    The same command, started several times or on several machines that share a storage, works on one study; started
    again after a stop, it goes on.
    """
    from rich.console import Console

    from impasto.report.tuning import summary
    from impasto.search import tune

    found = tune(
        recipe,
        paintings,
        out,
        photos=photos,
        start=start,
        trials=trials,
        budget=budget,
        seeds=seeds,
        seed=seed,
        objectives=objective or ("score",),
        changes=setting or (),
        storage=storage,
        study=study,
        crop_frames=crop_frames,
        device=device,
        precision=precision,
    )
    Console().print(summary(found.tuning, out))
    if found.signal is not None:
        raise typer.Exit(128 + found.signal)


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
    from impasto.invention import frames, generate

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
    out: Annotated[Path, typer.Option(help="A folder, or a .zip.")],
    style: Annotated[str, typer.Option(help=STYLE)] = "monet",
    strength: Annotated[float, typer.Option(min=0, max=1, help="From 0, the photo, to 1, the painting.")] = 1.0,
    compare: Annotated[bool, typer.Option("--compare", help="Put each photo on the left of its painting.")] = False,
    kind: Annotated[
        Literal["keep", "jpg", "png"],
        typer.Option("--format", help="keep writes JPEG, PNG and WebP as they were, and all others as PNG."),
    ] = "keep",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a zip, or in a folder the pictures of the same names.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Paint photos, each at its own size and under its own name.

    What cannot be painted is named at the end, and is no reason to stop; the exit code is then 1.
    """
    from impasto.paint.gallery import open_photos, paint_photos, summarise
    from impasto.paint.output import open_output
    from impasto.paint.painter import load

    with open_photos(photos, out) as sources:
        painter = load(style, device)
        painter.require_photos()
        with open_output(out, overwrite=overwrite) as writer, bar("painting") as advance:
            outcome = paint_photos(
                painter, sources, writer, strength=strength, compare=compare, kind=kind, progress=advance
            )
    print("\n".join(summarise(outcome, out)))
    if outcome.left_out:
        raise typer.Exit(1)


@app.command()
def styles() -> None:
    """List the styles that come with impasto or lie in a folder styles/ here: painters that need no training."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from impasto.report.styles import list_styles

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
    from impasto.paint.submission import check_submission, make_submission

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
    from impasto.paint.painter import load

    made = make_submission(load(style, device), out, photos=photos, count=count, seed=seed, overwrite=overwrite)
    print(f"{out}: {made:,} pictures, as the competition wants them.")


@app.command()
def evaluate(
    fakes: Annotated[str, typer.Argument(help="What to judge: a style, the folder of a run, or pictures.")],
    against: Annotated[str, typer.Option(help=f"The real pictures. {SOURCE}")],
    out: Annotated[Path, typer.Option(help="A folder for evaluation.html, evaluation.json and copies.jpg.")] = Path(
        "evaluation"
    ),
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="efficientnet-lite0 (if none is given), vgg16 or inception-2015; repeat it for more than one."
        ),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(help="What the paintings were painted from, under the same names, or what a style is to paint."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=2, help="Pictures of each side at most; 10,000, and a style makes 1,000.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=16, help="Pixels at which all are compared; those of the smaller side, to 256.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the pictures that a style makes.")] = 0,
    intervals: Annotated[bool, typer.Option("--intervals", help="Work out 95 % intervals too: takes a while.")] = False,
    weights: Annotated[Path | None, typer.Option(help="The weights of inception-2015, if they are here.")] = None,
    device: Device = "auto",
) -> None:
    """Score pictures against real ones: how near, how varied, and whether they are copies."""
    from rich.console import Console

    from impasto.judge import evaluate
    from impasto.report.evaluation import summary
    from impasto.score.networks import USUAL

    with bar("looking") as advance:
        found = evaluate(
            fakes,
            against,
            out,
            networks=network or (USUAL,),
            photos=photos,
            count=count,
            size=size,
            seed=seed,
            intervals=intervals,
            weights=weights,
            device=device,
            progress=advance,
        )
    Console().print(summary(found))
    print(f"To look at: {out / 'evaluation.html'}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="The folders of runs.")],
    out: Annotated[Path, typer.Option(help="A folder for comparison.html and comparison.json.")] = Path("comparison"),
    against: Annotated[str | None, typer.Option(help="Score all styles afresh against these real pictures.")] = None,
    photos: Annotated[str | None, typer.Option(help="What painters of photos paint for that, with --against.")] = None,
    count: Annotated[int | None, typer.Option(min=2, help="Pictures of each side at most, with --against.")] = None,
    price: Annotated[float | None, typer.Option(help="Of an hour of training, to tell what each run cost.")] = None,
    device: Device = "auto",
) -> None:
    """Put trainings side by side: settings, curves, paintings, scores, time and money."""
    from rich.console import Console

    from impasto.judge import compare
    from impasto.report.comparison import summary

    found = compare(runs, out, against=against, photos=photos, price=price, count=count, device=device)
    Console().print(summary(found))
    print(f"To look at: {out / 'comparison.html'}")


@app.command()
def report(run: Annotated[Path, typer.Argument(help="The folder of a run.")]) -> None:
    """Write a run's report.html afresh."""
    from impasto.report.page import write_report

    print(write_report(run))


def main() -> None:
    """The command ``impasto``: errors meant for a person are one line, with a traceback only on ``--debug``."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except ImpastoError as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        sys.exit(f"impasto: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
