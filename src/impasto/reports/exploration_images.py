"""Images of an exploration report: thumbnails in the page, and contact sheets beside it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from impasto.config.types import Pixels
from impasto.data.image_grid import tile
from impasto.exploration.contact_sheet import (
    PANELS,
    Crop,
    contact_sheet,
    crop_pages,
    scatter_images,
    watermark_pages,
)
from impasto.exploration.results import Domain, Exploration
from impasto.reports import embed

Item = TypeVar("Item")

THUMBNAIL = 116
"""Side of thumbnails in the page, in pixels."""

TYPICAL = 10
"""Maximum number of typical images, and of outliers."""

MAX_MEMBERS = 10
"""Maximum number of examples of a cluster."""

LAYOUT_WIDTH, LAYOUT_BYTES, LAYOUT_THUMBNAIL = 2000, 420_000, 80
"""Maximum width in pixels, size in bytes and side of a thumbnail of the layout in the page."""


@dataclass(frozen=True)
class Images:
    """Images and matrices of a domain for the report.

    Row i of a matrix belongs to image ``order[i]`` of ``Domain.sample``; the order puts similar images together.
    """

    shown: dict[str, Pixels]  #: squares (S, S, 3) of equal size by name: the sample and some duplicates
    pixels_matrix: NDArray[np.float32]  #: (N, N) similarity by pixels, −1…1
    features_matrix: NDArray[np.float32]  #: (N, N) similarity by features of a network, −1…1
    order_pixels: NDArray[np.int64]  #: (N,)
    order_features: NDArray[np.int64]  #: (N,)
    cells: NDArray[np.int64]  #: (N, 2) column and row in the layout, all different, in the order of ``Domain.sample``
    crops: list[Crop] = field(default_factory=list)  #: of the first ``Domain.frames``
    watermark_crops: list[Crop] = field(default_factory=list)  #: of the first ``Domain.watermarks``


def present_pairs(names: Iterable[tuple[str, str]], images: Images) -> list[tuple[str, str]]:
    """Return the pairs of which both images are there."""
    return [pair for pair in names if set(pair) <= images.shown.keys()]


def present(names: Iterable[str], images: Images) -> list[Pixels]:
    """Return the images with these names that are there."""
    return [images.shown[name] for name in names if name in images.shown]


def evenly_spaced(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most ``most`` evenly spaced items."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(len(items), most)).round().astype(int)]


def resize_square(image: Pixels, side: int) -> Pixels:
    """Return a square image resized to ``side`` pixels."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3))


def strip(images: Sequence[Pixels], columns: int, side: int, quality: int) -> embed.Picture:
    """Embed images as a grid of thumbnails."""
    grid = _grid(images, columns, side)
    return embed.jpeg(grid, max(grid.size), quality)


def strip_of(names: Sequence[str], images: Images, most: int = TYPICAL) -> embed.Picture | None:
    """Embed the images with these names as one row; None if none is there."""
    squares = present(names, images)[:most]
    return strip(squares, len(squares), THUMBNAIL, 84) if squares else None


def panel(pair: Image.Image) -> embed.Picture:
    """Embed a pair of images, padded to a common size."""
    return embed.jpeg(ImageOps.pad(pair, PANELS, color="white"), max(PANELS), 85)


def layout_image(domain: Domain, images: Images) -> embed.Picture | None:
    """Embed the sample at its layout positions within :data:`LAYOUT_BYTES`; None for fewer than four images."""
    if len(domain.sample) < 4:
        return None
    sheet = scatter_images(present(domain.sample, images), images.cells, LAYOUT_WIDTH, LAYOUT_THUMBNAIL)
    width, quality = sheet.width, 80
    while True:
        picture = embed.jpeg(sheet, max(width, width * sheet.height // sheet.width), quality)
        if len(picture.content) <= LAYOUT_BYTES or width < LAYOUT_WIDTH // 4:
            return picture
        # Reduce the quality first, then the size.
        width, quality = (width, 68) if quality > 68 else (width * 9 // 10, quality)


def contact_sheets(exploration: Exploration, images: Sequence[Images]) -> Iterator[tuple[str, Image.Image]]:
    """Yield the file names and contents of the sheets beside the page, one at a time."""
    for domain, shown in zip(exploration.domains, images, strict=True):
        role = domain.role
        names = evenly_spaced([name for name in domain.sample if name in shown.shown], 100)
        if names:
            title = role.capitalize() if len(names) == domain.count else f"{domain.count:,} {role}"
            yield f"pictures-{role}.jpg", contact_sheet(np.stack(present(names, shown)), title, names)
        extremes = present(domain.typical[:TYPICAL], shown) + present(domain.outliers[:TYPICAL], shown)
        if extremes:
            yield f"typical-{role}.jpg", tile(np.stack(extremes), TYPICAL)
        members = [present(cluster.members, shown)[:MAX_MEMBERS] for cluster in domain.clusters]
        if any(members):
            rows = [_grid(squares, MAX_MEMBERS, 2 * THUMBNAIL) for squares in members if squares]
            yield f"clusters-{role}.jpg", tile(np.stack([np.asarray(row) for row in rows]), 1, gap=12)
        near = present_pairs(domain.inventory.near_duplicates, shown)
        if near:
            pairs = [np.asarray(_grid(present(pair, shown), 2, 2 * THUMBNAIL)) for pair in near[:100]]
            yield f"duplicates-{role}.jpg", tile(np.stack(pairs), gap=20)
        for number, sheet in enumerate(crop_pages(shown.crops), start=1):
            yield f"frames-{role}-{number}.jpg", sheet
        for number, sheet in enumerate(watermark_pages(shown.watermark_crops), start=1):
            yield f"watermarks-{role}-{number}.jpg", sheet


def _grid(images: Sequence[Pixels], columns: int, side: int) -> Image.Image:
    return tile(np.stack([resize_square(image, side) for image in images]), columns, gap=4)
