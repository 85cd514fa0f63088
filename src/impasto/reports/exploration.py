"""The page of an exploration: one HTML file that holds all that was found, its plots beside it, and its numbers."""

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageOps

from impasto.config.types import Pixels
from impasto.data.image_grid import tile
from impasto.exploration.contact_sheet import PANELS, Crop, around, before_after, contact_sheet, marked, pair, scattered
from impasto.exploration.inspection import crop
from impasto.exploration.results import Domain, Exploration
from impasto.files import atomic_write
from impasto.reports import embed, exploration_figures, exploration_text
from impasto.reports.evaluation_text import number
from impasto.reports.figure_style import Theme
from impasto.reports.run import duration

Item = TypeVar("Item")

OWN = re.compile(
    r"exploration\.(html|json)|(sizes|histograms|measures|spectrum|palettes)\.png|similarity-(paintings|photos)\.png"
    r"|(pictures|typical|groups|map|duplicates)-(paintings|photos)\.jpg|(frames|marks)-(paintings|photos)-\d+\.jpg"
)
"""The names that a page gives to what lies beside it."""

PAIRS = 12
"""Most duplicates, frames or marks of a domain that the page shows; files beside it show all of them."""

ROWS, ACROSS, THUMB = 5, 12, 116
"""Of the sheet of a domain in the page: its rows and columns, and the side of its pictures in pixels."""

MEMBERS, GROUPS = 10, 8
"""Most examples of a group, and most groups that are shown."""

TYPICAL = 10
"""Most pictures that are shown as the most typical, and as the least."""

MAP_WIDTH, MAP_BYTES, MAP_THUMB = 2000, 420_000, 80
"""Of the map in the page: its width in pixels, its size and the side of a picture, each at most."""

GIVEN = 200
"""Most names of files that one list of the page gives."""

COLOURED = 12
"""Pictures whose own palettes are shown."""

BEARERS = 3
"""Pictures on which a mark is shown that many have at the same place."""


@dataclass(frozen=True)
class Pictures:
    """What a page shows of a domain besides its numbers.

    Matrices are in an order that puts like by like: row i is of the picture ``order[i]`` of ``Domain.sample``.
    """

    shown: dict[str, Pixels]  #: squares (S, S, 3) of one size by name: those of the sample, and of some duplicates
    pixels_matrix: NDArray[np.float32]  #: (N, N) similarity by pixels, −1…1
    features_matrix: NDArray[np.float32]  #: (N, N) similarity by a network's features, −1…1
    order_pixels: NDArray[np.int64]  #: (N,)
    order_features: NDArray[np.int64]  #: (N,)
    cells: NDArray[np.int64]  #: (N, 2) column and row on the map, no two alike, as in ``Domain.sample``
    crops: list[Crop] = field(default_factory=list)  #: of ``Domain.framed``: what would be kept
    marked: list[Crop] = field(default_factory=list)  #: of the first of ``Domain.marks``, in their order: the mark


@dataclass(frozen=True)
class Plot:
    """A figure as the page shows it, and as the file that lies beside it."""

    drawing: embed.Drawing
    content: bytes  #: PNG, for light paper


@dataclass(frozen=True)
class Shown:
    """A picture of the page with what is said below it."""

    picture: embed.Picture
    name: str
    note: str = ""


@dataclass(frozen=True)
class Part:
    """What the page says and shows of one domain."""

    role: str
    details: list[tuple[str, str]]
    faults: list[str]
    left_out: list[str]
    duplicates: list[str]
    same: list[Shown]
    near: list[Shown]
    near_there: int  #: how many pairs could be shown
    near_names: list[str]
    framed: list[Shown]
    marks: list[Shown]
    common: list[Shown]
    sheet: embed.Picture | None
    sheet_count: int
    typical: embed.Picture | None
    untypical: embed.Picture | None
    groups: list[tuple[int, embed.Picture]]
    map: embed.Picture | None
    similarity: embed.Drawing | None
    alike: list[tuple[str, str]]
    sampling: list[str]
    domain: Domain


def write_page(found: Exploration, pictures: Sequence[Pictures], out: Path) -> list[str]:
    """Writes ``exploration.html``, its plots and sheets and ``exploration.json`` into a folder that is there.

    What an earlier exploration left there under the same names goes first.

    Args:
        pictures: one of each of the exploration's domains, in their order.

    Returns:
        The names of the files, the page first.

    Raises:
        ValueError: the pictures are not those of as many domains.
        DiskFullError: the disk is full.
    """
    if len(pictures) != len(found.domains):
        raise ValueError(f"{len(found.domains)} domains have the pictures of {len(pictures)}")
    for old in out.iterdir():
        if OWN.fullmatch(old.name):
            old.unlink()
    plots = draw(found, pictures)
    beside = {f"{name}.png": plot.content for name, plot in plots.items()}
    drawings = {name: plot.drawing for name, plot in plots.items()}
    parts = []
    for domain, seen in zip(found.domains, pictures, strict=True):
        part = _part(domain, seen, drawings.get(f"similarity-{domain.role}"))
        beside |= {f"map-{domain.role}.jpg": part.map.content} if part.map else {}
        parts.append(part)
    html = embed.render(
        "exploration.html",
        found=found,
        counts=exploration_text.counts(found),
        given=GIVEN,
        parts=parts,
        plots=drawings,
        gap="" if found.gap is None else exploration_text.distance(found.gap),
        balance=exploration_text.balance(found),
        took=duration(found.seconds),
    )
    names = ["exploration.html", "exploration.json"]
    with atomic_write(out / names[0]) as file:
        file.write_text(html, encoding="utf-8")
    with atomic_write(out / names[1]) as file:
        file.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for name, content in beside.items():
        with atomic_write(out / name) as file:
            file.write_bytes(content)
        names.append(name)
    for name, sheet in _sheets(found, pictures):
        with atomic_write(out / name) as file:
            sheet.save(file, "JPEG", quality=90)
        names.append(name)
    return names


