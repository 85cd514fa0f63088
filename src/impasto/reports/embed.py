"""Shared shell of all pages: embedded images and templates with autoescape."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jinja2
from matplotlib.figure import Figure
from PIL import Image

from impasto.reports.figure_style import DARK, LIGHT, Theme, png


@dataclass(frozen=True)
class Picture:
    """An image embedded in a page."""

    uri: str
    width: int
    height: int

    @property
    def content(self) -> bytes:
        """The image file."""
        return base64.b64decode(self.uri.partition(";base64,")[2])


@dataclass(frozen=True)
class Drawing:
    """A figure embedded in a page, in the light and in the dark theme."""

    light: Picture
    dark: Picture


def data_uri(content: bytes, kind: str) -> str:
    """Return a file's content as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def embed(content: bytes, kind: str) -> Picture:
    """Embed an image file of a kind such as ``png``."""
    with Image.open(io.BytesIO(content)) as picture:
        return Picture(data_uri(content, f"image/{kind}"), *picture.size)


def jpeg(picture: Image.Image, side: int, quality: int = 88) -> Picture:
    """Embed an image as JPEG with at most ``side`` pixels on the longer side."""
    smaller = picture.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    smaller.save(file, "JPEG", quality=quality)
    return embed(file.getvalue(), "jpeg")


def lossless(picture: Image.Image) -> Picture:
    """Embed an image as PNG."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return embed(file.getvalue(), "png")


def drawing(draw: Callable[[Theme], Figure]) -> Drawing:
    """Embed a figure in both themes."""
    return Drawing(embed(png(draw(LIGHT)), "png"), embed(png(draw(DARK)), "png"))


def render(template: str, **values: Any) -> str:
    """Render a page; everything in ``values`` is escaped.

    Raises:
        jinja2.UndefinedError: the template needs a value that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("impasto.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
