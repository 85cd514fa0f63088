"""Moods on the command line: by number, by reference image, and on a contact sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.command import Impasto
from fixtures.decoder_style import COUNT, photo, style
from fixtures.translators import translator
from impasto.inference.mood_sheet import CAPTION, SIDE


@pytest.fixture
def work(impasto: Impasto) -> Impasto:
    """The command, in a folder with a style and two images."""
    style().save(Path("small.safetensors"))
    Image.fromarray(photo(80, 120)).save("photo.png")
    Image.fromarray(photo(90, 60, seed=1)).save("other.png")
    return impasto


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_different_moods_give_different_paintings_and_equal_moods_equal_ones(work: Impasto) -> None:
    for out, options in {"a.png": ["--mood", "1"], "b.png": ["--mood", "2"], "c.png": ["--mood", "1"]}.items():
        work("paint", "photo.png", "--style", "small.safetensors", "--out", out, *options)
    assert np.array_equal(pixels("a.png"), pixels("c.png")) and not np.array_equal(pixels("a.png"), pixels("b.png"))


def test_reference_images_set_the_mood_and_can_be_averaged(work: Impasto) -> None:
    for out, options in {
        "like.png": ["--like", "other.png"],
        "mixed.png": ["--like", "other.png", "--mood", "3"],
        "plain.png": [],
    }.items():
        work("paint", "photo.png", "--style", "small.safetensors", "--out", out, *options)
    found = {pixels(name).tobytes() for name in ("like.png", "mixed.png", "plain.png")}
    assert len(found) == 3


def test_a_folder_painted_in_one_mood_is_not_resumed_in_another(work: Impasto) -> None:
    work("paint", "photo.png", "--style", "small.safetensors", "--out", "done", "--mood", "1")
    again = work("paint", "photo.png", "--style", "small.safetensors", "--out", "done", "--mood", "2", check=False)
    assert again.returncode == 1 and "with other options" in again.stderr
    same = work("paint", "photo.png", "--style", "small.safetensors", "--out", "done", "--mood", "1")
    assert same.returncode == 0


def test_the_contact_sheet_shows_every_mood_once(work: Impasto) -> None:
    message = work("paint", "photo.png", "--style", "small.safetensors", "--moods", "--out", "sheet.png").stdout
    assert "Contact sheet: sheet.png" in message
    height, width = round(SIDE * (80 / 120) ** 0.5), round(SIDE * (120 / 80) ** 0.5)
    sheet = Image.open("sheet.png")
    columns, rows = (sheet.width + 2) // (width + 2), (sheet.height + 2) // (height + CAPTION + 2)
    assert columns * rows >= COUNT > columns * (rows - 1)
    cells = [
        np.asarray(sheet)[
            (n // columns) * (height + CAPTION + 2) : (n // columns) * (height + CAPTION + 2) + height,
            (n % columns) * (width + 2) : (n % columns) * (width + 2) + width,
        ]
        for n in range(COUNT)
    ]
    assert len({cell.tobytes() for cell in cells}) == COUNT
    assert work("paint", "photo.png", "--style", "small.safetensors", "--moods", "--out", "folder").returncode == 0
    assert Path("folder/moods.jpg").is_file()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--mood", "99"], f"mood = 99: choose 0 to {COUNT - 1}."),
        (["--like", "none.jpg"], "none.jpg"),
        (["--moods", "--mood", "1"], "takes one photo, and only the options --style"),
        (["--moods", "--compare"], "takes one photo"),
        (["--moods", "--reverse"], "takes one photo, and only the options --style"),
    ],
)
def test_invalid_mood_options_are_refused_in_one_line(work: Impasto, options: list[str], error: str) -> None:
    done = work("paint", "photo.png", "--style", "small.safetensors", "--out", "out.png", *options, check=False)
    assert done.returncode == 1 and error in done.stderr and done.stderr.count("\n") == 1
    assert not Path("out.png").exists()


@pytest.mark.parametrize("options", [["--mood", "0"], ["--like", "other.png"], ["--moods"]])
def test_mood_options_are_refused_for_a_style_without_moods(work: Impasto, options: list[str]) -> None:
    translator().save(Path("plain.safetensors"))
    done = work("paint", "photo.png", "--style", "plain.safetensors", "--out", "out.png", *options, check=False)
    assert done.returncode == 1 and "This style has no moods" in done.stderr


def test_the_manifest_has_no_mood_if_none_was_chosen(work: Impasto) -> None:
    """So that folders begun before moods existed are resumed."""
    work("paint", "photo.png", "--style", "small.safetensors", "--out", "done")
    first = json.loads(Path("done/.impasto.jsonl").read_text().splitlines()[0])
    assert "mood" not in json.dumps(first)