def draw(found: Exploration, pictures: Sequence[Pictures]) -> dict[str, Plot]:
    """Every plot that there is something to draw for, in both themes, by the names of their files."""
    domains = [domain for domain in found.domains if domain.count]
    if not domains:
        return {}
    plots = {
        "histograms": _plot(lambda theme: exploration_figures.histograms(domains, theme)),
        "measures": _plot(lambda theme: exploration_figures.measures(domains, theme)),
        "spectrum": _plot(lambda theme: exploration_figures.spectrum(domains, found.size, theme)),
    }
    if exploration_figures.sizes_differ(domains):
        plots["sizes"] = _plot(lambda theme: exploration_figures.sizes(domains, found.size, theme))
    thumbs: dict[str, list[exploration_figures.Coloured]] = {
        domain.role: _coloured(domain, seen) for domain, seen in zip(found.domains, pictures, strict=True)
    }
    if any(domain.palette for domain in domains):
        plots["palettes"] = _plot(lambda theme: exploration_figures.palettes(domains, thumbs, theme), busy=True)
    return plots | _similarities(found, pictures)


def _plot(figure: Callable[[Theme], Figure], busy: bool = False) -> Plot:
    """A figure in both themes; one that is ``busy`` as photos are, at a fraction of the bytes in the page."""
    drawing = embed.drawing(figure)
    content = drawing.light.content
    if busy:
        drawing = embed.Drawing(_as_jpeg(drawing.light), _as_jpeg(drawing.dark))
    return Plot(drawing, content)


def _as_jpeg(picture: embed.Picture) -> embed.Picture:
    with Image.open(io.BytesIO(picture.content)) as opened:
        return embed.jpeg(opened.convert("RGB"), max(opened.size), 85)


def _similarities(found: Exploration, pictures: Sequence[Pictures]) -> dict[str, Plot]:
    """The matrices of each domain side by side; both domains on one scale, or nobody could compare them."""
    roles = [
        (
            domain,
            (exploration_figures.condensed(seen.pixels_matrix), exploration_figures.condensed(seen.features_matrix)),
        )
        for domain, seen in zip(found.domains, pictures, strict=True)
        if len(seen.pixels_matrix) > 2
    ]
    if not roles:
        return {}
    scales = [exploration_figures.scale([matrices[place] for _, matrices in roles]) for place in range(2)]
    panels = {domain.role: list(zip(_seers(domain), matrices, scales, strict=True)) for domain, matrices in roles}
    return {
        f"similarity-{role}": _plot(partial(exploration_figures.similarity, shown), busy=True)
        for role, shown in panels.items()
    }


def _seers(domain: Domain) -> tuple[str, str]:
    network = next((name for name in domain.alike if name != "pixels"), "a network")
    return "By pixels", f"By the network {network}"


def _coloured(domain: Domain, seen: Pictures) -> list[exploration_figures.Coloured]:
    """Pictures with palettes of their own, evenly spread over the sample, as squares of 96 pixels."""
    known = [looks for looks in domain.looks if looks.palette and looks.name in seen.shown]
    return [(_shrunk(seen.shown[looks.name], 96), looks.palette) for looks in _even(known, COLOURED)]


def _part(domain: Domain, seen: Pictures, similarity: embed.Drawing | None) -> Part:
    survey = domain.inventory
    same = _pairs([(each.of, each.name) for each in survey.duplicates], seen)
    near = _pairs(survey.near_duplicates, seen)
    sample = _squares(domain.sample, seen)
    sheet = _even(sample, ROWS * ACROSS)
    return Part(
        role=domain.role,
        details=list(exploration_text.details(domain)),
        faults=exploration_text.faults(domain),
        left_out=[f"{each.name}: {each.reason}" for each in survey.left_out],
        duplicates=[f"{each.name} is {each.of}" for each in survey.duplicates],
        same=_shown(same, seen),
        near=_shown(near, seen),
        near_there=len(near),
        near_names=[f"{one} is like {other}" for one, other in survey.near_duplicates],
        framed=[Shown(_panel(pair(each)), each.name) for each in seen.crops[:PAIRS]],
        marks=[
            Shown(_panel(around(each)), each.name, f"{mark.kind}: {mark.why}")
            for each, mark in zip(seen.marked[:PAIRS], domain.marks, strict=False)
        ],
        common=[
            Shown(_panel(around(crop(name, mark.box, seen.shown[name]))), name, exploration_text.place(mark.box))
            for mark in domain.common
            for name in _even([name for name in domain.sample if name in seen.shown], BEARERS)
        ],
        sheet=_strip(sheet, min(ACROSS, len(sheet)), THUMB, 84) if sheet else None,
        sheet_count=len(sheet),
        typical=_named(domain.typical, seen),
        untypical=_named(domain.untypical, seen),
        groups=[
            (group.size, strip)
            for group in domain.groups[:GROUPS]
            if (strip := _named(group.members, seen, MEMBERS)) is not None
        ],
        map=_map(domain, seen),
        similarity=similarity,
        alike=[(name, number(value, 2)) for name, value in domain.alike.items()],
        sampling=exploration_text.sampling(domain),
        domain=domain,
    )


