"""The competition's rules: what it would accept passes, and every fault is found and named."""

import struct
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.interop.kaggle_submission import check_submission, find_subjects, summarise, write_submission

Picture = NDArray[np.uint8]


def colour(number: int, size: int = 256) -> Picture:
    """A plain picture, of one of 8,000 colours far enough apart to stay apart in a JPEG."""
    red, green, blue = number % 20, number // 20 % 20, number // 400
    return np.full((size, size, 3), (red * 13, green * 13, blue * 13), np.uint8)


def jpeg(image: Image.Image | Picture, kind: str = "JPEG") -> bytes:
    buffer = BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind)
    return buffer.getvalue()


@cache
def good(number: int) -> bytes:
    return jpeg(colour(number))


def zipped(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with ZipFile(path, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def of_size(width: int, height: int) -> bytes:
    return jpeg(Image.new("RGB", (width, height), (1, 2, 3)))


def cut_off() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    return jpeg(noise)[:9000]


# What each fault puts into the zip, as (name, bytes), and what the report must say of it.
FAULTS: dict[str, tuple[Callable[[int], tuple[str, bytes]], str]] = {
    "small": (lambda i: (f"bad{i}.jpg", of_size(255 - i, 256)), "not 256×256"),
    "grey": (lambda i: (f"bad{i}.jpg", jpeg(Image.new("L", (256, 256), 10 + 9 * i))), "not RGB"),
    "cmyk": (lambda i: (f"bad{i}.jpg", jpeg(Image.new("CMYK", (256, 256), (9 * i, 0, 0, 0)))), "not RGB"),
    "png": (lambda i: (f"bad{i}.jpg", jpeg(colour(5000 + i), "PNG")), "not JPEG"),
    "text": (lambda i: (f"bad{i}.jpg", b"I am a painting"), "not JPEG"),
    "empty": (lambda i: (f"bad{i}.jpg", b""), "not JPEG"),
    "cut off": (lambda i: (f"bad{i}.jpg", cut_off()), "cut off or broken"),
    "named otherwise": (lambda i: (f"bad{i}.jpe", good(5000 + i)), "not named .jpg"),
    "in a folder": (lambda i: (f"images/bad{i}.jpg", good(5000 + i)), "in a folder"),
    "a folder": (lambda i: (f"bad{i}/", b""), "in a folder"),
    "macOS": (lambda i: (f"__MACOSX/._bad{i}.jpg", b"\0\5\26\7"), "leftovers"),
    "double": (lambda i: (f"copy of {i}.jpg", good(i)), "copies of another"),
    "huge": (lambda i: (f"bad{i}.jpg", b"\xff" * (2**24 + 1)), "far too large"),
}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(planted=st.lists(st.sampled_from(sorted(FAULTS)), max_size=6))
def test_every_planted_fault_is_named_with_its_file(planted: list[str]) -> None:
    files = [(f"{number}.jpg", good(number)) for number in range(8)]
    expected: dict[str, list[str]] = {}
    for i, fault in enumerate(planted):
        make, sentence = FAULTS[fault]
        name, data = make(i)
        files.append((name, data))
        expected.setdefault(sentence, []).append(name)
    with TemporaryDirectory() as folder:
        _, *problems = check_submission(zipped(Path(folder, "images.zip"), files)).problems  # the first is the count
    assert len(problems) == len(expected)
    for sentence, names in expected.items():
        (problem,) = (problem for problem in problems if sentence in problem)
        assert problem.startswith(f"{len(names)} file")
        assert any(name in problem for name in names) and "\n" not in problem


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("submission") / "images.zip"
    heard: list[int] = []
    pictures = (colour(number, 64 if number < 9 else 256) for number in range(8000))
    report = write_submission(pictures, 7000, out, heard.append)
    assert report.ok and report.count == 7000 and heard == list(range(1, 7001))
    return out


def test_a_written_submission_is_what_the_competition_takes(accepted: Path) -> None:
    with ZipFile(accepted) as archive:
        assert archive.namelist() == [f"{number:05d}.jpg" for number in range(1, 7001)]
        for number in (1, 3500, 7000):
            image = Image.open(BytesIO(archive.read(f"{number:05d}.jpg")))
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (256, 256))
            assert np.abs(np.asarray(image).astype(int) - colour(number - 1)).max() <= 4
    assert [path.name for path in accepted.parent.iterdir()] == ["images.zip"]


def test_one_picture_too_few_and_one_flipped_bit_are_both_found(accepted: Path, tmp_path: Path) -> None:
    with ZipFile(accepted) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    data = bytearray(zipped(tmp_path / "images.zip", files[1:]).read_bytes())
    data[data.index(b"04321.jpg") + 200] ^= 1
    (tmp_path / "images.zip").write_bytes(data)
    report = check_submission(tmp_path / "images.zip")
    count, damage = report.problems
    assert count == "The competition takes 7,000 to 10,000 pictures, not 6,999."
    assert damage.startswith("1 file is damaged") and "04321.jpg" in damage
    assert report.count == 6999 and not report.ok


def test_more_than_ten_thousand_are_too_many(tmp_path: Path) -> None:
    report = check_submission(zipped(tmp_path / "images.zip", [(f"{n}.jpg", b"") for n in range(10_001)]))
    assert report.problems[0] == "The competition takes 7,000 to 10,000 pictures, not 10,001."


def test_leftovers_and_folders_do_not_count_as_pictures(tmp_path: Path) -> None:
    files = [("a.jpg", good(0)), ("__MACOSX/._a.jpg", b"x"), (".DS_Store", b"x"), ("images/", b"")]
    assert check_submission(zipped(tmp_path / "images.zip", files)).count == 1


def test_two_files_of_one_name_are_found(tmp_path: Path) -> None:
    files = [("a.jpg", good(0)), ("b.jpg", good(1))]
    path = zipped(tmp_path / "images.zip", files)
    path.write_bytes(path.read_bytes().replace(b"b.jpg", b"a.jpg"))
    assert any("named like another" in problem for problem in check_submission(path).problems)


def test_an_encrypted_zip_is_told_so(tmp_path: Path) -> None:
    path = zipped(tmp_path / "images.zip", [("a.jpg", good(0))])
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.index(signature) + place
        struct.pack_into("<H", data, at, struct.unpack_from("<H", data, at)[0] | 1)
    path.write_bytes(data)
    assert "encrypted" in check_submission(path).problems[1]


def test_a_picture_whose_header_promises_gigapixels_is_not_decoded(tmp_path: Path) -> None:
    data = bytearray(good(0))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 9000, 9000)
    assert "far too large" in check_submission(zipped(tmp_path / "images.zip", [("a.jpg", bytes(data))])).problems[1]


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "nothing", "half"])
def test_what_is_no_zip_is_a_report_too(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    match kind:
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("not a zip")
        case "nothing":
            path.touch()
        case "half":
            whole = zipped(path, [("a.jpg", good(0))]).read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
    report = check_submission(path)
    (problem,) = report.problems
    assert not report.ok and report.count == 0 and "images.zip" in problem and "\n" not in problem


def test_a_zip_without_entries_holds_too_few_pictures(tmp_path: Path) -> None:
    assert check_submission(zipped(tmp_path / "images.zip", [])).problems == (
        "The competition takes 7,000 to 10,000 pictures, not 0.",
    )


@settings(deadline=None, max_examples=150)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8))
def test_damage_anywhere_is_reported_and_never_raised(flips: list[tuple[float, int]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "images.zip")
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            for number in range(3):
                archive.writestr(f"{number}.jpg", good(number))
        data = bytearray(path.read_bytes())
        for place, bits in flips:
            data[int(place * len(data))] ^= bits
        path.write_bytes(data)
        assert not check_submission(path).ok


@pytest.mark.parametrize("count", [0, 6999, 10_001])
def test_a_count_the_competition_refuses_is_refused_before_any_painting(count: int, tmp_path: Path) -> None:
    never = map(pytest.fail, ["a picture was asked for"])
    with pytest.raises(ImpastoError, match="7,000 to 10,000"):
        write_submission(never, count, tmp_path / "images.zip")
    assert not any(tmp_path.iterdir())


def test_a_submission_that_exists_is_refused_before_any_painting(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_text("precious")
    with pytest.raises(ImpastoError, match="overwrite"):
        write_submission(iter(()), 7000, tmp_path / "images.zip")
    assert (tmp_path / "images.zip").read_text() == "precious"


def test_too_few_pictures_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="only 3 of 7,000"):
        write_submission((colour(number) for number in range(3)), 7000, tmp_path / "images.zip")
    assert not any(tmp_path.iterdir())


def test_a_painter_that_repeats_itself_is_refused_in_plain_words_and_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.interop.kaggle_submission.FEWEST", 50)
    (tmp_path / "images.zip").write_text("precious")
    alike = (colour(7) for _ in range(50))
    with pytest.raises(ImpastoError, match=r"49 files are copies of another.*00002\.jpg of 00001\.jpg") as told:
        write_submission(alike, 50, tmp_path / "images.zip", overwrite=True)
    assert "\n" not in str(told.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_pictures_that_are_not_square_are_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="square"):
        write_submission(iter([np.zeros((64, 32, 3), np.uint8)]), 7000, tmp_path / "images.zip")


def test_real_photographs_pass_but_for_their_number(shared_data: Path, tmp_path: Path) -> None:
    photos = sorted((shared_data / "kaggle_monet" / "photo_jpg").glob("*.jpg"))[:50]
    report = check_submission(zipped(tmp_path / "images.zip", [(p.name, p.read_bytes()) for p in photos]))
    assert report.count == 50 and len(report.problems) == 1


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
def test_of_photos_with_the_same_pixels_one_alone_is_painted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with open_source(photos(tmp_path, [10, 20, 10, 30, 40, 20])) as source:
        subjects = find_subjects(source)
        squares = list(subjects.stream())
    for square, number in zip(squares, (10, 20, 30, 40), strict=True):
        assert np.abs(square.astype(int) - colour(number)).max() <= 4
    assert [(each.name, each.of) for each in subjects.duplicates] == [("2.jpg", "0.jpg"), ("5.jpg", "1.jpg")]
    assert [each.name for each in subjects.left_out] == ["notes.txt"]
    said = summarise(subjects)
    assert said[0].startswith("4 photos") and "2 dropped as exact duplicates (2.jpg is 0.jpg" in said[1]
    assert "notes.txt: text" in said[2]


@pytest.mark.usefixtures("few")
def test_at_most_as_many_photos_are_painted_as_are_asked_for_or_allowed(tmp_path: Path) -> None:
    with open_source(photos(tmp_path, list(range(0, 80, 10)))) as source:
        assert len(list(find_subjects(source, 5).stream())) == 5
        assert len(list(find_subjects(source).stream())) == 6
        with pytest.raises(ImpastoError, match="4 to 6 pictures, not 7"):
            find_subjects(source, 7)


@pytest.mark.usefixtures("few")
def test_too_few_photos_that_differ_are_told_before_any_painting(tmp_path: Path) -> None:
    with (
        open_source(photos(tmp_path, [10, 20, 10, 30])) as source,
        pytest.raises(ImpastoError, match="holds 3 photos that can be read and differ"),
    ):
        find_subjects(source)
