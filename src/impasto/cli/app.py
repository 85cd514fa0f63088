"""The command ``impasto`` itself, and what its subcommands share."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from impasto.terminal import print_lines

EXIT_CODES = (
    "Exit codes: 0 done, 1 error or incomplete, 2 wrong usage, 128 + N stopped by signal N (130 Ctrl-C, 143 SIGTERM)."
)

app = typer.Typer(
    name="impasto",
    help="Train GANs on a few hundred paintings. Stylise photos and videos, or generate new paintings from noise.",
    invoke_without_command=True,
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
)

SOURCE = (
    "A folder, a zip, TFRecord files, a pack (also at an address such as s3://bucket/pack), sample:paintings, "
    "sample:photos, kaggle:NAME, or a data set on the Hugging Face Hub, hf:OWNER/NAME."
)
STYLE = "A style file (.safetensors), a run folder, or a bundled style (impasto styles)."
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 … or mps.")]
CropFrames = Annotated[bool, typer.Option("--crop-frames", help="Crop borders, mounts and frames off the paintings.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing file, or images of the same names in a folder.")
]


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        from impasto._version import __version__

        print_lines(f"impasto {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help(), end="")
        raise typer.Exit(2)


#: Panels of the help, in the order of a first project.
TRAIN, USE, SCORE, SHARE = "Train", "Stylise and generate", "Evaluate and submit", "Share and convert"
INSPECT = "Inspect"


class _Lines(logging.Handler):
    """Print messages as plain lines to the current standard output, errors to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        print_lines(
            *record.getMessage().split("\n"), file=sys.stderr if record.levelno >= logging.ERROR else sys.stdout
        )


#: The base class of errors of usage, in typer's own copy of click or, before 0.20, in click itself.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code; an error of usage is one line."""
    try:
        code = app(arguments, standalone_mode=False)
    except UsageError as error:
        context, message = getattr(error, "ctx", None), " ".join(error.format_message().split())  # type: ignore[attr-defined]
        command = context.command_path if context is not None else app.info.name
        print_lines(f"impasto: {message.rstrip('.')}. Try: {command} --help", file=sys.stderr)
        return 2
    return code or 0


@contextmanager
def messages_on_stdout() -> Iterator[None]:
    """Print the messages of the logger ``impasto``, from INFO on, as plain lines to standard output."""
    logger, handler = logging.getLogger("impasto"), _Lines()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
