"""The command itself, and what its verbs share."""

from typing import Annotated

import typer

app = typer.Typer(
    name="impasto",
    help="Learns a painter from a few hundred pictures and makes new paintings.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SOURCE = "A folder, a zip, TFRecord files, a pack, sample:paintings, sample:photos or kaggle:NAME."
STYLE = "A style file (.safetensors), the folder of a run, or a style that comes along (impasto styles)."
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 … or mps.")]
CropFrames = Annotated[bool, typer.Option("--crop-frames", help="Take borders, mounts and frames off the pictures.")]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        from impasto._version import __version__

        print(f"impasto {__version__}")
        raise typer.Exit