def _pairs(names: Iterable[tuple[str, str]], seen: Pictures) -> list[tuple[str, str]]:
    """The pairs of which both pictures can be shown."""
    return [pair for pair in names if set(pair) <= seen.shown.keys()]


def _shown(pairs: Sequence[tuple[str, str]], seen: Pictures) -> list[Shown]:
    """The first pairs, side by side."""
    return [Shown(_strip([seen.shown[one], seen.shown[other]], 2, 200, 85), one, other) for one, other in pairs[:PAIRS]]


def _squares(names: Iterable[str], seen: Pictures) -> list[Pixels]:
    return [seen.shown[name] for name in names if name in seen.shown]


def _even(items: Sequence[Item], most: int) -> list[Item]:
    """``most`` of them at most, evenly spread."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(len(items), most)).round().astype(int)]


def _shrunk(picture: Pixels, side: int) -> Pixels:
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3))


def _row(pictures: Sequence[Pixels], columns: int, side: int) -> Image.Image:
    return tile(np.stack([_shrunk(picture, side) for picture in pictures]), columns, gap=4)


def _strip(pictures: Sequence[Pixels], columns: int, side: int, quality: int) -> embed.Picture:
    row = _row(pictures, columns, side)
    return embed.jpeg(row, max(row.size), quality)


def _panel(two: Image.Image) -> embed.Picture:
    """Two pictures side by side in the middle of a panel that is the same for all."""
    return embed.jpeg(ImageOps.pad(two, PANELS, color="white"), max(PANELS), 85)


def _named(names: Sequence[str], seen: Pictures, most: int = TYPICAL) -> embed.Picture | None:
    """The pictures of these names in one row; None where none of them is there."""
    squares = _squares(names, seen)[:most]
    return _strip(squares, len(squares), THUMB, 84) if squares else None


def _map(domain: Domain, seen: Pictures) -> embed.Picture | None:
    """All pictures of the sample at their places, as small a file as may be embedded; None of fewer than four."""
    if len(domain.sample) < 4:
        return None
    sheet = scattered(_squares(domain.sample, seen), seen.cells, MAP_WIDTH, MAP_THUMB)
    width, quality = sheet.width, 80
    while True:
        picture = embed.jpeg(sheet, max(width, width * sheet.height // sheet.width), quality)
        if len(picture.content) <= MAP_BYTES or width < MAP_WIDTH // 4:
            return picture
        # First to a quality that still looks well, then to fewer pixels.
        width, quality = (width, 68) if quality > 68 else (width * 9 // 10, quality)


def _sheets(found: Exploration, pictures: Sequence[Pictures]) -> Iterator[tuple[str, Image.Image]]:
    """What lies beside the page to look at, larger than in it or more of it, one at a time."""
    for domain, seen in zip(found.domains, pictures, strict=True):
        role = domain.role
        names = _even([name for name in domain.sample if name in seen.shown], 100)
        if names:
            title = role.capitalize() if len(names) == domain.count else f"Of {domain.count:,} {role}"
            yield f"pictures-{role}.jpg", contact_sheet(np.stack(_squares(names, seen)), title, names)
        ends = _squares(domain.typical[:TYPICAL], seen) + _squares(domain.untypical[:TYPICAL], seen)
        if ends:
            yield f"typical-{role}.jpg", tile(np.stack(ends), TYPICAL)
        members = [_squares(group.members, seen)[:MEMBERS] for group in domain.groups]
        if any(members):
            rows = [_row(squares, MEMBERS, 2 * THUMB) for squares in members if squares]
            yield f"groups-{role}.jpg", tile(np.stack([np.asarray(row) for row in rows]), 1, gap=12)
        near = _pairs(domain.inventory.near_duplicates, seen)
        if near:
            pairs_of = [np.asarray(_row(_squares(each, seen), 2, 2 * THUMB)) for each in near[:100]]
            yield f"duplicates-{role}.jpg", tile(np.stack(pairs_of), gap=20)
        for number_of, sheet in enumerate(before_after(seen.crops), start=1):
            yield f"frames-{role}-{number_of}.jpg", sheet
        for number_of, sheet in enumerate(marked(seen.marked), start=1):
            yield f"marks-{role}-{number_of}.jpg", sheet
