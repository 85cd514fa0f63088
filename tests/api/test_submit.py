"""A written submission is valid, and an invalid one never appears."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from fixtures.parameters import mostly_long
from fixtures.submissions import colour, good
from impasto.api.submit import find_photos, summarise, write_submission
from impasto.data.sources import open_source
from impasto.errors import ImpastoError


@pytest.mark.parametrize("count", mostly_long([600, 7000], 600))
def test_a_written_submission_follows_the_rules(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if count == 600:
        monkeypatch.setattr("impasto.interop.kaggle_submission.FEWEST", count)
    done: list[tuple[int, int | None]] = []
    pictures = (colour(number, 64 if number < 9 else 256) for number in range(count + 1000))
    report = write_submission(pictures, count, tmp_path / "images.zip", lambda *each: done.append(each))
    assert report.ok and report.count == count and done == [(number, count) for number in range(1, count + 1)]
    with ZipFile(tmp_path / "images.zip") as archive:
        assert archive.namelist() == [f"{number:05d}.jpg" for number in range(1, count + 1)]
        for number in (1, count // 2, count):
            image = Image.open(BytesIO(archive.read(f"{number:05d}.jpg")))
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (256, 256))
            assert np.abs(np.asarray(image).astype(int) - colour(number - 1)).max() <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["images.zip"]


@pytest.mark.parametrize("count", [0, 6999, 10_001])
def test_an_invalid_count_is_refused_before_any_image_is_requested(count: int, tmp_path: Path) -> None:
    never = map(pytest.fail, ["a picture was asked for"])
    with pytest.raises(ImpastoError, match="7,000 to 10,000"):
        write_submission(never, count, tmp_path / "images.zip")
    assert not any(tmp_path.iterdir())


def test_an_existing_submission_is_refused_before_any_image_is_requested(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_text("precious")
    with pytest.raises(ImpastoError, match="overwrite"):
        write_submission(iter(()), 7000, tmp_path / "images.zip")
    assert (tmp_path / "images.zip").read_text() == "precious"


def test_too_few_images_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="only 3 of 7,000"):
        write_submission((colour(number) for number in range(3)), 7000, tmp_path / "images.zip")
    assert not any(tmp_path.iterdir())


def test_repeated_images_are_refused_and_replace_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.interop.kaggle_submission.FEWEST", 50)
    (tmp_path / "images.zip").write_text("precious")
    alike = (colour(7) for _ in range(50))
    with pytest.raises(ImpastoError, match=r"49 files are copies of another image.*00002\.jpg of 00001\.jpg") as error:
        write_submission(alike, 50, tmp_path / "images.zip", overwrite=True)
    assert "\n" not in str(error.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_images_that_are_not_square_raise_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="square"):
        write_submission(iter([np.zeros((64, 32, 3), np.uint8)]), 7000, tmp_path / "images.zip")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A competition that takes four to six pictures."""
    monkeypatch.setattr("impasto.interop.kaggle_submission.FEWEST", 4)
    monkeypatch.setattr("impasto.interop.kaggle_submission.MOST", 6)


def photos(folder: Path, numbers: list[int]) -> Path:
    for place, number in enumerate(numbers):
        (folder / f"{place}.jpg").write_bytes(good(number))
    return folder


@pytest.mark.usefixtures("few")
def test_photos_with_equal_pixels_are_painted_once(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with open_source(photos(tmp_path, [10, 20, 10, 30, 40, 20])) as source:
        distinct = find_photos(source)
        squares = list(distinct.stream())
    for square, number in zip(squares, (10, 20, 30, 40), strict=True):
        assert np.abs(square.astype(int) - colour(number)).max() <= 4
    assert [(each.name, each.of) for each in distinct.duplicates] == [("2.jpg", "0.jpg"), ("5.jpg", "1.jpg")]
    assert [each.name for each in distinct.left_out] == ["notes.txt"]
    message = summarise(distinct)
    assert message[0].startswith("4 photos") and "2 dropped as exact duplicates (2.jpg is 0.jpg" in message[1]
    assert "notes.txt: text" in message[2]


@pytest.mark.usefixtures("few")
def test_the_number_of_photos_is_limited_by_the_count_and_the_rules(tmp_path: Path) -> None:
    with open_source(photos(tmp_path, list(range(0, 80, 10)))) as source:
        assert len(list(find_photos(source, 5).stream())) == 5
        assert len(list(find_photos(source).stream())) == 6
        with pytest.raises(ImpastoError, match="4 to 6 images, not 7"):
            find_photos(source, 7)


@pytest.mark.usefixtures("few")
def test_too_few_distinct_photos_are_refused_before_painting(tmp_path: Path) -> None:
    with (
        open_source(photos(tmp_path, [10, 20, 10, 30])) as source,
        pytest.raises(ImpastoError, match="holds 3 distinct, readable photos"),
    ):
        find_photos(source)
