"""Layout image and contact sheets of an exploration report."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from fixtures.explored import blobs, domain, exploration, pictures
from impasto.reports.exploration_images import LAYOUT_BYTES, contact_sheets, evenly_spaced, layout_image


def test_the_layout_shows_every_image_at_its_cell() -> None:
    colours = {name: np.full((32, 32, 3), 40 * i, np.uint8) for i, name in enumerate("abcde")}
    cells = np.array([[5, 2], [6, 2], [7, 2], [5, 3], [7, 3]])
    layout = layout_image(domain("paintings", colours), pictures(colours, cells=cells))
    assert layout is not None
    with Image.open(io.BytesIO(layout.content)) as shown:
        grid = np.asarray(shown.convert("L").resize((3, 2), Image.Resampling.BOX, (0, 0, *shown.size))).astype(int)
    assert np.abs(grid - [[0, 40, 80], [120, 255, 160]]).max() < 12  # includes the white gaps


def test_a_layout_of_a_thousand_images_stays_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 64, 64, 3), dtype=np.uint8)  # the hardest to compress
    shown = {str(i): each for i, each in enumerate(noise)}
    few = blobs(2)
    cells = np.stack([np.arange(1000) % 40, np.arange(1000) // 40], axis=1)
    images = replace(pictures(few), shown=shown, cells=cells)
    layout = layout_image(domain("paintings", few, sample=list(shown)), images)
    assert layout is not None and len(layout.content) <= LAYOUT_BYTES


def test_fewer_than_four_images_have_no_layout() -> None:
    shown = blobs(3)
    assert layout_image(domain("paintings", shown), pictures(shown)) is None


def test_contact_sheets_are_named_by_domain() -> None:
    shown = [blobs(5), blobs(4, seed=1)]
    found = exploration(domain("paintings", shown[0]), domain("photos", shown[1]))
    names = [name for name, _ in contact_sheets(found, [pictures(each) for each in shown])]
    sheets = ("pictures", "typical", "clusters")
    assert names == [f"{sheet}-{role}.jpg" for role in ("paintings", "photos") for sheet in sheets]


def test_evenly_spaced_items_include_both_ends() -> None:
    assert evenly_spaced(range(10), 4) == [0, 3, 6, 9]
    assert evenly_spaced([1, 2], 5) == [1, 2]
