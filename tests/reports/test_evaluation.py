"""The page of an evaluation shows what was measured, each number with its network and counts."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console, RenderableType

from fixtures import invented_runs as invented
from fixtures.parsed import Page, asks_nothing, content, plain, size
from impasto.data.image_grid import cut, tile
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation, ImageSetSummary, Memorisation, NearestReals, Scores, Value
from impasto.reports.evaluation import summary, write_evaluation
from impasto.reports.figure_style import DARK, LIGHT
from impasto.reports.memorisation import draw_histogram


@pytest.fixture(scope="module")
def monets(shared_data: Path) -> Path:
    return shared_data / "kaggle_monet" / "monet_jpg"


@pytest.fixture(scope="module")
def scored() -> Evaluation:
    return invented.evaluation(content=invented.CONTENT)


@pytest.fixture(scope="module")
def copies(monets: Path, scored: Evaluation) -> Image.Image:
    return invented.copies_sheet(monets, scored)


@pytest.fixture(scope="module")
def page(scored: Evaluation, copies: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Page:
    sheets = (Image.new("RGB", (262, 262), "red"), Image.new("RGB", (262, 262), "blue"))
    return Page(write_evaluation(scored, copies, sheets, tmp_path_factory.mktemp("evaluation")))


def shell(shown: RenderableType) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_page_asks_nothing_of_any_network(page: Page) -> None:
    assert asks_nothing(page)
    assert len(page.source) < 3_000_000


def test_every_picture_decodes_to_the_size_it_is_given(page: Page) -> None:
    for image in page.all("img"):
        assert size(image["src"]) == (int(image["width"]), int(image["height"]))
        assert image["alt"]


def test_the_page_begins_with_its_verdict(page: Page) -> None:
    text = plain(page.text)
    verdict, first_table = text.index("fakes and reals are distinguishable"), text.index("Metric")
    assert verdict < text.index("No sign of memorisation.") < first_table


def test_every_number_stands_by_its_network_and_both_counts(page: Page, scored: Evaluation) -> None:
    tables = page.source.split("<table")[1:3]
    for table, scores in zip(tables, scored.scores, strict=True):
        assert scores.network in table
        assert scores.counts in table
        for name in scores.values:
            assert f">{scores.label(name)} <" in table
    assert "Floor, 135 v 135" in tables[0]
    assert ">Floor" not in tables[1]  # where none was measured
    text = plain(page.text)
    for said in ("0.0563 ± 0.0021", "0.0521 to 0.0607", "99.1", "1,240"):
        assert said in text


def test_what_was_compared_is_told(page: Page) -> None:
    text = plain(page.text)
    for said in ("by a style (noise → paintings)", "runs/first try", "pictures/monet_jpg", "broken.jpg", "cut off"):
        assert said in text
    assert re.search(r"Available ?300 Compared ?270 Exact duplicates ?1 Unreadable ?1", text)
    assert "SSIM" in text
    assert "64 pairs" in text


def test_suspects_are_shown_beside_their_nearest_pixel_by_pixel(
    page: Page, scored: Evaluation, copies: Image.Image
) -> None:
    pairs = [each for each in page.all("img") if each["alt"].startswith(("Fake ", "Real "))]
    cells = cut(copies, 64, 64).reshape(-1, 64, 64, 3)
    assert len(pairs) == len(cells) == 4 * len(scored.copies.suspects)
    for image, cell in zip(pairs, cells, strict=True):
        with Image.open(io.BytesIO(content(image["src"]))) as picture:
            assert (np.asarray(picture) == cell).all()
    for suspect in scored.copies.suspects:
        assert suspect.fake in page.text
        assert f"{suspect.distances[0]:.3f}" in page.text


def test_held_out_pictures_have_a_table_of_their_own(scored: Evaluation, tmp_path: Path) -> None:
    unseen = scored.scores[0].model_copy(update={"reals": 30, "values": {"KID": Value(value=0.0812, error=0.009)}})
    shown = scored.model_copy(update={"unseen": unseen})
    text = plain(Page(write_evaluation(shown, None, None, tmp_path)).text)
    assert "256 v 270 training images" in text
    assert "256 v 30 held-out images" in text
    assert "0.0812 ± 0.0090" in plain(shell(summary(shown)))


def test_the_lattice_of_the_fakes_stands_beside_that_of_the_reals(scored: Evaluation, tmp_path: Path) -> None:
    shown = scored.model_copy(update={"checkerboard": Value(value=2.13, error=0.21, floor=0.18)})
    text = plain(Page(write_evaluation(shown, None, None, tmp_path)).text)
    assert re.search("Fakes ?Reals ?checkerboard artefacts of upsampling", text)
    assert re.search("2.13 ± 0.21 ?0.18", text)
    assert "checkerboard 2.13 ± 0.21 (reals 0.18): artefacts" in plain(shell(summary(shown)))
    assert "checkerboard" not in plain(shell(summary(scored)))  # where none was measured


def test_a_copyist_is_told_first_of_all(tmp_path: Path) -> None:
    text = plain(Page(write_evaluation(invented.evaluation(copied=0.9), None, None, tmp_path)).text)
    assert text.index("reproduces training images") < text.index("fakes and reals are distinguishable")


def test_without_sheets_and_distances_the_page_does_without(tmp_path: Path) -> None:
    nothing = Memorisation(network="net", fakes=[], reals=[], suspects=[])
    bare = invented.evaluation(copies=nothing, scores=[])
    page = Page(write_evaluation(bare, None, None, tmp_path))
    assert not page.all("img")
    assert "Memorisation cannot be determined" in plain(page.text)
    assert shell(summary(bare))


def test_fewer_nearest_reals_than_columns_leave_the_places_empty(monets: Path, tmp_path: Path) -> None:
    two = NearestReals(fake="a", reals=["x", "y"], distances=[0.1, 0.2])
    few = invented.evaluation(copies=Memorisation(network="net", fakes=[0.1], reals=[0.1, 0.1], suspects=[two]))
    sheet = tile(invented.pictures(monets, 3, 64), columns=4)
    page = Page(write_evaluation(few, sheet, None, tmp_path))
    assert [each["alt"] for each in page.all("img")[1:]] == ["Fake a", "Real x", "Real y"]


@pytest.mark.parametrize("wrong", [(100, 100), (262, 64)])
def test_a_sheet_of_another_evaluation_is_refused(scored: Evaluation, wrong: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="does not belong to this evaluation") as raised:
        write_evaluation(scored, Image.new("RGB", wrong), None, tmp_path)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_the_histogram_shows_all_of_both_and_the_threshold(scored: Evaluation) -> None:
    for theme in (LIGHT, DARK):
        axes = draw_histogram(scored.copies, theme).axes[0]
        for steps in axes.patches:
            assert sum(steps.get_data().values) == pytest.approx(1)  # type: ignore[attr-defined]
        assert any(line.get_xdata()[0] == scored.copies.threshold for line in axes.lines)  # type: ignore[index]


@pytest.mark.parametrize("same", [0.0, 0.3])
def test_equal_distances_can_be_drawn(same: float) -> None:
    draw_histogram(Memorisation(network="$net$", fakes=[same], reals=[same] * 3, suspects=[]), LIGHT)


def test_the_shell_is_told_the_same(scored: Evaluation) -> None:
    text = plain(shell(summary(scored)))
    for said in (
        "efficientnet-lite0, 256 v 270 reals, 64×64 px",
        "KID[efficientnet-lite0] 0.0563 ± 0.0021 0.0521 to 0.0607 0.0004",
        "floor, 135 v 135",
        "no sign of memorisation",
        "SSIM 0.412 (64 pairs, 64×64 px)",
    ):
        assert said in text


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("<>&\"'/{}%$[]ab "), min_size=1, max_size=12))
def test_names_are_text_and_never_markup(tmp_path: Path, name: str) -> None:
    marked = f"{name}<script>x</script><img src=x>[red]"
    side = ImageSetSummary(name=marked, domains=marked, there=1, scored=1, left_out=[(marked, marked)])
    suspect = NearestReals(fake=marked, reals=[marked], distances=[0.1])
    hostile = invented.evaluation().model_copy(
        update={
            "fakes": side,
            "reals": side,
            "scores": [Scores(network=marked, size=64, fakes=1, reals=1, values={"KID": Value(value=1)})],
            "copies": Memorisation(network=marked, fakes=[], reals=[], suspects=[suspect]),
        }
    )
    page = Page(write_evaluation(hostile, None, None, tmp_path))
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.elements)
    assert page.text.count(marked) >= 8
    assert plain(f"KID[{marked}]") in plain(shell(summary(hostile)))
