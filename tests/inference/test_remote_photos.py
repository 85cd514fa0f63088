"""Photos at paths and addresses are found under the names that the local engine gives."""

import io
import os
import zipfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem
from PIL import Image

from fixtures.videos import scene, write_video
from impasto.data.entry import UnreadableError
from impasto.data.places import open_place
from impasto.errors import ImpastoError
from impasto.inference.batch import _named
from impasto.inference.photo_sources import open_photos
from impasto.inference.remote_photos import RemotePhoto, find_photos


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder, a zip without that suffix, a file and a pattern."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/10.png", "in/9.png", "in/b c/x.png", "in/.hidden/x.png", "in/painted/9.png", "one.png", "2/a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 3)).save(path)
    with ZipFile("archive", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("z/10.png", "z/9.png", "__MACOSX/9.png"):
            archive.write("one.png", name)
    return ["in", "archive", "one.png", "2/*.png"]


def find(*sources: str, out: str = "nowhere") -> list[RemotePhoto]:
    return list(find_photos(sources, open_place(out)))


def test_names_and_bytes_are_those_of_the_local_engine(sources: list[str]) -> None:
    with open_photos(sources, Path("in/painted")) as opened:
        local = sorted((label, entry.name, entry.read()) for label, entry in _named(opened))
    found = find(*sources, out="in/painted")
    assert sorted((photo.label, photo.name, photo.open().read()) for photo in found) == local
    assert [photo.name for photo in found if photo.source == "archive"] == ["z/9.png", "z/10.png"]


def test_addresses_name_folders_files_zips_and_patterns(memory: MemoryFileSystem, sources: list[str]) -> None:
    for name in ("in/9.png", "in/b c/x.png", "archive", "one.png"):
        memory.pipe_file(f"/bucket/{name}", Path(name).read_bytes())
    found = find("memory://bucket/in", "memory://bucket/archive", "memory://bucket/one.png", "memory://bucket/in/*.png")
    assert [photo.label for photo in found] == [
        "memory://bucket/in/9.png",
        "memory://bucket/in/b c/x.png",
        "memory://bucket/archive/z/9.png",
        "memory://bucket/archive/z/10.png",
        "memory://bucket/one.png",
        "memory://bucket/in/9.png",
    ]
    assert all(photo.open().read() == Path("one.png").read_bytes() for photo in found)
    assert find("memory://bucket/in", out="memory://bucket/in/b c")[1:] == []


def test_of_a_zip_at_an_address_only_the_photo_is_read(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}.png", bytes([number % 256]) * 1000)
    memory.pipe_file("/photos.zip", packed.getvalue())
    found, read = find("memory://photos.zip"), list[int]()

    def counted(self: MemoryFile, size: int = -1) -> bytes:
        read.append(len(data := io.BytesIO.read(self, size)))
        return data

    monkeypatch.setattr(MemoryFile, "read", counted)
    assert found[700].open().read() == bytes([700 % 256]) * 1000
    assert 1000 < sum(read) < 2000


def test_what_is_no_file_is_reported_and_not_waited_for(sources: list[str]) -> None:
    os.mkfifo("in/pipe.png")
    Path("in/linked.png").symlink_to("9.png")
    Path("in/broken.png").symlink_to("nothing")
    Path("in/folder").symlink_to("b c")
    found = {photo.name: photo.reason for photo in find("in")}
    assert found["linked.png"] == "" and all(
        "not a regular file" in found[name] for name in ("pipe.png", "broken.png", "folder")
    )


def test_films_are_named_and_come_first(sources: list[str], tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    (tmp_path / "in" / "other.mp4").write_bytes((tmp_path / "film.mp4").read_bytes())
    images = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    images[0].save("moving.gif", save_all=True, append_images=images[1:])
    images[0].save("still.gif")
    found = find("in", "film.mp4", "moving.gif", "still.gif", "in/*.mp4")
    assert [photo.label for photo in found if photo.film] == ["film.mp4", "moving.gif", "in/other.mp4"]
    assert [photo.film for photo in found] == sorted((photo.film for photo in found), reverse=True)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("nothing", "There is no file or folder nothing"),
        ("*.nothing", "There is no file or folder"),
        ("memory://nothing", "There is no file or folder memory://nothing"),
        ("nosuch://bucket", "Protocol not known"),
        ("damaged.zip", "is damaged"),
        ("in/painted", "not overwritten"),
        ("in/painted/9.png", "not overwritten"),
    ],
)
def test_a_source_that_is_none_is_refused_in_one_line(source: str, reason: str, sources: list[str]) -> None:
    Path("damaged.zip").write_bytes(b"PK")
    with pytest.raises(ImpastoError, match=reason):
        find("one.png", source, out="in/painted")


def test_what_a_file_system_raises_is_the_reason_of_a_photo(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ForbiddenError(Exception):
        """As packages of file systems define them."""

    def fail(*_: object, **__: object) -> None:
        raise ForbiddenError("Access denied.\nRequest 123")

    memory.pipe_file("/a.png", b"")
    (photo,) = find("memory://a.png")
    monkeypatch.setattr(MemoryFileSystem, "open", fail)
    with pytest.raises(UnreadableError, match=r"^Access denied$"):
        photo.open()
    monkeypatch.setattr(MemoryFileSystem, "info", fail)
    with pytest.raises(ImpastoError, match="memory://x cannot be opened"):
        find("memory://x")
