"""The page of an exploration tells what was found to anyone, and asks nothing of any network."""

import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.explored import ADVICE, blobs, domain, exploration, pictures
from impasto.data.inventory import Duplicate, LeftOut
from impasto.exploration.contact_sheet import Crop
from impasto.exploration.results import Exploration, Framed, Watermark
from impasto.reports import exploration as page
from impasto.reports.exploration import MAP_BYTES, write_page

HOSTILE = "<script>alert('$\\frac$')</script>\u202e山水\n.jpg"


def read(out: Path) -> tuple[str, str]:
    """The page's source, and its text as a reader sees it."""
    source = (out / "exploration.html").read_text(encoding="utf-8")
    body = re.sub(r"<style>.*?</style>|<[^>]*>", " ", source, flags=re.DOTALL)
    return source, " ".join(html.unescape(body).split())


def embedded(source: str) -> list[Image.Image]:
    found = re.findall(r'(?:src|srcset)="data:image/\w+;base64,([^"]+)"', source)
    return [Image.open(io.BytesIO(base64.b64decode(each, validate=True))) for each in found]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without plots, which take the most time."""
    monkeypatch.setattr(page, "draw", lambda found, pictures: {})


@pytest.fixture(scope="module")
def two() -> tuple[Exploration, list[dict[str, np.ndarray]]]:
    shown = [blobs(30), blobs(80, seed=1)]
    return exploration(domain("paintings", shown[0]), domain("photos", shown[1])), shown


@pytest.fixture(scope="module")
def written(two: tuple[Exploration, list[dict[str, np.ndarray]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explored")
    found, shown = two
    names = write_page(found, [pictures(each) for each in shown], out)
    assert sorted(names) == sorted(path.name for path in out.iterdir())
    return out


def test_the_page_loads_and_runs_nothing(written: Path) -> None:
    source, _ = read(written)
    addresses = re.findall(r'\s(?:src|srcset|href|action|poster|data)="([^"]{0,5})', source)
    assert addresses and set(addresses) == {"data:"}
    assert not re.search(r"url\(|@import|<script|https?:", source)
    assert "default-src 'none'" in source


def test_every_picture_of_the_page_can_be_shown(written: Path) -> None:
    shown = embedded(read(written)[0])
    assert len(shown) > 15
    for picture in shown:
        picture.load()
        assert max(picture.size) <= 2000


def test_the_advice_comes_before_the_faults_and_these_before_the_pictures(written: Path) -> None:
    _, text = read(written)
    order = [
        "30 paintings and 80 photos",
        ADVICE.what,
        ADVICE.why,
        ADVICE.command,
        "What is wrong",
        "What the pictures",
    ]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)


def test_nothing_wrong_is_said_in_one_line(written: Path) -> None:
    _, text = read(written)
    assert text.count("Nothing was found") == 1
    assert "Nearly the same" not in text and "Watermarks" not in text


def test_the_gap_and_the_balance_stand_in_words_with_their_counts(written: Path) -> None:
    _, text = read(written)
    assert "30 times as far" in text and "1,000 v 300" in text
    assert "30 paintings to 80 photos: not balanced" in text and "oversampled 2.7-fold" in text


def test_each_plot_lies_beside_the_page_as_png_on_light_paper(written: Path) -> None:
    plots = {path.name for path in written.glob("*.png")}
    assert plots >= {"histograms.png", "measures.png", "spectrum.png", "palettes.png", "similarity-photos.png"}
    for name in plots:
        with Image.open(written / name) as plot:
            assert plot.format == "PNG" and plot.convert("RGB").getpixel((1, 1)) == (255, 255, 255)


def test_the_numbers_are_read_back_as_they_were(written: Path, two: tuple[Exploration, object]) -> None:
    assert Exploration.model_validate_json((written / "exploration.json").read_text(encoding="utf-8")) == two[0]


@pytest.mark.usefixtures("undrawn")
def test_the_map_shows_every_picture_at_its_place(tmp_path: Path) -> None:
    colours = {name: np.full((32, 32, 3), 40 * i, np.uint8) for i, name in enumerate("abcde")}
    cells = np.array([[5, 2], [6, 2], [7, 2], [5, 3], [7, 3]])
    write_page(exploration(domain("paintings", colours)), [pictures(colours, cells=cells)], tmp_path)
    with Image.open(tmp_path / "map-paintings.jpg") as shown:
        grid = np.asarray(shown.convert("L").resize((3, 2), Image.Resampling.BOX, (0, 0, *shown.size))).astype(int)
    assert np.abs(grid - [[0, 40, 80], [120, 255, 160]]).max() < 12  # the white between them counts a little


@pytest.mark.usefixtures("undrawn")
def test_a_map_of_a_thousand_pictures_stays_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 64, 64, 3), dtype=np.uint8)  # the hardest to compress
    shown = {str(i): each for i, each in enumerate(noise)}
    few = blobs(2)
    found = domain("paintings", few, sample=list(shown))
    cells = np.stack([np.arange(1000) % 40, np.arange(1000) // 40], axis=1)
    write_page(exploration(found), [replace(pictures(few), shown=shown, cells=cells)], tmp_path)
    assert (tmp_path / "map-paintings.jpg").stat().st_size <= MAP_BYTES


@pytest.mark.usefixtures("undrawn")
def test_faults_are_told_and_shown(tmp_path: Path) -> None:
    shown = blobs(6)
    names = list(shown)
    whole = domain("paintings", shown)
    survey = whole.inventory.model_copy(
        update={
            "left_out": [LeftOut(name="notes.txt", reason="no picture")],
            "duplicates": [Duplicate(name="again.jpg", of=names[0])],
            "near_duplicates": [(names[1], names[2])],
            "size": 300,
        }
    )
    box = (0.1, 0.1, 0.9, 0.9)
    marks = [Watermark(name=names[4], kind="seal", box=box, why="a red square in a corner")]
    ill = whole.model_copy(update={"inventory": survey, "framed": [Framed(name=names[3], box=box)], "marks": marks})
    crops = [Crop(names[i], Image.fromarray(shown[names[i]]), (6, 6, 58, 58)) for i in (3, 4)]
    files = write_page(exploration(ill), [pictures(shown, crops=crops[:1], marked=crops[1:])], tmp_path)
    source, text = read(tmp_path)
    for said in ("notes.txt: no picture", f"again.jpg is {names[0]}", "1 pair nearly the same", "seal: a red square"):
        assert said in text
    assert "6 pictures smaller than 300 pixels" in text and "Nothing was found" not in text
    for each in ("Two pictures that are nearly the same", "A picture before and after", "A suspected mark"):
        assert f'alt="{each}' in source
    assert {"duplicates-paintings.jpg", "frames-paintings-1.jpg", "marks-paintings-1.jpg"} <= set(files)


@pytest.mark.usefixtures("undrawn")
def test_where_only_one_domain_has_faults_the_other_is_said_to_have_none(tmp_path: Path) -> None:
    shown = [blobs(4), blobs(4, seed=1)]
    photos = domain("photos", shown[1])
    same = photos.inventory.model_copy(update={"duplicates": [Duplicate(name="a", of="b")]})
    found = exploration(domain("paintings", shown[0]), photos.model_copy(update={"inventory": same}))
    write_page(found, [pictures(each) for each in shown], tmp_path)
    assert "Paintings: nothing was found." in read(tmp_path)[1]


@pytest.mark.usefixtures("undrawn")
def test_a_name_is_text_whatever_it_looks_like(tmp_path: Path) -> None:
    shown = {HOSTILE: next(iter(blobs(1).values())), **blobs(4, seed=2)}
    found = domain("paintings", shown)
    survey = found.inventory.model_copy(
        update={"near_duplicates": [(HOSTILE, "2-0.jpg")], "left_out": [LeftOut(name=HOSTILE, reason=HOSTILE)]}
    )
    crop = Crop(HOSTILE, Image.fromarray(shown[HOSTILE]), (1, 1, 60, 60))
    ill = found.model_copy(update={"inventory": survey, "framed": [Framed(name=HOSTILE, box=(0, 0, 1, 1))]})
    write_page(exploration(ill), [pictures(shown, crops=[crop])], tmp_path)
    source, _ = read(tmp_path)
    assert "<script" not in source and "&lt;script&gt;" in source


@pytest.mark.parametrize("count", [1, 3])
def test_the_fewest_pictures_make_a_page(count: int, tmp_path: Path) -> None:
    shown = blobs(count)
    names = write_page(exploration(domain("paintings", shown), advice=[]), [pictures(shown)], tmp_path)
    _, text = read(tmp_path)
    assert f"{count} painting" in text and "How many of each" not in text and "How far photos" not in text
    assert ("similarity-paintings.png" in names) == (count > 2)  # of one picture there is nothing to compare


@pytest.mark.usefixtures("undrawn")
def test_an_earlier_page_leaves_nothing_behind_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("frames-photos-7.jpg", "map-photos.jpg", "mine.jpg", "frames-mine.jpg"):
        (tmp_path / name).write_bytes(b"old")
    shown = blobs(3)
    write_page(exploration(domain("paintings", shown)), [pictures(shown)], tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert {"mine.jpg", "frames-mine.jpg"} <= left
    assert not {"frames-photos-7.jpg", "map-photos.jpg"} & left


def test_each_domain_needs_its_pictures(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 domains have the pictures of 0"):
        write_page(exploration(domain("paintings", blobs(1))), [], tmp_path)
    assert not list(tmp_path.iterdir())
