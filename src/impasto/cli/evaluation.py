"""The verbs that judge."""

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.app import SOURCE, Device, app
from impasto.cli.progress_bar import bar


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
            help="efficientnet-lite0 (if none is given), alexnet, vgg16 or inception-2015; repeat it for more than one."
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
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Score the reverse direction of a CycleGAN: --photos are paintings.")
    ] = False,
    intervals: Annotated[bool, typer.Option("--intervals", help="Work out 95 % intervals too: takes a while.")] = False,
    weights: Annotated[Path | None, typer.Option(help="The weights of inception-2015, if they are here.")] = None,
    device: Device = "auto",
) -> None:
    """Score pictures against real ones: how near, how varied, and whether they are copies."""
    from rich.console import Console

    from impasto.api.evaluate import evaluate
    from impasto.metrics.feature_extractors import DEFAULT
    from impasto.reports.evaluation import summary

    with bar("looking") as advance:
        found = evaluate(
            fakes,
            against,
            out,
            networks=network or (DEFAULT,),
            photos=photos,
            count=count,
            size=size,
            seed=seed,
            reverse=reverse,
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

    from impasto.api.evaluate import compare
    from impasto.reports.comparison import summary

    found = compare(runs, out, against=against, photos=photos, price=price, count=count, device=device)
    Console().print(summary(found))
    print(f"To look at: {out / 'comparison.html'}")
