"""The verbs around a training: what to learn from, by which settings, and what it came to."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.app import SOURCE, CropFrames, Device, app
from impasto.cli.progress_bar import bar
from impasto.errors import ImpastoError


@app.command()
def recipes(name: Annotated[str | None, typer.Argument(help="Show this recipe as YAML.")] = None) -> None:
    """List the recipes, or show one whole."""
    from rich.console import Console
    from rich.table import Table

    from impasto.config.recipe import Recipe, bundled_recipes

    if name is not None:
        print(Recipe.load(name).to_yaml(), end="")
        return
    table = Table("recipe", "method", "size", "batch", "network", box=None, header_style="bold", pad_edge=False)
    for each in map(Recipe.load, bundled_recipes()):
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
    from impasto.api.explore import explore
    from impasto.reports.exploration_text import summary

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
    from impasto.data.inventory import summarise
    from impasto.data.pixel_store import pack

    with bar("packing") as advance:
        store = pack(source, out, size=size, crop_frames=crop_frames, progress=advance)
    for line in summarise(store.inventory):
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
    license: Annotated[str | None, typer.Option(help="Under which the style may be used: its file says so.")] = None,
) -> None:
    """Learn a painter from pictures, or go on learning (--resume RUN)."""
    from impasto.api import train
    from impasto.style import Style

    if resume is not None:
        if recipe or out or start or setting or crop_frames or seed is not None or precision or license:
            raise ImpastoError(
                "--resume goes on with a run as it is: only --budget, --paintings, --photos and --device go with it."
            )
        run = resume
        outcome = train.resume(run, paintings=paintings, photos=photos, budget=budget, device=device)
    else:
        if (recipe or start) is None or paintings is None or out is None:
            raise ImpastoError(
                "To train, give a recipe (or --from STYLE), --paintings and --out; to go on with a run, --resume RUN."
            )
        run = out
        outcome = train.train(
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
            license=license or "",
        )
    print(f"Report: {run / 'report.html'}")
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)
    style = Style.load(run)
    quoted = shlex.quote(str(run))
    if style.recipe.target != "paintings":
        print(f"Photos of paintings: impasto paint PAINTING… --style {quoted} --out photos")
    elif style.recipe.translates:
        print(f"New paintings: impasto paint PHOTO… --style {quoted} --out paintings")
    else:
        print(f"New paintings: impasto generate {quoted} --count 16 --out paintings")
    if style.reverse is not None:
        print(f"Photos of paintings: impasto paint PAINTING… --style {quoted} --reverse --out photos")


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

    from impasto.api.tune import tune
    from impasto.reports.tuning_results import summary

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
def report(run: Annotated[Path, typer.Argument(help="The folder of a run.")]) -> None:
    """Write a run's report.html afresh."""
    from impasto.reports.run import write_report

    print(write_report(run))
