"""Photos and films at paths and fsspec addresses, listed one folder or zip at a time."""

import glob
import posixpath
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import PurePosixPath
from typing import IO, Any

from impasto.data.domains import require_one_domain
from impasto.data.entry import ZIP_ERRORS, File, UnreadableError, natural_key, raise_unreadable
from impasto.data.places import Place, access_errors, first_line, open_place
from impasto.data.sources import ImageSource, is_junk, open_member, valid_utf8
from impasto.data.tfrecord import is_tfrecord
from impasto.data.zip_names import member_names
from impasto.errors import ImpastoError, require
from impasto.inference.output_names import VIDEOS
from impasto.inference.photo import is_animated

#: How zips begin, with and without members.
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class RemotePhoto:
    """A photo or film, where any machine can read it.

    Attributes:
        source: as the user wrote it.
        name: POSIX path inside the source.
        address: of the file, or of the zip that holds it.
        member: its entry in the zip.
        film: whether it is painted as a video.
        reason: why it cannot be read, if that is known.
    """

    source: str
    name: str
    address: str
    member: zipfile.ZipInfo | None = None
    film: bool = False
    reason: str = ""

    @property
    def label(self) -> str:
        """The name that users know it by."""
        return valid_utf8(self.source if posixpath.basename(self.source) == self.name else f"{self.source}/{self.name}")

    def open(self) -> IO[bytes]:
        """Open it for reading; a member of a zip is read by range requests. Raises UnreadableError."""
        try:
            if self.member is not None:
                return open_member(_members(self.address), self.member)
            place = open_place(self.address)
            return place.files.open(place.path, "rb")  # type: ignore[no-any-return]
        except (UnreadableError, OSError, *ZIP_ERRORS):
            raise
        except Exception as error:  # packages of file systems raise anything
            raise UnreadableError(first_line(error)) from error

    def file(self) -> File:
        """Return it as a file of a source."""
        if self.reason:
            return File(self.name, partial(raise_unreadable, self.reason))
        return File(self.name, self.open, size=0 if self.member is None else self.member.file_size)

    def head(self) -> bytes:
        """Return its first 16 bytes; none if it cannot be read."""
        try:
            with self.open() as file:
                return file.read(16)
        except (UnreadableError, *ZIP_ERRORS):
            return b""


@dataclass(frozen=True)
class RemoteSource:
    """A folder, a zip, or files (of which there may be only one), as the user named them.

    Attributes:
        name: as the user wrote it; of a glob pattern its fixed part.
        place: of the folder, the zip, or the folder of the files.
        kind: ``folder``, ``zip`` or ``files``.
        paths: of the files.
        films: whether the files are painted as videos.
    """

    name: str
    place: Place
    kind: str
    paths: list[str] = field(default_factory=list)
    films: bool = False

    def photos(self, out: Place | None) -> Iterator[RemotePhoto]:
        """Yield every photo in natural order, except those in the folder ``out``."""
        match self.kind:
            case "folder":
                yield from self._walk(self.place.path, out)
            case "zip":
                yield from self._unzip()
            case _:
                for path in self.paths:
                    if out is None or not out.contains(Place(self.place.files, path)):
                        yield self._photo(path, film=self.films)

    def _photo(self, path: str, **more: Any) -> RemotePhoto:
        name = valid_utf8(posixpath.relpath(path, self.place.path))
        return RemotePhoto(self.name, name, Place(self.place.files, path).address, **more)

    def _walk(self, folder: str, out: Place | None) -> Iterator[RemotePhoto]:
        files = self.place.files
        try:
            with access_errors(self.name):
                found = [(entry["name"].rstrip("/"), entry["type"]) for entry in files.ls(folder, detail=True)]
                files.invalidate_cache()  # it would keep every folder
        except ImpastoError as error:
            if folder == self.place.path:
                raise
            yield self._photo(folder, reason=f"the folder cannot be read ({first_line(error.__cause__)})")
            return
        found = [each for each in found if each[0] != folder and not is_junk(posixpath.relpath(each[0], folder))]
        found.sort(key=lambda each: natural_key(each[0]))
        for path, kind in found:
            if kind == "directory":
                continue
            if kind == "file" or files.isfile(path):  # a link to one
                yield self._photo(path)
            else:
                yield self._photo(path, reason="not a regular file, a link to a folder, or a broken link")
        folders = [path for path, kind in found if kind == "directory"]
        del found
        for path in folders:
            if out is None or not out.contains(Place(files, path)):
                yield from self._walk(path, out)

    def _unzip(self) -> Iterator[RemotePhoto]:
        try:
            with self.place.files.open(self.place.path, "rb") as file, zipfile.ZipFile(file) as archive:
                members = [member for member in archive.infolist() if not member.filename.endswith("/")]
        except ZIP_ERRORS as error:
            raise ImpastoError(f"The zip {self.name} is damaged ({error}): download or create it again.") from error
        named = sorted(zip(member_names(members), members, strict=True), key=lambda each: natural_key(each[0]))
        del members
        for name, member in named:
            if not is_junk(name):
                yield RemotePhoto(self.name, name, self.place.address, member)


