"""Data sources: folders, zips, TFRecords, Kaggle and the bundled samples."""

import gzip
import io
import os
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.data import sources
from impasto.data.entry import UnreadableError
from impasto.data.pixel_store import is_pack
from impasto.data.sources import find_files, open_list, open_source
from impasto.errors import ImpastoError
from impasto.inference.photo import open_photo
from impasto.style import find_style


def picture(value: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (value % 256, value // 256, 7)).save(file, "PNG")
    return file.getvalue()


def names(spec: Path | str) -> list[str]:
    with open_source(spec) as source:
        return [entry.name for entry in source.entries()]


def test_a_folder_is_read_recursively_and_system_files_are_counted(tmp_path: Path) -> None:
    for name in ("b/10.png", "b/9.png", "a.png", "山水.png", ".DS_Store", "b/Thumbs.db", "__MACOSX/._a.png", ".git/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture())
    with open_source(tmp_path) as source:
        assert [entry.name for entry in source.entries()] == ["a.png", "b/9.png", "b/10.png", "山水.png"]
        assert (source.junk, source.total, source.name) == (4, 4, str(tmp_path))


def test_a_hidden_folder_above_the_source_is_not_ignored(tmp_path: Path) -> None:
    folder = tmp_path / ".cache" / "monet"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(picture())
    assert names(folder) == ["a.png"]


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links, pipes and names of any bytes")
def test_link_loops_pipes_broken_links_and_undecodable_names_do_not_stop_reading(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").write_bytes(picture())
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "dead.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(picture())
    with open_source(tmp_path) as source:
        entries = {entry.name: entry for entry in source.entries()}
    assert set(entries) == {"deep/a.png", "dead.png", "pipe.png", "�.png"}
    for name in ("dead.png", "pipe.png"):
        with pytest.raises(UnreadableError, match="broken link"):
            entries[name].read()
    assert entries["�.png"].read() == picture()


def test_a_zip_gives_the_same_entries_as_its_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("set/10.png", "set/9.png", "__MACOSX/set/._9.png", "set/.DS_Store", "set/empty/"):
            archive.writestr(name, picture())
    with open_source(tmp_path / "set.zip") as source:
        assert [entry.name for entry in source.entries()] == ["set/9.png", "set/10.png"]
        assert source.junk == 2


def test_utf8_names_in_a_zip_are_decoded_without_the_utf8_flag(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        archive.writestr("abcdef.png", picture())
    data = (tmp_path / "mac.zip").read_bytes()
    (tmp_path / "mac.zip").write_bytes(data.replace(b"abcdef.png", "山水.png".encode()))
    assert names(tmp_path / "mac.zip") == ["山水.png"]


def test_one_damaged_member_of_a_zip_leaves_the_others_readable(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for k in range(3):
            archive.writestr(f"{k}.png", picture(k))
    data = bytearray((tmp_path / "set.zip").read_bytes())
    data[data.index(picture(1)) + 60] ^= 255
    (tmp_path / "set.zip").write_bytes(data)
    with open_source(tmp_path / "set.zip") as source:
        zero, one, two = source.entries()
        assert (zero.read(), two.read()) == (picture(0), picture(2))
        with pytest.raises(UnreadableError, match="damaged inside the zip"):
            one.read()


def test_an_encrypted_zip_is_an_error_in_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "secret.zip", "w") as archive:
        archive.writestr("a.png", picture())
    data = bytearray((tmp_path / "secret.zip").read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    (tmp_path / "secret.zip").write_bytes(data)
    with pytest.raises(ImpastoError, match="encrypted: unpack it"):
        open_source(tmp_path / "secret.zip")


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-30], lambda data: data[:10], lambda data: b"", lambda data: b"x"]
)
def test_a_damaged_zip_is_an_error_in_one_line(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.png", picture())
    (tmp_path / "set.zip").write_bytes(damage((tmp_path / "set.zip").read_bytes()))
    with pytest.raises(ImpastoError, match="damaged") as error:
        open_source(tmp_path / "set.zip")
    assert "\n" not in str(error.value)


def test_many_threads_can_read_one_zip(tmp_path: Path) -> None:
    contents = {f"{k:03d}.bin": np.random.default_rng(k).bytes(30_000) for k in range(60)}
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    gate = threading.Barrier(8)
    with open_source(tmp_path / "set.zip") as source, ThreadPoolExecutor(8) as pool:
        entries = list(source.entries())

        def read_all(_: int) -> bool:
            gate.wait()
            return all(entry.read() == contents[entry.name] for entry in entries)

        assert all(pool.map(read_all, range(8)))


@pytest.mark.parametrize("spec", ["sample:paintings", "sample:photos"])
def test_the_bundled_samples_can_be_read(spec: str) -> None:
    with open_source(spec) as source:
        assert source.total
        assert all(entry.read() for entry in source.entries())


def test_a_single_image_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    assert names(tmp_path / "a.png") == ["a.png"]


def test_a_missing_or_empty_source_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    (tmp_path / "empty" / ".DS_Store").touch()
    for spec, line in (
        (tmp_path / "gone", "no file or folder"),
        (tmp_path / "empty", "is empty"),
        ("sample:x", "no sample:x"),
    ):
        with pytest.raises(ImpastoError, match=line):
            open_source(spec)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode().replace(b"\n", b"\0"),
    ],
)
def test_a_list_is_read_with_the_marks_of_other_systems(tmp_path: Path, encode: Callable[[str], bytes]) -> None:
    paths = [tmp_path / "a.png", tmp_path / "山水.png"]
    for path in paths:
        path.write_bytes(picture())
    with open_list(io.BytesIO(encode("".join(f"{path}\n" for path in paths)))) as source:
        assert [entry.read() for entry in source.entries()] == [picture()] * 2
        assert [entry.name for entry in source.entries()] == [path.as_posix() for path in paths]


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("", "file name is empty"),
        ("~no-such-user/x", "~no-such-user/x names a home folder that does not exist"),
        ("x" * 300, "cannot be opened .File name too long."),
    ],
)
def test_a_path_that_is_impossible_is_an_error_in_one_line(spec: str, line: str) -> None:
    for use in (open_source, is_pack, find_files, open_photo, find_style):
        with pytest.raises(ImpastoError, match=line):
            use(spec)


