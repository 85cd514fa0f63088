"""Output to the terminal: the one place where text is made harmless before it is printed.

Names of files, and texts in styles, recipes and studies of other people, may contain terminal escape sequences, line
breaks, and brackets that rich takes for markup.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from impasto.errors import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment


def print_lines(*lines: str, file: TextIO | None = None) -> None:
    """Print lines to standard output or ``file``, without unprintable characters."""
    for line in lines:
        print(printable(line), file=file, flush=True)


def console(**options: Any) -> "Console":
    """Return a console that prints rich's tables and styled text to standard output, without unprintable characters,
    markup or emoji codes in their texts. ``options`` are those of :class:`rich.console.Console`."""
    from rich.console import Console
    from rich.segment import Segment

    class PrintableConsole(Console):
        def render(self, renderable: "RenderableType", options: "ConsoleOptions | None" = None) -> "Iterable[Segment]":
            for text, style, control in super().render(renderable, options):
                # Control segments are rich's own; the others end lines.
                yield Segment(text if control else "\n".join(map(printable, text.split("\n"))), style, control)

    return PrintableConsole(markup=False, emoji=False, highlight=False, **options)


@contextmanager
def errors_alone(name: str) -> Iterator[None]:
    """Let a logger, by name, log errors only inside."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def replace_unencodable() -> None:
    """Let standard output and standard error print "?" for a character that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
