"""Pictures out: into a folder or one zip, and never half-written under a final name."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path, PureWindowsPath
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.errors import ImpastoError
from impasto.files import atomic_write, full_disk_errors, path_errors
from impasto.inference.photo import TooLargeError

#: The kinds of file that are written, by their endings, and the longest side that each can have.
LONGEST = {".jpg": 65_500, ".jpeg": 65_500, ".png": 1 << 30, ".webp": 16_383}


class PictureWriter:
    """Hands pictures on, one at a time, in the order in which they come."""

    def __init__(self, put: Callable[[str, bytes], None]) -> None:
        self._put = put
        self._names: set[str] = set()

    def write(self, name: str, picture: NDArray[np.uint8] | Image.Image) -> None:
        """Write one picture under a name ending in .jpg, .jpeg, .png or .webp, perhaps in folders: ``a/b.jpg``.

        ``picture`` is uint8 RGB of shape (H, W, 3), 0..255, or a Pillow image, which is turned to RGB.
        Raises ImpastoError for an unusable name, a name that was used before, or a disk that refuses, and
        TooLargeError for a picture that such a file cannot hold.
        """
        self._require(name)
        self.put(name, encode(name, picture))

    def put(self, name: str, data: bytes) -> None:
        """Write what :func:`encode` made of a picture, under a name of that kind. Raises ImpastoError as above."""
        self._require(name)
        self._put(name, data)
        self._names.add(name)

    def _require(self, name: str) -> None:
        if not {"", ".", ".."}.isdisjoint(name.split("/")) or "\\" in name or PureWindowsPath(name).drive:
            raise ImpastoError(
                f"{name!r} cannot name a picture: give a file name, or a path below the output's folder."
            )
        if name in self._names:
            raise ImpastoError(f"Two pictures are called {name}: give each its own name.")


def encode(name: str, picture: NDArray[np.uint8] | Image.Image) -> bytes:
    """The bytes of a picture (uint8 (H, W, 3) or a Pillow image) in the format that its name asks for.

    JPEG is of quality 95 with colour at full resolution: halved colour blurs brush strokes. PNG is packed
    lightly: on paintings, trying harder takes thrice the time and saves one byte in a hundred. WebP, of the same
    quality, has no choice but to halve the colour. The file says nothing of colour, which everywhere means sRGB.
    Raises ImpastoError for another suffix, TooLargeError if such a file cannot hold the picture, ValueError for an
    array that is no RGB picture.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"expected uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
        image = Image.fromarray(picture)
    else:
        image = picture if picture.mode == "RGB" else picture.convert("RGB")
    ending = Path(name).suffix.lower()
    if ending not in LONGEST:
        raise ImpastoError(f"{name!r} has no picture's ending: pictures are written as .jpg, .png or .webp.")
    if max(image.size) > LONGEST[ending]:
        raise TooLargeError(f"{image.width}×{image.height} pixels are too many for {ending}: write it as .png.")
    buffer = BytesIO()
    match ending:
        case ".jpg" | ".jpeg":
            image.save(buffer, "JPEG", quality=95, subsampling="4:4:4")
        case ".png":
            image.save(buffer, "PNG", compress_level=1, icc_profile=None)
        case ".webp":
            image.save(buffer, "WEBP", quality=95, icc_profile=b"")
    return buffer.getvalue()


@contextmanager
def open_output(
    path: Path, *, overwrite: bool = False, spare: Callable[[], Collection[Path]] = tuple
) -> Iterator[PictureWriter]:
    """A writer of pictures into ``path``: one zip if it ends in .zip, else a folder.

    A zip appears when the block ends well and not at all when it does not; in a folder each picture appears
    when it is complete. An existing zip or a folder with something in it is refused; with ``overwrite`` the
    zip is replaced, and in the folder pictures of the same name are, while the others stay. A new folder into
    which nothing was written is taken away again. What ``spare`` names, resolved paths, is never written
    over; it is asked once something would be.
    Raises ImpastoError if ``path`` is taken or cannot be written, or the disk is full.
    """
    zipped = path.suffix.lower() == ".zip"
    reserve(path, file=zipped, overwrite=overwrite)
    if zipped:
        with atomic_write(path) as part, zip_writer(part) as writer:
            yield writer
    else:
        new = not path.exists()
        try:
            yield _folder_writer(path, spare)
        finally:
            if new and path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def reserve(path: Path, *, file: bool, overwrite: bool = False) -> None:
    """Make the folders above ``path``, a ``file`` or a folder, or raise ImpastoError if that is taken."""
    if file:
        if path.is_dir():
            raise ImpastoError(f"{path} is a folder: choose another name for the {path.suffix[1:].lower()}.")
        taken = path.exists()
    else:
        if path.exists() and not path.is_dir():
            raise ImpastoError(f"{path} is a file: choose a folder, or a name ending in .zip.")
        taken = path.is_dir() and any(path.iterdir())
    if taken and not overwrite:
        raise ImpastoError(f"{path} already holds something: choose another place, or overwrite it (--overwrite).")
    with path_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def zip_writer(path: Path) -> Iterator[PictureWriter]:
    """A writer of pictures into the zip ``path``: stored, dateless, so the same pictures give the same bytes.

    Raises ImpastoError if ``path`` cannot be opened, OSError if the disk fails while it is written.
    """
    with path_errors(path):
        archive = ZipFile(path, "w", ZIP_STORED)

    def put(name: str, data: bytes) -> None:
        entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        entry.create_system = 3  # else Windows writes other bytes than Linux does
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, data)

    with archive:
        yield PictureWriter(put)


def _folder_writer(folder: Path, spare: Callable[[], Collection[Path]]) -> PictureWriter:
    spared = cache(spare)
    with path_errors(folder):
        folder.mkdir(exist_ok=True)

    def put(name: str, data: bytes) -> None:
        # Not atomic_write(): waiting for the disk after each picture would make thousands of them many times slower.
        path = folder / name
        with path_errors(path):
            there = path.exists()
        if there and path.resolve() in spared():
            raise ImpastoError(f"{path} is one of the photos, which are not to be painted over: choose another place.")
        part = path.with_name("painting.part")  # a name of its own might be too long
        with path_errors(path.parent), full_disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path_errors(path), full_disk_errors(path):
                part.write_bytes(data)
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    return PictureWriter(put)