def test_a_whole_competition_is_refused_as_folder_and_as_zip(tmp_path: Path) -> None:
    for name in ("monet_jpg", "photo_jpg"):
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / "1.png").write_bytes(picture())
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("monet_jpg/1.png", "photo_jpg/1.png"):
            archive.writestr(name, picture())
    with pytest.raises(ImpastoError, match=f"give {tmp_path}/all/monet_jpg or {tmp_path}/all/photo_jpg"):
        open_source(tmp_path / "all")
    with pytest.raises(ImpastoError, match="unpack it and give one of them"):
        open_source(tmp_path / "all.zip")
    assert names(tmp_path / "all" / "monet_jpg") == ["1.png"]


def test_pictures_with_shift_jis_names_are_all_read(tmp_path: Path) -> None:
    stored = ["図表.png".encode("cp932"), "ソ.png".encode("cp932"), b"plain.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, name in enumerate(stored):
            archive.writestr(zipfile.ZipInfo("x" * (len(name) - 1) + str(number)), picture(number))
    data = (tmp_path / "a.zip").read_bytes()
    for number, name in enumerate(stored):
        data = data.replace(b"x" * (len(name) - 1) + str(number).encode(), name)
    (tmp_path / "a.zip").write_bytes(data)
    with open_source(tmp_path / "a.zip") as source:
        assert {entry.name: entry.read() for entry in source.entries()} == {
            "図表.png": picture(0),
            "ソ.png": picture(1),
            "plain.png": picture(2),
        }
        assert (source.total, source.junk) == (3, 0)


def test_entries_tell_their_size_in_folders_and_zips(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "dead.png").symlink_to(tmp_path / "nothing")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
    with open_source(tmp_path / "set.zip") as source:
        assert [entry.size for entry in source.entries()] == [len(picture())]
    (tmp_path / "set.zip").unlink()
    with open_source(tmp_path) as source:
        assert [entry.size for entry in source.entries()] == [len(picture()), 0]


def test_the_total_is_counted_once_and_again_after_files_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    for number in range(20):
        (tmp_path / "out" / f"{number}.png").write_bytes(picture())
        (tmp_path / f"{number}.png").write_bytes(picture())
    with open_source(tmp_path) as source:
        asked = list[str]()
        monkeypatch.setattr(sources, "is_tfrecord", asked.append)
        assert [source.total for _ in range(1000)] == [40] * 1000
        assert not asked
        monkeypatch.undo()
        source.leave_out(tmp_path / "out")
        assert source.total == 20
        source.leave_out_seen({str(tmp_path / "3.png")})
        assert source.total == 19 == len(list(source.entries()))


def test_tfrecords_in_zip_and_gzip_equal_the_plain_file(tmp_path: Path, shared_data: Path) -> None:
    plain = shared_data / "kaggle_monet" / "monet_tfrec" / "monet00-60.tfrec"
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / plain.name).write_bytes(gzip.compress(plain.read_bytes(), 1))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(plain, plain.name)
    read = []
    for spec in (plain, tmp_path / "g", tmp_path / "set.zip"):
        with open_source(spec) as source:
            assert source.total is None
            read.append([(entry.name, entry.read()) for entry in source.entries()])
    assert len(read[0]) == 60
    assert read[0] == read[1] == read[2]
    assert read[0][0][0] == "monet00-60.tfrec/0/25c9904782"
