"""Commands `evaluate` and `compare`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from impasto.cli.app import SCORE, SOURCE, Device
from impasto.cli.results import Result, result_command
from impasto.progress_bar import bar
from impasto.terminal import console, print_lines

if TYPE_CHECKING:
    from rich.console import RenderableType


@result_command(panel=SCORE)
def evaluate(
    fakes: Annotated[str, typer.Argument(help="Images to score: a style, a run folder, or image files.")],
    against: Annotated[str, typer.Option(help=f"Real images. {SOURCE}")],
    out: Annotated[Path, typer.Option(help="Output folder: evaluation.html, evaluation.json, copies.jpg.")] = Path(
        "evaluation"
    ),
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="Feature network: efficientnet-lite0, or another of docs/scores.md; repeat for several. By default, "
            "styles that were trained against its features are scored with alexnet too."
        ),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(help="Source images of the fakes, under the same names, or photos for a translation style."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Maximum images of each set (default 10,000; 1,000 made by a style). Of more than 10,000, FD compares "
            "all, the other metrics an evenly spaced sample.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=16, max=4096, help="Side in pixels at which images are compared."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of an unconditional style's samples.")] = 0,
    reverse: Annotated[
        bool,
        typer.Option("--reverse", help="Evaluate a CycleGAN's reverse direction; --photos are paintings."),
    ] = False,
    intervals: Annotated[bool, typer.Option("--intervals", help="Add 95 % confidence intervals (slow).")] = False,
    weights: Annotated[
        Path | None, typer.Option(help="File with the weights of inception-2015 (default: download).")
    ] = None,
    engine: Annotated[
        Literal["here", "ray"],
        typer.Option(help="ray: compute the features of files and packs on a Ray cluster, RAY_ADDRESS or a local one."),
    ] = "here",
    device: Device = "auto",
) -> Result:
    """Score images against real images: KID, FD, precision, recall and more, and test for memorisation."""
    from impasto.api.evaluate import evaluate
    from impasto.reports.evaluation import summary

    with bar("features") as advance:
        found = evaluate(
            fakes,
            against,
            out,
            networks=network or None,
            photos=photos,
            count=count,
            size=size,
            seed=seed,
            reverse=reverse,
            intervals=intervals,
            weights=weights,
            engine=engine,
            device=device,
            progress=advance,
        )
    return _reported({"evaluation": found}, out / "evaluation.html", partial(summary, found))


@result_command(panel=SCORE)
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path, typer.Option(help="Output folder: comparison.html, comparison.json.")] = Path("comparison"),
    against: Annotated[str | None, typer.Option(help="Evaluate all styles anew against these real images.")] = None,
    photos: Annotated[str | None, typer.Option(help="Photos for translation styles, with --against.")] = None,
    count: Annotated[int | None, typer.Option(min=2, help="Maximum images of each set, with --against.")] = None,
    price: Annotated[float | None, typer.Option(help="Price of an hour of training, to compute costs.")] = None,
    device: Device = "auto",
) -> Result:
    """Compare runs: settings, training curves, samples, scores, time and cost."""
    from impasto.api.compare import compare
    from impasto.reports.comparison import summary

    found = compare(runs, out, against=against, photos=photos, price=price, count=count, device=device)
    return _reported({"comparison": found}, out / "comparison.html", partial(summary, found))


def _reported(record: dict[str, Any], report: Path, summary: "Callable[[], RenderableType]") -> Result:
    """Return a result with a page."""

    def show() -> None:
        console().print(summary())
        print_lines(f"Report: {report}")

    return Result(record | {"report": report}, show)
