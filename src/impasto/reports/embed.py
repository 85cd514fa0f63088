"""What every page is made of: pictures that lie within it, and templates that treat all they are told as text."""

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
    """A picture within the page."""

    uri: str
    width: int
    height: int

    @property
    def content(self) -> bytes:
        """The picture's file."""
        return base64.b64decode(self.uri.partition(";base64,")[2])


@dataclass(frozen=True)
class Drawing:
    """A figure within the page, once for light screens and once for dark ones."""

    light: Picture
    dark: Picture


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def embed(content: bytes, kind: str) -> Picture:
    """A picture's file, of a kind such as ``png``, as it is."""
    with Image.open(io.BytesIO(content)) as picture:
        return Picture(data_uri(content, f"image/{kind}"), *picture.size)


def jpeg(picture: Image.Image, side: int, quality: int = 88) -> Picture:
    """A picture as JPEG, its longer side ``side`` pixels at most."""
    smaller = picture.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    smaller.save(file, "JPEG", quality=quality)
    return embed(file.getvalue(), "jpeg")


def lossless(picture: Image.Image) -> Picture:
    """A picture as PNG, pixel by pixel."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return embed(file.getvalue(), "png")


def drawing(draw: Callable[[Theme], Figure]) -> Drawing:
    """What ``draw`` draws, in both themes."""
    return Drawing(embed(png(draw(LIGHT)), "png"), embed(png(draw(DARK)), "png"))


def render(template: str, **values: Any) -> str:
    """A whole page; everything in ``values`` is text, whatever it looks like.

    Raises:
        jinja2.UndefinedError: the template wants a value that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("impasto.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