def find_photos(sources: Iterable[str], out: Place | None = None) -> Iterator[RemotePhoto]:
    """Yield all films, then all photos of sources: folders, zips, files, glob patterns, as paths or addresses. Films
    are files that are named, as are animated GIFs.

    All sources are opened before the first photo is yielded, so that a mistyped one is reported at once.
    Raises ImpastoError if one does not exist, cannot be read, or lies in ``out``.
    """
    opened = [_open(source) for source in sources]
    for source in opened:
        if out is not None and out.contains(source.place):
            raise ImpastoError("The output contains the photos, which are not overwritten: choose another output.")
    for source in sorted(opened, key=lambda each: not each.films):
        yield from source.photos(out)


def open_remote_source(spec: str) -> ImageSource:
    """Open a folder, a zip, a file or a glob pattern, as a path or an address, whose files any machine can read. The
    entries are those of :func:`impasto.data.sources.open_source`, in the same order.

    Raises ImpastoError as that does, if ``impasto[ray]`` is not installed, and for TFRecords.
    """
    for package in ("fsspec", "ray"):
        require(package, "ray")
    photos = sorted(find_photos([spec]), key=lambda photo: natural_key(photo.name))
    if not photos:
        raise ImpastoError(f"{spec} contains no image: give a folder or a zip with images.")
    if any(is_tfrecord(photo.name) for photo in photos):
        raise ImpastoError(f"--engine ray reads image files, and {spec} contains TFRecords: pack it (impasto pack).")
    require_one_domain(spec, (photo.name for photo in photos), packed=photos[0].member is not None)
    return ImageSource(spec, [photo.file() for photo in photos])


def _open(text: str) -> RemoteSource:
    place = open_place(text)
    suffix = PurePosixPath(text).suffix.lower()
    with access_errors(text):
        try:
            kind = place.files.info(place.path)["type"]
        except FileNotFoundError:
            kind = None
        if kind == "directory":
            return RemoteSource(text, place, "folder")
        if kind == "file":
            with place.files.open(place.path, "rb") as file:
                if suffix == ".zip" or file.read(4) in ZIP_SIGNATURES:
                    return RemoteSource(text, place, "zip")
                file.seek(0)
                films = suffix in VIDEOS or (suffix == ".gif" and is_animated(file))
            folder = Place(place.files, posixpath.dirname(place.path))
            return RemoteSource(text, folder, "files", [place.path], films)
        paths = _matching(place) if glob.has_magic(text) else []
    if not paths:
        raise ImpastoError(f"There is no file or folder {text}: check the path or address.")
    name = "/".join(takewhile(lambda part: not glob.has_magic(part), text.split("/")))
    root = "/".join(takewhile(lambda part: not glob.has_magic(part), place.path.split("/")))
    return RemoteSource(name or ".", Place(place.files, root), "files", paths, suffix in VIDEOS)


def _matching(place: Place) -> list[str]:
    found = place.files.glob(place.path, detail=True).items()
    return sorted((path for path, entry in found if entry["type"] != "directory"), key=natural_key)


class _Members(zipfile.ZipFile):
    """A zip whose members are known: its directory, which may be long, is not read again."""

    def _RealGetContents(self) -> None:  # noqa: N802
        pass


@lru_cache(maxsize=1)
def _members(address: str) -> _Members:
    place = open_place(address)
    return _Members(place.files.open(place.path, "rb"))
