"""The tuning report is self-contained and complete, in every state of a study."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.parsed import Page, asks_nothing, content, plain, size
from fixtures.synthetic_tuning import pruned, study, trial, two_objectives, write_images
from impasto.reports.tuning import select_trials, write_tuning
from impasto.reports.tuning_figures import pareto
from impasto.reports.tuning_results import Tuning

SHEET = Image.fromarray(np.random.default_rng(0).integers(0, 256, (66, 66, 3), dtype=np.uint8))
BEST = "name: fastcut\nloss: hinge # <b>bold</b> & brave\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tuned")
    write_images(out, study(), SHEET)
    (out / "best.yaml").write_text(BEST, encoding="utf-8")
    assert write_tuning(study(), out) == out / "report.html"
    return out


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written / "report.html")


def rows(page: Page) -> str:
    return page.source[page.source.index('id="trials"') : page.source.index('id="study"')]


def test_the_page_loads_nothing_from_the_network(page: Page) -> None:
    assert asks_nothing(page)
    assert len(page.source) < 5_000_000
    assert not page.all("script")


def test_every_embedded_image_has_the_size_of_its_tag(page: Page) -> None:
    images = page.all("img")
    assert len(images) == 6 + 4  # samples of six trials, four figures
    for image in images:
        assert size(image["src"]) == (int(image["width"]), int(image["height"]))
        assert image["alt"]


def test_the_table_lists_every_trial_with_its_state_best_first(page: Page) -> None:
    table = rows(page)
    best = study().best_trial
    assert best is not None
    for each in study().trials:
        assert f'<th scope="row">{each.number}</th><td>{each.state}' in table
    assert table.index('<th scope="row">') == table.index(f'<th scope="row">{best.number}</th>')
    assert table.count("<tr class=") == 24
    assert "retry of 5" in table
    assert "retried as 23" in table


def test_the_best_recipe_is_shown_as_text(page: Page) -> None:
    assert BEST in page.text
    assert "<b>bold</b>" not in page.source


def test_the_page_states_the_numbers_of_the_study(page: Page) -> None:
    text = plain(page.text)
    assert "Tuning fastcut" in text
    assert "6 settings searched in 24 trials of 15m each: 12 complete, 11 pruned and 1 failed." in text
    assert "Pruning 11 trials saved 38 % of the time" in text
    assert "The best of 12 trials is partly the best by chance" in text
    assert "recipe.yaml … --budget 15m --seed 1" in text


def test_plots_and_numbers_are_written_beside_the_page(written: Path, page: Page) -> None:
    drawn = {content(image["src"]) for image in page.all("img")}
    for name in ("history", "importance", "parallel", "halving"):
        assert (written / f"{name}.png").read_bytes() in drawn
    assert not (written / "pareto.png").exists()
    assert Tuning.model_validate_json((written / "tuning.json").read_text(encoding="utf-8")) == study()
    assert json.loads((written / "tuning.json").read_text(encoding="utf-8"))["best"] == study().best


def test_samples_are_shown_of_the_best_the_baseline_the_worst_and_two_pruned_trials() -> None:
    found = study()
    ends = sorted((each.values[0], each.number) for each in found.trials if each.values)
    shown = {role: each for each, role in select_trials(found)}
    assert shown["best"].number == ends[0][1]
    assert shown["baseline"].baseline
    assert shown["worst"].number == ends[-1][1]
    assert shown["second worst"].number == ends[-2][1]
    assert shown["best of the pruned"].last_score == min(each.last_score or 9 for each in found.pruned)
    assert shown["worst of the pruned"].last_score == max(each.last_score or 0 for each in found.pruned)


def test_no_trial_is_shown_twice() -> None:
    assert select_trials(study([trial(0), pruned(1, 0)])) == [
        (trial(0), "best, baseline"),
        (pruned(1, 0), "pruned"),
    ]


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without figures, which are slow to draw."""
    monkeypatch.setattr("impasto.reports.tuning.available_figures", lambda _: {})


@pytest.mark.usefixtures("no_figures")
def test_final_images_are_preferred_to_samples_and_newer_samples_to_older(tmp_path: Path) -> None:
    found = study([trial(0), pruned(1, 0)])
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
        (image,) = [each for each in page.all("img") if each["alt"] == f"Samples of trial {number}"]
        (tmp_path / "seen.jpg").write_bytes(content(image["src"]))
        with Image.open(tmp_path / "seen.jpg") as seen:
            red_green_blue = np.asarray(seen).mean((0, 1))
        assert red_green_blue.argmax() == channel
        assert red_green_blue[channel] > 200


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (study([]), "No trial has begun yet."),
        (
            study([trial(0, "running", rung_scores={0.1: 0.2}), pruned(1, 0)]),
            "No trial is complete yet: 1 pruned",
        ),
        (study([trial(0)]), "1 complete trial is too few"),
        (study([trial(0, "failed", rung_scores={})]), "No trial is complete yet: 1 failed."),
    ],
    ids=["empty", "running", "one", "failed"],
)
def test_the_page_of_an_unfinished_study_shows_what_there_is(found: Tuning, sentence: str, tmp_path: Path) -> None:
    page = Page(write_tuning(found, tmp_path))
    assert sentence in plain(page.text)
    assert "generator.lr" in page.text
    assert "Too few trials to estimate the importance of the settings." in plain(page.text)
    assert rows(page).count("<tr class=") == len(found.trials)
    assert asks_nothing(page)
    assert ("No samples." in page.text) == bool(select_trials(found))


def test_two_objectives_are_drawn_as_a_pareto_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.reports.tuning.available_figures", lambda _: {"pareto": pareto})
    page = Page(write_tuning(two_objectives(), tmp_path))
    assert (tmp_path / "pareto.png").exists()
    text = plain(page.text)
    assert "are on the Pareto front" in text
    assert "best seconds a picture (trial 3)" in text
    assert rows(page).count('<tr class="complete best">') == len(two_objectives().best)


@pytest.mark.usefixtures("no_figures")
def test_markup_in_names_is_escaped(tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)>$\\frac"
    found = study(
        [trial(0, worker=nasty, settings={nasty: nasty}), trial(1, settings={nasty: "b"})],
        study=nasty, recipe=nasty, objectives=[nasty], importance={nasty: 1.0},
        space={nasty: {"choices": [nasty, "b"]}},
    )  # fmt: skip
    page = Page(write_tuning(found, tmp_path))
    assert nasty in page.text
    assert not page.all("img")
    assert asks_nothing(page)
