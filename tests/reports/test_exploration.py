"""The exploration report shows the results and loads nothing from the network."""

import base64
import html
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.explored import ADVICE, blobs, domain, exploration, pictures
from impasto.data.inventory import Duplicate, LeftOut
from impasto.exploration.contact_sheet import Crop
from impasto.exploration.results import DetectedFrame, Exploration, Watermark
from impasto.reports import exploration as report
from impasto.reports.exploration import write_page

HOSTILE = "<script>alert('$\\frac$')</script>\u202e山水\n.jpg"


def read(out: Path) -> tuple[str, str]:
    """Return the source of the page and its visible text."""
    source = (out / "exploration.html").read_text(encoding="utf-8")
    body = re.sub(r"<style>.*?</style>|<[^>]*>", " ", source, flags=re.DOTALL)
    return source, " ".join(html.unescape(body).split())


def embedded(source: str) -> list[Image.Image]:
    found = re.findall(r'(?:src|srcset)="data:image/\w+;base64,([^"]+)"', source)
    return [Image.open(io.BytesIO(base64.b64decode(each, validate=True))) for each in found]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the figures, which take most of the time."""
    monkeypatch.setattr(report, "draw", lambda found, pictures: {})


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


def test_every_image_of_the_page_can_be_decoded(written: Path) -> None:
    shown = embedded(read(written)[0])
    assert len(shown) > 15
    for picture in shown:
        picture.load()
        assert max(picture.size) <= 2000


def test_recommendations_come_before_issues_and_files(written: Path) -> None:
    _, text = read(written)
    order = [
        "30 paintings and 80 photos",
        ADVICE.action,
        ADVICE.reason,
        ADVICE.command,
        "Issues",
        "Files",
    ]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)


def test_no_issues_take_one_line(written: Path) -> None:
    _, text = read(written)
    assert text.count("No issues found") == 1
    assert "Near duplicates" not in text and "Watermarks" not in text


def test_gap_and_balance_are_described_with_their_counts(written: Path) -> None:
    _, text = read(written)
    assert "30 times as far" in text and "1,000 v 300" in text
    assert "30 paintings and 80 photos: not balanced" in text and "oversampled 2.7-fold" in text


def test_each_figure_is_a_png_in_the_light_theme(written: Path) -> None:
    plots = {path.name for path in written.glob("*.png")}
    assert plots >= {"histograms.png", "statistics.png", "spectrum.png", "palettes.png", "similarity-photos.png"}
    for name in plots:
        with Image.open(written / name) as plot:
            assert plot.format == "PNG" and plot.convert("RGB").getpixel((1, 1)) == (255, 255, 255)


def test_the_json_round_trips(written: Path, two: tuple[Exploration, object]) -> None:
    found = Exploration.model_validate_json((written / "exploration.json").read_text(encoding="utf-8"))
    assert found.model_copy(update={"files": None}) == two[0]
    assert found.files is not None and sorted(found.files) == sorted(path.name for path in written.iterdir())


@pytest.mark.usefixtures("undrawn")
def test_issues_are_listed_and_shown(tmp_path: Path) -> None:
    shown = blobs(6)
    names = list(shown)
    whole = domain("paintings", shown)
    inventory = whole.inventory.model_copy(
        update={
            "left_out": [LeftOut(name="notes.txt", reason="no picture")],
            "duplicates": [Duplicate(name="again.jpg", of=names[0])],
            "near_duplicates": [(names[1], names[2])],
            "size": 300,
        }
    )
    box = (0.1, 0.1, 0.9, 0.9)
    watermarks = [Watermark(name=names[4], kind="seal", box=box, reason="a red square in a corner")]
    ill = whole.model_copy(
        update={"inventory": inventory, "frames": [DetectedFrame(name=names[3], box=box)], "watermarks": watermarks}
    )
    crops = [Crop(names[i], Image.fromarray(shown[names[i]]), (6, 6, 58, 58)) for i in (3, 4)]
    files = write_page(exploration(ill), [pictures(shown, crops=crops[:1], watermark_crops=crops[1:])], tmp_path)
    source, text = read(tmp_path)
    for said in (
        "notes.txt: no picture",
        f"again.jpg is {names[0]}",
        "1 pair of near duplicates",
        "seal: a red square",
    ):
        assert said in text
    assert "6 images smaller than 300 pixels" in text and "No issues found" not in text
    for each in ("Two near duplicates", "An image before and after", "A suspected watermark"):
        assert f'alt="{each}' in source
    assert {"duplicates-paintings.jpg", "frames-paintings-1.jpg", "watermarks-paintings-1.jpg"} <= set(files)


@pytest.mark.usefixtures("undrawn")
def test_a_domain_without_issues_is_mentioned_beside_one_with_issues(tmp_path: Path) -> None:
    shown = [blobs(4), blobs(4, seed=1)]
    photos = domain("photos", shown[1])
    same = photos.inventory.model_copy(update={"duplicates": [Duplicate(name="a", of="b")]})
    found = exploration(domain("paintings", shown[0]), photos.model_copy(update={"inventory": same}))
    write_page(found, [pictures(each) for each in shown], tmp_path)
    assert "Paintings: no issues found." in read(tmp_path)[1]


@pytest.mark.usefixtures("undrawn")
def test_file_names_are_escaped(tmp_path: Path) -> None:
    shown = {HOSTILE: next(iter(blobs(1).values())), **blobs(4, seed=2)}
    found = domain("paintings", shown)
    inventory = found.inventory.model_copy(
        update={"near_duplicates": [(HOSTILE, "2-0.jpg")], "left_out": [LeftOut(name=HOSTILE, reason=HOSTILE)]}
    )
    make_crop = Crop(HOSTILE, Image.fromarray(shown[HOSTILE]), (1, 1, 60, 60))
    ill = found.model_copy(update={"inventory": inventory, "frames": [DetectedFrame(name=HOSTILE, box=(0, 0, 1, 1))]})
    write_page(exploration(ill), [pictures(shown, crops=[make_crop])], tmp_path)
    source, _ = read(tmp_path)
    assert "<script" not in source and "&lt;script&gt;" in source


@pytest.mark.parametrize("count", [1, 3])
def test_one_image_is_enough_for_a_page(count: int, tmp_path: Path) -> None:
    shown = blobs(count)
    names = write_page(exploration(domain("paintings", shown), recommendations=[]), [pictures(shown)], tmp_path)
    _, text = read(tmp_path)
    assert f"{count} painting" in text and "Balance" not in text and "Distance between photos" not in text
    assert ("similarity-paintings.png" in names) == (count > 2)  # a similarity matrix needs three images


@pytest.mark.usefixtures("undrawn")
def test_files_of_an_earlier_report_are_removed_and_others_kept(tmp_path: Path) -> None:
    old, others = {"frames-photos-7.jpg", "map-photos.jpg", "marks-photos-1.jpg"}, {"mine.jpg", "map-paintings.jpg"}
    for name in old | others:
        (tmp_path / name).write_bytes(b"old")
    shown = blobs(3)
    found = exploration(domain("paintings", shown))
    record = found.model_copy(update={"files": [*old, "mine.jpg", "../mine.jpg", "exploration.json"]})
    (tmp_path / "exploration.json").write_text(record.model_dump_json())
    names = set(write_page(found, [pictures(shown)], tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == names | others
    assert (tmp_path / "mine.jpg").read_bytes() == b"old", "no name of this report, whatever the record says"


def test_each_domain_needs_its_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 domains have the images of 0"):
        write_page(exploration(domain("paintings", blobs(1))), [], tmp_path)
    assert not list(tmp_path.iterdir())
