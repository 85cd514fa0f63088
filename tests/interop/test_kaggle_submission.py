"""A valid submission passes the check, and every broken rule is reported with its file."""

import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fixtures.submissions import colour, good, jpeg
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.interop.kaggle_submission import SIZE, check_submission


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
    "cut off": (lambda i: (f"bad{i}.jpg", cut_off()), "truncated or damaged"),
    "named otherwise": (lambda i: (f"bad{i}.jpe", good(5000 + i)), "not named .jpg"),
    "in a folder": (lambda i: (f"images/bad{i}.jpg", good(5000 + i)), "in a folder"),
    "a folder": (lambda i: (f"bad{i}/", b""), "in a folder"),
    "macOS": (lambda i: (f"__MACOSX/._bad{i}.jpg", b"\0\5\26\7"), "system files"),
    "double": (lambda i: (f"copy of {i}.jpg", good(i)), "copies of another"),
    "huge": (lambda i: (f"bad{i}.jpg", b"\xff" * (2**24 + 1)), "far too large"),
}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(planted=st.lists(st.sampled_from(sorted(FAULTS)), max_size=6))
def test_every_planted_fault_is_reported_with_its_file(planted: list[str]) -> None:
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


@pytest.mark.long
def test_a_missing_image_and_a_flipped_bit_are_both_found(tmp_path: Path) -> None:
    files = [(f"{number:05d}.jpg", good(number - 1)) for number in range(1, 7001)]
    assert check_submission(zipped(tmp_path / "valid.zip", files)).ok
    data = bytearray(zipped(tmp_path / "images.zip", files[1:]).read_bytes())
    data[data.index(b"04321.jpg") + 200] ^= 1
    (tmp_path / "images.zip").write_bytes(data)
    report = check_submission(tmp_path / "images.zip")
    count, damage = report.problems
    assert count == "The competition takes 7,000 to 10,000 images, not 6,999."
    assert damage.startswith("1 file is damaged") and "04321.jpg" in damage
    assert report.count == 6999 and not report.ok


def test_more_than_ten_thousand_images_are_too_many(tmp_path: Path) -> None:
    report = check_submission(zipped(tmp_path / "images.zip", [(f"{n}.jpg", b"") for n in range(10_001)]))
    assert report.problems[0] == "The competition takes 7,000 to 10,000 images, not 10,001."


def test_system_files_and_folders_are_not_counted_as_images(tmp_path: Path) -> None:
    files = [("a.jpg", good(0)), ("__MACOSX/._a.jpg", b"x"), (".DS_Store", b"x"), ("images/", b"")]
    assert check_submission(zipped(tmp_path / "images.zip", files)).count == 1


@pytest.mark.parametrize("length", [3, 5, 12, 30, 200, 400, 600, -700, -2])
def test_an_image_that_is_cut_anywhere_is_reported(length: int, tmp_path: Path) -> None:
    problems = check_submission(zipped(tmp_path / "images.zip", [("a.jpg", good(3)[:length])])).problems
    assert problems[1] == "1 file is truncated or damaged: not fully decodable (a.jpg)."


@pytest.mark.parametrize(
    ("bits", "side", "fault"), [(12, SIZE, "a JPEG of 12 bits per channel"), (8, 20_000, "larger than 150 megapixels")]
)
def test_a_kind_of_jpeg_that_cannot_be_decoded_is_named(bits: int, side: int, fault: str, tmp_path: Path) -> None:
    data = bytearray(good(0))
    place = data.index(b"\xff\xc0")
    data[place + 4 : place + 9] = bytes([bits, *side.to_bytes(2, "big"), *side.to_bytes(2, "big")])
    _, problem = check_submission(zipped(tmp_path / "images.zip", [("a.jpg", bytes(data))])).problems
    assert problem.startswith(f"1 file is {fault}")


def test_an_empty_name_is_reported(tmp_path: Path) -> None:
    path = zipped(tmp_path / "images.zip", [("a.jpg", good(0))])
    path.write_bytes(path.read_bytes().replace(b"a.jpg", b"\0.jpg"))
    assert any("not named .jpg" in problem for problem in check_submission(path).problems)
    with pytest.raises(ImpastoError, match="is empty"):
        open_source(str(path)).__enter__()


def test_duplicate_file_names_are_reported(tmp_path: Path) -> None:
    files = [("a.jpg", good(0)), ("b.jpg", good(1))]
    path = zipped(tmp_path / "images.zip", files)
    path.write_bytes(path.read_bytes().replace(b"b.jpg", b"a.jpg"))
    assert any("duplicates by name" in problem for problem in check_submission(path).problems)


def test_an_encrypted_zip_is_reported(tmp_path: Path) -> None:
    path = zipped(tmp_path / "images.zip", [("a.jpg", good(0))])
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.index(signature) + place
        struct.pack_into("<H", data, at, struct.unpack_from("<H", data, at)[0] | 1)
    path.write_bytes(data)
    assert "encrypted" in check_submission(path).problems[1]


def test_an_image_with_a_gigapixel_header_is_not_decoded(tmp_path: Path) -> None:
    data = bytearray(good(0))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 9000, 9000)
    assert "far too large" in check_submission(zipped(tmp_path / "images.zip", [("a.jpg", bytes(data))])).problems[1]


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "nothing", "half"])
def test_files_that_are_not_zips_are_reported_without_raising(kind: str, tmp_path: Path) -> None:
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


def test_an_empty_zip_has_too_few_images(tmp_path: Path) -> None:
    assert check_submission(zipped(tmp_path / "images.zip", [])).problems == (
        "The competition takes 7,000 to 10,000 images, not 0.",
    )


@settings(deadline=None, max_examples=150)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8))
def test_any_damage_is_reported_without_raising(flips: list[tuple[float, int]]) -> None:
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


def test_real_photos_break_only_the_count_rule(shared_data: Path, tmp_path: Path) -> None:
    photos = sorted((shared_data / "kaggle_monet" / "photo_jpg").glob("*.jpg"))[:50]
    report = check_submission(zipped(tmp_path / "images.zip", [(p.name, p.read_bytes()) for p in photos]))
    assert report.count == 50 and len(report.problems) == 1
