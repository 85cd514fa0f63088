"""Commands around a training: ``recipes``, ``explore``, ``pack``, ``train``, ``tune`` and ``report``."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from impasto.cli.app import SOURCE, TRAIN, CropFrames, Device, app
from impasto.cli.completion import complete_recipe, complete_style
from impasto.cli.results import Result, result_command
from impasto.errors import ImpastoError
from impasto.progress_bar import bar
from impasto.terminal import console, print_lines

PhotoData = Annotated[
    str | None, typer.Option(help="Photo data set, same formats as PAINTINGS; for image-to-image recipes.")
]


@result_command(panel=TRAIN)
def recipes(
    name: Annotated[
        str | None,
        typer.Argument(help="Show this recipe (a name or a YAML file) as YAML.", autocompletion=complete_recipe),
    ] = None,
) -> Result:
    """List the recipes, or show all settings of one."""
    from rich.table import Table

    from impasto.config import bundled_recipes, migrations
    from impasto.config.yaml_reader import read_yaml

    if name is not None:
        from impasto.config.recipe import Recipe

        recipe = Recipe.load(name)
        return Result({"recipe": recipe.values()}, lambda: print_lines(*recipe.to_yaml().splitlines()))
    found = []
    for each, file in bundled_recipes().items():
        values = migrations.recipe(read_yaml(file.read_text(encoding="utf-8"), each))  # to validate it imports torch
        facts = {key: values.get(key) for key in ("method", "size", "batch")}
        found.append({"recipe": each, **facts, "network": values.get("generator", {}).get("network")})

    def show() -> None:
        table = Table(*found[0], box=None, header_style="bold", pad_edge=False)
        for row in found:
            table.add_row(*map(str, row.values()))
        console().print(table)
        print_lines(
            "", "impasto recipes NAME shows all settings of a recipe; impasto train --set NAME=VALUE changes one."
        )

    return Result({"recipes": found}, show)


@result_command(panel=TRAIN)
def explore(
    paintings: Annotated[str, typer.Argument(help=SOURCE)],
    photos: Annotated[str | None, typer.Option(help="Photo data set, same formats as PAINTINGS.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for exploration.html, its plots and exploration.json.")] = Path(
        "exploration"
    ),
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe to estimate for; by default one that fits the data.", autocompletion=complete_recipe),
    ] = None,
    crop_frames: CropFrames = False,
    engine: Annotated[
        Literal["here", "ray"],
        typer.Option(help="ray: measure image files on a Ray cluster, also at addresses (s3://…)."),
    ] = "here",
    device: Device = "auto",
) -> Result:
    """Inspect data sets before training: statistics, issues, recommendations, and training time."""
    from impasto.api.explore import explore
    from impasto.reports.exploration_text import summary

    with bar("exploring") as advance:
        found = explore(
            paintings,
            out,
            photos=photos,
            recipe=recipe,
            crop_frames=crop_frames,
            engine=engine,
            device=device,
            progress=advance,
        )
    report = out / "exploration.html"
    return Result({"exploration": found, "report": report}, lambda: print_lines(*summary(found), f"Report: {report}"))


@result_command(panel=TRAIN)
def pack(
    source: Annotated[str, typer.Argument(help=SOURCE)],
    out: Annotated[str, typer.Argument(help="Pack to write: a folder, or an address such as s3://bucket/pack.")],
    size: Annotated[
        int | None,
        typer.Option(min=16, max=4096, help="Side of the packed images in pixels (default 256, or that of the pack)."),
    ] = None,
    crop_frames: CropFrames = False,
    append: Annotated[
        bool, typer.Option("--append", help="Add the images to the pack OUT, except those that it has already.")
    ] = False,
) -> Result:
    """Decode and resize images once into a pack, which later commands open without decoding; or add images to one."""
    from impasto.data import pixel_store

    with bar("packing") as advance:
        if append:
            added = pixel_store.append(source, out, size, crop_frames=crop_frames, progress=advance)
        else:
            added = pixel_store.pack(source, out, size or 256, crop_frames=crop_frames, progress=advance).summary
    total = pixel_store.PixelStore.open(out).summary
    new = f"{added.pictures:,} images added, now " if append else ""
    lines = [*added.lines(), f"{out}: {new}{total.pictures:,} images of {total.size}×{total.size} px."]
    return Result({"pack": out, "added": added, "total": total}, lambda: print_lines(*lines))


@app.command(rich_help_panel=TRAIN)
def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help="Recipe: a name (impasto recipes) or a YAML file.", autocompletion=complete_recipe),
    ] = None,
    paintings: Annotated[str | None, typer.Option(help=SOURCE)] = None,
    photos: PhotoData = None,
    out: Annotated[Path | None, typer.Option(help="Run folder to create.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Start from the weights of this style or run (fine-tuning).", autocompletion=complete_style
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Random seed (default 0); reproducible on the same CPU type with a budget in steps."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Length of the training: 90s, 30m (default), 50kimg (50,000 images), 2000steps or 20epochs. The final "
            "evaluation and the report take additional time."
        ),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting of the recipe: generator.width=96")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume this run.")] = None,
    crop_frames: CropFrames = False,
    device: Annotated[str | None, typer.Option(help="auto (default), cpu, cuda, cuda:1 … or mps.")] = None,
    devices: Annotated[
        int | None,
        typer.Option(min=1, help="Train on so many GPUs, or in so many processes on the CPU; the batch is divided."),
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto (default), bf16 or fp32.")] = None,
    license: Annotated[
        str | None, typer.Option("--license", "--licence", help="License of the style (SPDX), stored in its file.")
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            help="Also log to wandb, mlflow or trackio (repeatable). log.jsonl and TensorBoard are always on."
        ),
    ] = None,
) -> None:
    """Train a model on paintings (and photos), or resume a run (--resume RUN)."""
    from impasto.api import train
    from impasto.style import Style

    if resume is not None:
        if recipe or out or start or setting or crop_frames or seed is not None or precision or license:
            raise ImpastoError(
                "--resume continues a run with its own settings: only --budget, --paintings, --photos, --device, "
                "--devices and --log go with it."
            )
        run = resume
        outcome = train.resume(
            run, paintings=paintings, photos=photos, budget=budget, device=device, devices=devices, log=log or ()
        )
    else:
        if (recipe or start) is None or paintings is None or out is None:
            raise ImpastoError(
                "To train, give a recipe (or --from STYLE), --paintings and --out; to resume a run, give --resume RUN."
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
            devices=devices,
            precision=precision or "auto",
            license=license or "",
            log=log or (),
        )
    if not outcome.followed:
        print_lines(f"Report: {run / 'report.html'}")
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)
    if outcome.followed:
        return
    style = Style.load(run)
    quoted = shlex.quote(str(run))
    if style.recipe.target != "paintings":
        print_lines(f"Turn paintings into photos: impasto paint PAINTING… --style {quoted} --out photos")
    elif style.recipe.translates:
        print_lines(f"Stylise photos: impasto paint PHOTO… --style {quoted} --out paintings")
    else:
        print_lines(f"Generate paintings: impasto generate {quoted} --count 16 --out paintings")
    if style.reverse is not None:
        print_lines(f"Turn paintings into photos: impasto paint PAINTING… --style {quoted} --reverse --out photos")


@app.command(rich_help_panel=TRAIN)
def tune(
    recipe: Annotated[
        str, typer.Argument(help="Recipe with a 'tune' section: a name or a YAML file.", autocompletion=complete_recipe)
    ],
    paintings: Annotated[str, typer.Option(help=SOURCE)],
    out: Annotated[Path, typer.Option(help="Folder of the study.")],
    photos: PhotoData = None,
    start: Annotated[str | None, typer.Option("--from", help="Start each training from this style or run.")] = None,
    trials: Annotated[int, typer.Option(help="Number of trials in all.")] = 30,
    budget: Annotated[str, typer.Option("--budget-per-trial", help="90s, 10m, 50kimg, 2000steps or 20epochs.")] = "10m",
    seeds: Annotated[int, typer.Option(help="Trainings a trial; their mean counts.")] = 1,
    seed: Annotated[int, typer.Option(help="Random seed of the search, and of each trial's first training.")] = 0,
    objective: Annotated[
        list[str] | None,
        typer.Option(help="score (KID) or content (ST-LPIPS); repeatable. With both, no trial is pruned."),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Fix a setting instead of searching it: batch=4")
    ] = None,
    storage: Annotated[
        str, typer.Option(help="URL of a database, or a journal file (.log), to share; by default a file in --out.")
    ] = "",
    study: Annotated[str, typer.Option(help="Name of the study in the storage; by default the recipe's.")] = "",
    crop_frames: CropFrames = False,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16 or fp32.")] = "auto",
) -> None:
    """Search for the settings of a recipe that give the best score (Bayesian optimisation with pruning).

    Run the same command several times, or on several machines that share a storage, to work on one study in parallel;
    run it again after a stop to resume the study.
    """
    from impasto.api.tune import tune
    from impasto.reports.tuning_text import summary

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
    console().print(summary(found.tuning, out))
    if found.signal is not None:
        raise typer.Exit(128 + found.signal)


@app.command(rich_help_panel=TRAIN)
def report(run: Annotated[Path, typer.Argument(help="Run folder.")]) -> None:
    """Regenerate the report.html of a run."""
    from impasto.reports.run import write_report

    print_lines(str(write_report(run)))
