"""Output in notebooks: results as HTML, and displays that are replaced in place."""

import base64
import io
import sys
from collections.abc import Iterable, Sequence
from functools import singledispatch
from html import escape
from typing import TYPE_CHECKING, Any

from impasto.errors import shorten
from impasto.terminal import console

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.console import RenderableType

#: Longest text of a result, in characters.
MAX_TEXT = 500
#: Columns of text in a display, and its HTML.
COLUMNS, TEXT = 110, '<pre style="margin: 0; white-space: pre-wrap">{code}</pre>'


def in_notebook() -> bool:
    """Return whether the code runs in the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


@singledispatch
def html(result: object) -> str | None:
    """Return a result as HTML. Modules of ``reports`` register the functions that make it, as they lie above the
    results; without them it is None, and notebooks show text."""
    return None


class Displayed:
    """A result that notebooks show as HTML: self-contained, on any background."""

    def _repr_html_(self) -> str | None:
        return html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Write the text that notebooks store beside the HTML: of thousands of images, it would fill them."""
        printer.text(shorten(repr(self), MAX_TEXT))


def section(title: str, *parts: str) -> str:
    """Return a title and parts of HTML below each other."""
    return f'<div style="max-width: 60em"><h4 style="margin: 0.5em 0">{escape(title)}</h4>{"".join(parts)}</div>'


def paragraphs(*texts: str) -> str:
    """Return texts, each as a paragraph."""
    return "".join(f'<p style="margin: 0.4em 0">{escape(text)}</p>' for text in texts)


def code(text: str) -> str:
    """Return a command or code."""
    return f'<pre style="margin: 0.2em 0 0.6em 1.5em; white-space: pre-wrap">{escape(text)}</pre>'


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return a table of texts; the first cell of each row is its header."""
    style = 'style="text-align: left; vertical-align: top"'
    columns = "".join(f'<th scope="col" {style}>{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row" {style}>{escape(first)}</th>'
        + "".join(f"<td {style}>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    inherit = 'style="color: inherit; font: inherit"'
    return f"<table {inherit}>{f'<thead><tr>{columns}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def swatches(colours: Iterable[tuple[str, float]]) -> str:
    """Return a bar of colours, ``#rrggbb`` with their shares of its width."""
    parts = "".join(
        f'<span style="background: {escape(colour)}; flex: {share:.3f}"></span>' for colour, share in colours
    )
    return f'<div style="display: flex; height: 1.5em; max-width: 30em; margin: 0.4em 0">{parts}</div>'


def picture(image: "Image", alt: str) -> str:
    """Return an image as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return _embedded(file.getvalue(), "jpeg", alt)


def figure(png: bytes, alt: str) -> str:
    """Return a figure that was saved as PNG, with a palette: a quarter of the bytes, which notebooks are saved with."""
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(png)) as full:
        reduced = full.convert("RGBA").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    reduced.save(file, "PNG", optimize=True)
    return _embedded(file.getvalue(), "png", alt)


def _embedded(content: bytes, kind: str, alt: str) -> str:
    data = base64.b64encode(content).decode("ascii")
    style = "max-width: 100%; height: auto; margin: 0.4em 0"
    return f'<img src="data:image/{kind};base64,{data}" alt="{escape(alt)}" style="{style}">'


class NotebookOutput:
    """A place in the output of a cell, which shows the newest text alone. Widgets, which rich uses for that, leave
    nothing in a saved notebook."""

    def __init__(self) -> None:
        self._handle: Any = None

    def update(self, renderable: "RenderableType") -> None:
        """Show rich's text, bars and tables instead of what is there."""
        from IPython import display

        screen = console(file=io.StringIO(), width=COLUMNS, record=True, force_jupyter=False)
        screen.print(renderable, soft_wrap=True)
        shown: Any = display.HTML(screen.export_html(inline_styles=True, code_format=TEXT))
        if self._handle is None:
            self._handle = display.display(shown, display_id=True)
        else:
            self._handle.update(shown)
