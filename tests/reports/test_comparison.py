"""The page and the table of several runs."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fixtures import invented_runs as invented
from fixtures.invented_runs import entry
from fixtures.parsed import Page, asks_nothing, plain, size
from impasto.metrics.results import Value
from impasto.reports.comparison import compare_runs, shared_photos, summary, write_comparison
from impasto.reports.comparison_results import Comparison, Entry
from impasto.reports.comparison_tables import score_blocks
from impasto.reports.curve_overlay import draw_overlay, overlay_panels
from impasto.reports.figure_style import DARK, LIGHT
from impasto.reports.run_record import RunRecord

SHEET = np.full((16, 16, 16, 3), 90, np.uint8)


def shell(comparison: Comparison) -> str:
    console = Console(width=250, file=io.StringIO())
    console.print(summary(comparison))
    assert isinstance(console.file, io.StringIO)
    return plain(console.file.getvalue())


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    folder = tmp_path_factory.mktemp("runs")
    made = [
        entry(folder / "narrow", invented.evaluation(0.08), steps=400),
        entry(folder / "wide", invented.evaluation(0.05), steps=200, loss="hinge", seed=1),
        entry(folder / "few", invented.evaluation(0.01, fakes=128), steps=100, status="stopped"),
    ]
    return [Entry(each.name, each.record, each.evaluation, False, SHEET, "by its style") for each in made]


@pytest.fixture(scope="module")
def written(entries: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("comparison")
    write_comparison(entries, compare_runs(entries, price=2.5), out)
    return out


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written / "comparison.html")


def test_the_page_asks_nothing_of_any_network(page: Page) -> None:
    assert asks_nothing(page)
    assert len(page.source) < 3_000_000


def test_every_run_has_its_paintings_in_a_picture_that_decodes(page: Page) -> None:
    images = page.all("img")
    assert [each["alt"] for each in images[:3]] == [f"Samples of {name}" for name in ("narrow", "wide", "few")]
    for image in images:
        assert size(image["src"]) == (int(image["width"]), int(image["height"]))


def test_what_differs_is_there_and_what_does_not_is_not(page: Page) -> None:
    text = plain(page.text)
    assert "hinge" in text
    assert "seed" in text
    assert "generator.width" not in text


def test_scores_that_cannot_be_compared_stand_in_different_tables(entries: list[Entry]) -> None:
    blocks = score_blocks(compare_runs(entries).runs)
    assert [block.runs for block in blocks] == [[0, 1], [0, 1], [2], [2]]
    for block in blocks:
        assert any(counts in block.caption for counts in ("256 v 270", "128 v 270"))
        for line in block.lines[:-1]:
            assert block.caption.partition(",")[0] in line.label
    kid = blocks[0].lines[0]
    assert kid.best == [False, True]
    assert [plain(text) for text in kid.texts] == ["0.0800 ± 0.0021", "0.0500 ± 0.0021"]
    assert kid.notes == ["floor 0.0004, 135 v 135"] * 2


def test_lattices_are_compared_and_the_lower_is_better(tmp_path: Path) -> None:
    made = [
        entry(tmp_path / name, invented.evaluation(checkerboard=checkerboard))
        for name, checkerboard in (
            ("woven", Value(value=6.5, error=0.3, floor=0.2)),
            ("smooth", Value(value=0.4, error=0.1, floor=0.2)),
            ("older", None),
        )
    ]
    blocks = score_blocks(compare_runs(made).runs)
    lines = [line for line in blocks[0].lines if line.label == "checkerboard"]
    assert [plain(text) for text in lines[0].texts] == ["6.50 ± 0.30", "0.40 ± 0.10", "—"]
    assert lines[0].best == [False, True, False]
    assert lines[0].notes == ["reals 0.20", "reals 0.20", ""]
    assert not any(line.label == "checkerboard" for line in blocks[1].lines)  # once, not once a network


def test_the_json_says_the_same_and_can_be_read_back(written: Path, entries: list[Entry]) -> None:
    text = (written / "comparison.json").read_text(encoding="utf-8")
    again = Comparison.model_validate_json(text)
    assert [run.name for run in again.runs] == ["narrow", "wide", "few"]
    assert again.runs[1].evaluation == entries[1].evaluation
    assert json.loads(text)["differences"]["seed"] == {"narrow": 0, "wide": 1, "few": 0}


def test_the_shell_is_told_the_same(entries: list[Entry]) -> None:
    text = shell(compare_runs(entries, price=2.5))
    for said in (
        "loss — hinge —",
        "KID[efficientnet-lite0] 0.0800 ± 0.0021 0.0500 ± 0.0021",
        "KID[efficientnet-lite0] 256 v 270",
        "cost, at 2.50 per hour 0.09 0.04 0.02",
        "0.034 CPU hours",
        "wide has the best score",
        "few is not finished: stopped at step 100 of 400",
    ):
        assert said in text


def test_without_a_price_there_is_no_money(entries: list[Entry]) -> None:
    assert "cost" not in shell(compare_runs(entries))


def test_curves_lie_over_each_other_by_pictures_and_by_time(entries: list[Entry]) -> None:
    records = [each.record for each in entries]
    drawn = overlay_panels(records)
    assert [(panel.column, panel.along) for panel in drawn[:2]] == [
        (invented.KID, "pictures"),
        (invented.KID, "seconds"),
    ]
    assert {"loss_generator", "loss_discriminator", "accuracy_fake", "accuracy_real"} < {each.column for each in drawn}
    for theme in (LIGHT, DARK):
        axes = draw_overlay(records, theme).axes
        assert all(len({line.get_color() for line in each.lines}) == 3 for each in axes[: len(drawn)])
        assert axes[0].get_title(loc="left") == invented.KID
        assert axes[1].get_xlabel() == "minutes of training"


def photographed(folder: Path, photos: int | None, noise: int = 0) -> Entry:
    made = entry(folder, steps=0, photos=None if photos is None else invented.PHOTOS)
    random = np.random.default_rng(7)
    taken = None if photos is None else np.clip(photos + random.integers(-noise, noise + 1, SHEET.shape), 0, 255)
    return Entry(
        made.name, made.record, None, False, SHEET, "samples", None if taken is None else taken.astype(np.uint8)
    )


def test_photos_that_runs_share_are_shown_once_and_others_beside_their_paintings(tmp_path: Path) -> None:
    a, b = photographed(tmp_path / "a", 40), photographed(tmp_path / "b", 40, noise=6)  # as of another JPEG
    other, none = photographed(tmp_path / "c", 140), photographed(tmp_path / "d", None)

    def page(*entries: Entry) -> Page:
        return Page(write_comparison(entries, compare_runs(entries), tmp_path))

    def sheets(page: Page) -> list[tuple[str, float]]:
        return [(each["alt"], int(each["width"]) / int(each["height"])) for each in page.all("img")]

    shared = page(a, b, none)
    assert [alt for alt, _ in sheets(shared)] == ["Source photos", *(f"Samples of {n}" for n in "abd")]
    assert len({ratio for _, ratio in sheets(shared)}) == 1
    assert "Translations of the same photos" in shared.text
    apart = page(a, other, none)
    assert [alt for alt, _ in sheets(apart)] == [f"Samples of {name}" for name in "acd"]
    ratios = [ratio for _, ratio in sheets(apart)]
    assert ratios[0] == ratios[1] < ratios[2] / 1.5  # twice as many pictures, in rows as long
    assert "unconditional runs: samples with the same numbers" in plain(apart.text)
    assert "unconditional runs" not in page(a, other).text
    assert shared_photos([a]) is shared_photos([a, none]) is shared_photos([none]) is None


def test_a_loss_that_one_run_alone_has_is_left_to_its_report(tmp_path: Path) -> None:
    cycle, gan = invented.begin(tmp_path / "cycle"), invented.begin(tmp_path / "gan")
    invented.write_log(cycle, invented.cycle_rows(20))
    invented.write_log(gan, invented.log_rows(20))
    both = [RunRecord.read(cycle), RunRecord.read(gan)]
    drawn = [panel.column for panel in overlay_panels(both) if panel.column.startswith("loss_")]
    assert drawn == ["loss_generator", "loss_discriminator"]
    assert "loss_cycle_back" in {panel.column for panel in overlay_panels(both[:1])}


def test_a_run_that_has_just_begun_and_one_that_logs_other_things_are_compared(tmp_path: Path) -> None:
    begun = Entry("begun", RunRecord.read(invented.begin(tmp_path / "begun", status="running", total_steps=None)))
    other = invented.begin(tmp_path / "other")
    invented.write_log(other, [{"step": step, "pictures": step, "loss_cycle": 1.0} for step in range(1, 5)])
    both = [begun, Entry("other", RunRecord.read(other))]
    (tmp_path / "out").mkdir()
    page = Page(write_comparison(both, compare_runs(both), tmp_path / "out"))
    text = plain(page.text)
    assert "There are no samples yet." in text
    assert "begun is not finished: still running at step 0." in text
    assert "begun and other have no scores" in text
    assert shell(compare_runs(both))

    page = Page(write_comparison(both[:1], compare_runs(both[:1]), tmp_path / "out"))
    assert not page.all("img")
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_overlay([begun.record], LIGHT)


def test_more_runs_than_colours_have_other_dashes(tmp_path: Path) -> None:
    many = [entry(tmp_path / f"run-{number}") for number in range(7)]
    first, *_, last = (axes.lines for axes in draw_overlay([each.record for each in many], LIGHT).axes)
    assert len({(line.get_color(), line.get_linestyle()) for line in last}) == 7
    assert first
    (tmp_path / "out").mkdir()
    page = Page(write_comparison(many, compare_runs(many), tmp_path / "out"))
    marks = [each["class"] for each in page.all("i")]
    assert len(set(marks)) == 7


@pytest.mark.parametrize("name", ["</b>\"'&", "$x_$ {{ 1 }} {% x %}", "_山水[/bold]"])
def test_names_are_text_and_never_markup(tmp_path: Path, name: str) -> None:
    marked = f"{name}<script>x<img src=x>[red]"
    plot = marked.encode("ascii", "ignore").decode()  # networks and losses have no other names
    made = entry(tmp_path / "run", invented.evaluation(), device=marked)
    other = entry(tmp_path / "other", loss=marked)
    (tmp_path / "run" / "log.jsonl").write_text(
        json.dumps({"step": 1, "pictures": 1, "seconds": 1, f"KID[{plot}] 1 v 1": 1.0, f"loss_{plot}": 1.0})
    )
    both = [Entry(marked, RunRecord.read(made.record.folder), made.evaluation), other]
    page = Page(write_comparison(both, compare_runs(both), tmp_path))
    assert {"script", "img"}.isdisjoint(tag for tag, attributes in page.elements if attributes.get("src") == "x")
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.text.count(marked) >= 8
    assert plain(marked) in shell(compare_runs(both))
