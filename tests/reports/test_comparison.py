"""Page and terminal summary of a comparison."""

import json
from pathlib import Path

import numpy as np
import pytest

from fixtures import invented_runs as invented
from fixtures.invented_runs import SHEET, entry
from fixtures.parsed import Page, asks_nothing, plain, printed, size
from impasto.reports.comparison import compare_runs, shared_photos, summary, write_comparison
from impasto.reports.comparison_results import Comparison, Entry
from impasto.reports.curve_overlay import draw_overlay
from impasto.reports.figure_style import LIGHT
from impasto.reports.run_record import RunRecord


def shell(comparison: Comparison) -> str:
    return printed(summary(comparison))


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    return invented.three_entries(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def written(entries: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("comparison")
    write_comparison(entries, compare_runs(entries, price=2.5), out)
    return out


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written / "comparison.html")


def test_the_page_is_self_contained(page: Page) -> None:
    assert asks_nothing(page)
    assert len(page.source) < 3_000_000


def test_every_run_has_a_grid_of_samples(page: Page) -> None:
    images = page.all("img")
    assert [each["alt"] for each in images[:3]] == [f"Samples of {name}" for name in ("narrow", "wide", "few")]
    for image in images:
        assert size(image["src"]) == (int(image["width"]), int(image["height"]))


def test_only_differing_settings_are_shown(page: Page) -> None:
    text = plain(page.text)
    assert "hinge" in text
    assert "seed" in text
    assert "generator.width" not in text


def test_the_json_can_be_read_back(written: Path, entries: list[Entry]) -> None:
    text = (written / "comparison.json").read_text(encoding="utf-8")
    again = Comparison.model_validate_json(text)
    assert [run.name for run in again.runs] == ["narrow", "wide", "few"]
    assert again.runs[1].evaluation == entries[1].evaluation
    assert json.loads(text)["differences"]["seed"] == {"narrow": 0, "wide": 1, "few": 0}


def test_the_terminal_summary_has_the_same_numbers(entries: list[Entry]) -> None:
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


def test_there_is_no_cost_without_a_price(entries: list[Entry]) -> None:
    assert "cost" not in shell(compare_runs(entries))


def photographed(folder: Path, photos: int | None, noise: int = 0) -> Entry:
    made = entry(folder, steps=0, photos=None if photos is None else invented.PHOTOS)
    random = np.random.default_rng(7)
    taken = None if photos is None else np.clip(photos + random.integers(-noise, noise + 1, SHEET.shape), 0, 255)
    return Entry(
        made.name, made.record, None, False, SHEET, "samples", None if taken is None else taken.astype(np.uint8)
    )


def test_shared_source_photos_are_shown_once(tmp_path: Path) -> None:
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


def test_runs_without_samples_or_scores_can_be_compared(tmp_path: Path) -> None:
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


def test_more_runs_than_colours_are_dashed(tmp_path: Path) -> None:
    many = [entry(tmp_path / f"run-{number}") for number in range(7)]
    first, *_, last = (axes.lines for axes in draw_overlay([each.record for each in many], LIGHT).axes)
    assert len({(line.get_color(), line.get_linestyle()) for line in last}) == 7
    assert first
    (tmp_path / "out").mkdir()
    page = Page(write_comparison(many, compare_runs(many), tmp_path / "out"))
    marks = [each["class"] for each in page.all("i")]
    assert len(set(marks)) == 7


@pytest.mark.parametrize("name", ["</b>\"'&", "$x_$ {{ 1 }} {% x %}", "_山水[/bold]"])
def test_names_are_escaped(tmp_path: Path, name: str) -> None:
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
