"""The page of a search holds all that it shows, in every state of a study."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures import invented_tuning as invented
from fixtures.invented_tuning import pruned, trial, tuning, two
from fixtures.parsed import Page, asks_nothing, content, plain, size
from impasto.reports.tuning import chosen, write_tuning
from impasto.reports.tuning_figures import pareto
from impasto.reports.tuning_results import Tuning

SHEET = Image.fromarray(np.random.default_rng(0).integers(0, 256, (66, 66, 3), dtype=np.uint8))
BEST = "name: fastcut\nloss: hinge # <b>bold</b> & brave\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tuned")
    invented.leave_pictures(out, tuning(), SHEET)
    (out / "best.yaml").write_text(BEST, encoding="utf-8")
    assert write_tuning(tuning(), out) == out / "report.html"
    return out


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written / "report.html")


def rows(page: Page) -> str:
    return page.source[page.source.index('id="trials"') : page.source.index('id="study"')]


def test_the_page_asks_nothing_of_any_network(page: Page) -> None:
    assert asks_nothing(page)
    assert len(page.source) < 5_000_000
    assert not page.all("script")


def test_every_picture_decodes_to_the_size_it_is_given(page: Page) -> None:
    images = page.all("img")
    assert len(images) == 6 + 4  # the paintings of six trials, four figures
    for image in images:
        assert size(image["src"]) == (int(image["width"]), int(image["height"]))
        assert image["alt"]


def test_the_table_has_every_trial_with_its_state_and_the_best_on_top(page: Page) -> None:
    table = rows(page)
    best = tuning().winner
    assert best is not None
    for each in tuning().trials:
        assert f'<th scope="row">{each.number}</th><td>{each.state}' in table
    assert table.index('<th scope="row">') == table.index(f'<th scope="row">{best.number}</th>')
    assert table.count("<tr class=") == 24
    assert "retry of 5" in table
    assert "tried again as 23" in table


def test_the_whole_recipe_of_the_best_is_there_as_text(page: Page) -> None:
    assert BEST in page.text
    assert "<b>bold</b>" not in page.source


def test_the_page_says_what_the_numbers_say(page: Page) -> None:
    text = plain(page.text)
    assert "Tuning fastcut" in text
    assert "6 settings searched in 24 trials of 15m each: 12 complete, 11 pruned and 1 failed." in text
    assert "Pruning saved 38 % of the time" in text
    assert "The best of 12 trials is better than it would be if measured again" in text
    assert "recipe.yaml … --budget 15m --seed 1" in text


def test_plots_and_numbers_lie_beside_the_page(written: Path, page: Page) -> None:
    drawn = {content(image["src"]) for image in page.all("img")}
    for name in ("history", "importance", "parallel", "halving"):
        assert (written / f"{name}.png").read_bytes() in drawn
    assert not (written / "pareto.png").exists()
    assert Tuning.model_validate_json((written / "tuning.json").read_text(encoding="utf-8")) == tuning()
    assert json.loads((written / "tuning.json").read_text(encoding="utf-8"))["best"] == tuning().best


def test_the_best_the_recipe_itself_the_worst_and_two_pruned_are_looked_at() -> None:
    found = tuning()
    ends = sorted((each.values[0], each.number) for each in found.trials if each.values)
    shown = {what: each for each, what in chosen(found)}
    assert shown["the best"].number == ends[0][1]
    assert shown["the recipe's own settings"].own
    assert shown["the worst"].number == ends[-1][1]
    assert shown["among the worst"].number == ends[-2][1]
    assert shown["the best of the pruned"].last == min(each.last or 9 for each in found.pruned)
    assert shown["the worst of the pruned"].last == max(each.last or 0 for each in found.pruned)


def test_no_trial_is_looked_at_twice() -> None:
    assert chosen(tuning([trial(0), pruned(1, 0)])) == [
        (trial(0), "the best, the recipe's own settings"),
        (pruned(1, 0), "pruned"),
    ]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without figures, which are quick."""
    monkeypatch.setattr("impasto.reports.tuning.figures", lambda found: {})


@pytest.mark.usefixtures("undrawn")
def test_paintings_are_preferred_to_samples_and_newer_samples_to_older(tmp_path: Path) -> None:
    found = tuning([trial(0), pruned(1, 0)])
    colours = {
        "000/paintings.jpg": (255, 0, 0),
        "000/samples/step-00000100.jpg": (0, 0, 0),
        "001/samples/step-00000050.jpg": (0, 0, 0),
        "001/samples/step-00000100.jpg": (0, 0, 255),
    }
    for name, colour in colours.items():
        (tmp_path / "trials" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), colour).save(tmp_path / "trials" / name)
    (tmp_path / "trials" / "001" / "samples" / "step-00000200.jpg").write_bytes(b"\xff\xd8 cut off")
    page = Page(write_tuning(found, tmp_path))
    for number, channel in ((0, 0), (1, 2)):
        (image,) = [each for each in page.all("img") if each["alt"] == f"Paintings of trial {number}"]
        (tmp_path / "seen.jpg").write_bytes(content(image["src"]))
        with Image.open(tmp_path / "seen.jpg") as seen:
            red_green_blue = np.asarray(seen).mean((0, 1))
        assert red_green_blue.argmax() == channel
        assert red_green_blue[channel] > 200


@pytest.mark.parametrize(
    ("found", "saying"),
    [
        (tuning([]), "No trial has begun yet."),
        (tuning([trial(0, "running", looks={0.1: 0.2}), pruned(1, 0)]), "No trial is complete yet: 1 pruned and 1 run"),
        (tuning([trial(0)]), "1 complete trial says little"),
        (tuning([trial(0, "failed", looks={})]), "No trial is complete yet: 1 failed."),
    ],
    ids=["empty", "running", "one", "failed"],
)
def test_a_study_that_is_not_done_is_told_as_far_as_it_is(found: Tuning, saying: str, tmp_path: Path) -> None:
    page = Page(write_tuning(found, tmp_path))
    assert saying in plain(page.text)
    assert "generator.lr" in page.text
    assert "Too few trials were looked at to tell which settings matter." in plain(page.text)
    assert rows(page).count("<tr class=") == len(found.trials)
    assert asks_nothing(page)
    assert ("There are no paintings of it." in page.text) == bool(chosen(found))


def test_two_objectives_are_laid_against_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.reports.tuning.figures", lambda found: {"pareto": pareto})
    page = Page(write_tuning(two(), tmp_path))
    assert (tmp_path / "pareto.png").exists()
    text = plain(page.text)
    assert "form the front" in text
    assert "seconds a picture of the best, trial 3" in text
    assert rows(page).count('<tr class="complete best">') == len(two().best)


@pytest.mark.usefixtures("undrawn")
def test_names_are_text_whatever_they_contain(tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)>$\\frac"
    found = tuning(
        [trial(0, worker=nasty, settings={nasty: nasty}), trial(1, settings={nasty: "b"})],
        study=nasty, recipe=nasty, objectives=[nasty], importance={nasty: 1.0},
        space={nasty: {"choices": [nasty, "b"]}},
    )  # fmt: skip
    page = Page(write_tuning(found, tmp_path))
    assert nasty in page.text
    assert not page.all("img")
    assert asks_nothing(page)
