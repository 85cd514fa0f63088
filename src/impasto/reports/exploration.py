"""Exploration report: one self-contained HTML page, with its figures, contact sheets and JSON beside it."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from pydantic_core import to_json

from impasto import notebook
from impasto.exploration.contact_sheet import crop_pair, watermark_pair
from impasto.exploration.inspection import make_crop
from impasto.exploration.phrases import describe_position
from impasto.exploration.results import Domain, Exploration
from impasto.files import atomic_write
from impasto.metrics.formatting import format_number
from impasto.reports import embed, exploration_figures, exploration_text
from impasto.reports.exploration_images import (
    MAX_MEMBERS,
    THUMBNAIL,
    Images,
    contact_sheets,
    evenly_spaced,
    layout_image,
    panel,
    present,
    present_pairs,
    resize_square,
    strip,
    strip_of,
)
from impasto.reports.figure_style import Theme
from impasto.reports.own_files import own_files
from impasto.reports.record_text import format_duration

OWN_FILES = re.compile(
    r"exploration\.(html|json)|(sizes|histograms|statistics|measures|spectrum|palettes)\.png"
    r"|similarity-(paintings|photos)\.png"
    r"|(pictures|typical|clusters|groups|map|duplicates)-(paintings|photos)\.jpg"
    r"|(frames|watermarks|marks)-(paintings|photos)-\d+\.jpg"
)
"""Names of files that this report, or an earlier version of it, writes."""

RECORD = "exploration.json"
"""The results, with the names of all files."""

MAX_PAIRS = 12
"""Maximum number of duplicates, frames or watermarks of a domain in the page; the files beside it have more."""

ROWS, COLUMNS = 5, 12
"""Maximum rows and columns of the contact sheet in the page."""

MAX_CLUSTERS = 8
"""Maximum number of clusters in the page."""

MAX_NAMES = 200
"""Maximum number of file names in a list."""

MAX_PALETTES = 12
"""Number of images that are shown with their palettes."""

COMMON_EXAMPLES = 3
"""Number of images on which a common watermark is shown."""


@dataclass(frozen=True)
class Plot:
    """A figure in the page, and its file."""

    drawing: embed.Drawing
    content: bytes  #: PNG, light theme


@dataclass(frozen=True)
class CaptionedImage:
    """An image in the page with its caption."""

    picture: embed.Picture
    name: str
    note: str = ""


@dataclass(frozen=True)
class Part:
    """Content of the page about one domain."""

    role: str
    details: list[tuple[str, str]]
    issues: list[str]
    left_out: list[str]
    duplicates: list[str]
    exact: list[CaptionedImage]
    near: list[CaptionedImage]
    near_available: int  #: number of pairs in the contact sheet
    near_names: list[str]
    frames: list[CaptionedImage]
    watermarks: list[CaptionedImage]
    common_watermarks: list[CaptionedImage]
    sheet: embed.Picture | None
    sheet_count: int
    typical: embed.Picture | None
    outliers: embed.Picture | None
    clusters: list[tuple[int, embed.Picture]]
    layout: embed.Picture | None
    similarity: embed.Drawing | None
    mean_similarity: list[tuple[str, str]]
    sampling: list[str]
    domain: Domain


def write_page(exploration: Exploration, images: Sequence[Images], out: Path) -> list[str]:
    """Write ``exploration.html``, its figures, contact sheets and ``exploration.json`` into an existing folder.

    Files of an earlier exploration are removed first, and no others.

    Args:
        exploration: the results.
        images: of each domain, in order.
        out: the folder.

    Returns:
        The file names, the page first.

    Raises:
        ValueError: the number of ``images`` is not that of the domains.
        DiskFullError: the disk is full.
    """
    if len(images) != len(exploration.domains):
        raise ValueError(f"{len(exploration.domains)} domains have the images of {len(images)}")
    for old in own_files(out, OWN_FILES, RECORD):
        (out / old).unlink()
    _write_record(exploration, out)  # first, so that what a killed exploration leaves is known to be its own
    plots = draw(exploration, images)
    files = {f"{name}.png": plot.content for name, plot in plots.items()}
    drawings = {name: plot.drawing for name, plot in plots.items()}
    parts = []
    for domain, shown in zip(exploration.domains, images, strict=True):
        part = _part(domain, shown, drawings.get(f"similarity-{domain.role}"))
        files |= {f"map-{domain.role}.jpg": part.layout.content} if part.layout else {}
        parts.append(part)
    html = embed.render(
        "exploration.html",
        exploration=exploration,
        counts=exploration_text.counts(exploration),
        max_names=MAX_NAMES,
        parts=parts,
        plots=drawings,
        gap="" if exploration.gap is None else exploration_text.distance(exploration.gap),
        balance=exploration_text.balance(exploration),
        duration=format_duration(exploration.seconds),
    )
    names = ["exploration.html", RECORD]
    with atomic_write(out / names[0]) as file:
        file.write_text(html, encoding="utf-8")
    for name, content in files.items():
        with atomic_write(out / name) as file:
            file.write_bytes(content)
        names.append(name)
    for name, sheet in contact_sheets(exploration, images):
        with atomic_write(out / name) as file:
            sheet.save(file, "JPEG", quality=90)
        names.append(name)
    _write_record(exploration.model_copy(update={"files": names}), out)
    return names


def _write_record(exploration: Exploration, out: Path) -> None:
    with atomic_write(out / RECORD) as part, part.open("wb") as file:
        file.write(to_json(exploration, indent=1))
        file.write(b"\n")


def draw(exploration: Exploration, images: Sequence[Images]) -> dict[str, Plot]:
    """Return all figures that there are data for, by file name without suffix."""
    domains = [domain for domain in exploration.domains if domain.count]
    if not domains:
        return {}
    plots = {
        "histograms": _plot(lambda theme: exploration_figures.histograms(domains, theme)),
        "statistics": _plot(lambda theme: exploration_figures.statistics(domains, theme)),
        "spectrum": _plot(lambda theme: exploration_figures.spectrum(domains, exploration.size, theme)),
    }
    if exploration_figures.sizes_differ(domains):
        plots["sizes"] = _plot(lambda theme: exploration_figures.sizes(domains, exploration.size, theme))
    with_palettes: dict[str, list[exploration_figures.ImageWithPalette]] = {
        domain.role: _with_palettes(domain, shown) for domain, shown in zip(exploration.domains, images, strict=True)
    }
    if any(domain.palette for domain in domains):
        plots["palettes"] = _plot(
            lambda theme: exploration_figures.palettes(domains, with_palettes, theme), photographic=True
        )
    return plots | _similarity_plots(exploration, images)


def _plot(figure: Callable[[Theme], Figure], photographic: bool = False) -> Plot:
    """Draw a figure in both themes; a ``photographic`` one is embedded as JPEG, at a fraction of the size."""
    drawing = embed.drawing(figure)
    content = drawing.light.content
    if photographic:
        drawing = embed.Drawing(_to_jpeg(drawing.light), _to_jpeg(drawing.dark))
    return Plot(drawing, content)


def _to_jpeg(picture: embed.Picture) -> embed.Picture:
    with Image.open(io.BytesIO(picture.content)) as opened:
        return embed.jpeg(opened.convert("RGB"), max(opened.size), 85)


def _similarity_plots(exploration: Exploration, images: Sequence[Images]) -> dict[str, Plot]:
    """Draw the similarity matrices of each domain; both domains share their scales to be comparable."""
    condensed = exploration_figures.condensed
    available = [
        (domain, (condensed(shown.pixels_matrix), condensed(shown.features_matrix)))
        for domain, shown in zip(exploration.domains, images, strict=True)
        if len(shown.pixels_matrix) > 2
    ]
    if not available:
        return {}
    scales = [exploration_figures.scale([matrices[kind] for _, matrices in available]) for kind in range(2)]
    panels = {
        domain.role: list(zip(_matrix_titles(domain), matrices, scales, strict=True)) for domain, matrices in available
    }
    return {
        f"similarity-{role}": _plot(partial(exploration_figures.similarity, shown), photographic=True)
        for role, shown in panels.items()
    }


def _matrix_titles(domain: Domain) -> tuple[str, str]:
    network = next((name for name in domain.mean_similarity if name != "pixels"), "a network")
    return "By pixels", f"By features of {network}"


def _with_palettes(domain: Domain, images: Images) -> list[exploration_figures.ImageWithPalette]:
    """Return evenly spaced images of the sample, 96 pixels wide, with their palettes."""
    known = [each for each in domain.statistics if each.palette and each.name in images.shown]
    return [(resize_square(images.shown[each.name], 96), each.palette) for each in evenly_spaced(known, MAX_PALETTES)]


def _part(domain: Domain, images: Images, similarity: embed.Drawing | None) -> Part:
    inventory = domain.inventory
    exact = present_pairs([(each.of, each.name) for each in inventory.duplicates], images)
    near = present_pairs(inventory.near_duplicates, images)
    sheet = evenly_spaced(present(domain.sample, images), ROWS * COLUMNS)
    examples = evenly_spaced([name for name in domain.sample if name in images.shown], COMMON_EXAMPLES)
    return Part(
        role=domain.role,
        details=list(exploration_text.details(domain)),
        issues=exploration_text.issues(domain),
        left_out=[f"{each.name}: {each.reason}" for each in inventory.left_out],
        duplicates=[f"{each.name} is {each.of}" for each in inventory.duplicates],
        exact=_pair_images(exact, images),
        near=_pair_images(near, images),
        near_available=len(near),
        near_names=[f"{one} and {other}" for one, other in inventory.near_duplicates],
        frames=[CaptionedImage(panel(crop_pair(each)), each.name) for each in images.crops[:MAX_PAIRS]],
        watermarks=[
            CaptionedImage(panel(watermark_pair(each)), each.name, f"{mark.kind}: {mark.reason}")
            for each, mark in zip(images.watermark_crops[:MAX_PAIRS], domain.watermarks, strict=False)
        ],
        common_watermarks=[
            CaptionedImage(
                panel(watermark_pair(make_crop(name, mark.box, images.shown[name]))), name, describe_position(mark.box)
            )
            for mark in domain.common_watermarks
            for name in examples
        ],
        sheet=strip(sheet, min(COLUMNS, len(sheet)), THUMBNAIL, 84) if sheet else None,
        sheet_count=len(sheet),
        typical=strip_of(domain.typical, images),
        outliers=strip_of(domain.outliers, images),
        clusters=[
            (cluster.size, row)
            for cluster in domain.clusters[:MAX_CLUSTERS]
            if (row := strip_of(cluster.members, images, MAX_MEMBERS)) is not None
        ],
        layout=layout_image(domain, images),
        similarity=similarity,
        mean_similarity=[(name, format_number(value, 2)) for name, value in domain.mean_similarity.items()],
        sampling=exploration_text.sampling(domain),
        domain=domain,
    )


def _pair_images(pairs: Sequence[tuple[str, str]], images: Images) -> list[CaptionedImage]:
    """Return the first pairs, side by side."""
    return [
        CaptionedImage(strip([images.shown[one], images.shown[other]], 2, 200, 85), one, other)
        for one, other in pairs[:MAX_PAIRS]
    ]


@notebook.html.register
def _exploration_html(exploration: Exploration) -> str:
    """Return properties, palette and issues of each domain, and the recommendations."""
    parts = []
    for domain in exploration.domains:
        parts.append(notebook.table(exploration_text.details(domain), (domain.role.capitalize(), "")))
        parts.append(notebook.swatches((colour.hex, colour.share) for colour in domain.palette))
        parts.append(notebook.paragraphs(*exploration_text.issues(domain)))
    if exploration.gap is not None:
        parts.append(notebook.paragraphs(exploration_text.distance(exploration.gap)))
    parts.append(notebook.paragraphs(*exploration_text.balance(exploration)[:-1]))
    for number, each in enumerate(exploration.recommendations, start=1):
        parts.append(notebook.paragraphs(f"{number}. {each.action.rstrip('.')}: {each.reason}"))
        parts += [notebook.code(each.command)] if each.command else []
    return notebook.section(f"Exploration of {exploration_text.counts(exploration)}", *parts)
