"""Image output: encode images and write them atomically into a folder or a zip."""

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path, PureWindowsPath
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from impasto.errors import ImpastoError
from impasto.files import (
    BadNameError,
    atomic_write,
    full_disk_errors,
    make_folder,
    path_errors,
    require_folder,
    require_regular,
)
from impasto.inference.photo import TooLargeError

#: Suffixes of the formats that are written, with the longest side in pixels that each allows.
MAX_SIDE = {".jpg": 65_500, ".jpeg": 65_500, ".png": 1 << 30, ".webp": 16_383}
#: Those of them that hold an alpha channel.
TRANSPARENT = (".png", ".webp")

#: Begin of the names of files that are being written into a folder; see :func:`impasto.files.partial_files`.
PART = ".impasto"


class ImageWriter:
    """Writes images one at a time.

    Attributes:
        names: of the images written.
    """

    def __init__(self, put: Callable[[str, bytes], None]) -> None:
        self._put = put
        self.names: set[str] = set()

    def write(self, name: str, picture: NDArray[np.uint8] | Image.Image) -> None:
        """Write an image, uint8 RGB (H, W, 3) or a Pillow image, which is converted to RGB.

        ``name`` ends in .jpg, .jpeg, .png or .webp and may contain folders: ``a/b.jpg``.
        Raises ImpastoError for an invalid or repeated name or a disk error, TooLargeError for an image that exceeds the
        limits of the format.
        """
        self._require(name)
        self.put(name, encode(name, picture))

    def put(self, name: str, data: bytes) -> None:
        """Write an image that :func:`encode` encoded for this name. Raises ImpastoError as :meth:`write`."""
        self._require(name)
        self._put(name, data)
        self.names.add(name)

    def _require(self, name: str) -> None:
        if not is_image_name(name):
            raise ImpastoError(f"{name!r} is no valid image name: give a file name, or a path below the output folder.")
        if name in self.names:
            raise ImpastoError(f"Two images are named {name}: give each its own name.")


def is_image_name(name: str) -> bool:
    """Return whether a name is a file name or a relative path, and stays below its folder on any system."""
    parts = name.split("/")
    return {"", ".", ".."}.isdisjoint(parts) and not {"\\", "\0"} & set(name) and not PureWindowsPath(name).drive


def encode(
    name: str, picture: NDArray[np.uint8] | Image.Image, xmp: bytes | None = None, exif: bytes | None = None
) -> bytes:
    """Encode an image, uint8 (H, W, 3) or a Pillow image, in the format of its name's suffix, with an XMP packet and
    EXIF data. PNG and WebP keep the alpha channel of an RGBA image, which JPEG cannot hold.

    JPEG has quality 95 without chroma subsampling, which would blur brush strokes. PNG uses fast compression: on
    paintings, the slow one takes three times as long and saves 1 %. WebP has the same quality; the format always
    subsamples chroma. No colour profile is embedded, which means sRGB.
    Raises ImpastoError for another suffix, TooLargeError if the image exceeds the limits of the format, ValueError for
    an array of another dtype or shape.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"expected uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
        image = Image.fromarray(picture)
    else:
        image = picture
    suffix = Path(name).suffix.lower()
    if suffix not in MAX_SIDE:
        raise ImpastoError(f"{name!r} is no supported image format: use .jpg, .png or .webp.")
    if max(image.size) > MAX_SIDE[suffix]:
        raise TooLargeError(f"{image.width}×{image.height} pixels are too many for {suffix}: write it as .png.")
    if image.mode != "RGB" and (image.mode != "RGBA" or suffix not in TRANSPARENT):
        image = image.convert("RGB")
    buffer = BytesIO()
    metadata: dict[str, Any] = {key: value for key, value in (("xmp", xmp), ("exif", exif)) if value is not None}
    match suffix:
        case ".jpg" | ".jpeg":
            image.save(buffer, "JPEG", quality=95, subsampling="4:4:4", **metadata)
        case ".png":
            text = PngInfo()
            if xmp is not None:
                text.add_itxt("XML:com.adobe.xmp", xmp.decode())
            image.save(buffer, "PNG", compress_level=1, icc_profile=None, pnginfo=text, exif=exif or b"")
        case ".webp":
            image.save(buffer, "WEBP", quality=95, icc_profile=b"", **metadata)
    return buffer.getvalue()


@contextmanager
def open_output(
    path: Path,
    *,
    overwrite: bool = False,
    ours: Collection[str] | None = None,
    protected: Callable[[], Collection[Path]] = tuple,
) -> Iterator[ImageWriter]:
    """Open ``path`` for writing images: one zip if it ends in .zip, else a folder.

    A zip appears when the block ends without an error; in a folder each image appears when it is complete. An existing
    zip or a non-empty folder is refused; with ``overwrite`` the zip is replaced, and in the folder images of the same
    name, while others stay. A new folder that stays empty is removed. ``ours`` are the names of images that an earlier
    run wrote into the folder, which may be replaced; the folder may then hold other files, which may not. ``protected``
    returns resolved paths that are never overwritten; it is called when a file would be overwritten first.
    Raises ImpastoError if ``path`` exists or cannot be written, a folder is removed meanwhile, or the disk is full.
    """
    zipped = path.suffix.lower() == ".zip"
    reserve(path, file=zipped, overwrite=overwrite or ours is not None)
    if zipped:
        with atomic_write(path) as part, zip_writer(part) as writer:
            yield writer
    else:
        new = not path.exists()
        try:
            yield _folder_writer(path, None if overwrite else () if ours is None else ours, protected)
        finally:
            if new and path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def require_present(folder: Path, names: Collection[str]) -> None:
    """Raise ImpastoError if images that were written into a folder are no longer there."""
    missing = sum(not (folder / name).is_file() for name in names)
    if missing:
        raise ImpastoError(
            f"{missing:,} of {len(names):,} images are no longer in {folder}, they were removed during the run: "
            "run the same command again."
        )


def reserve(path: Path, *, file: bool, overwrite: bool = False) -> None:
    """Create the parents of ``path``, a ``file`` or a folder. Raises ImpastoError as :func:`require_free`."""
    require_free(path, file=file, overwrite=overwrite)
    make_folder(path.parent)


def require_free(path: Path, *, file: bool, overwrite: bool = False) -> None:
    """Raise ImpastoError if ``path``, a ``file`` or a folder, exists, unless ``overwrite``, or cannot be written."""
    with path_errors(path):
        if file:
            require_regular(path)
            if path.is_dir():
                raise ImpastoError(f"{path} is a folder: choose another name for the {path.suffix[1:].lower()}.")
            taken = path.exists()
        else:
            if path.exists() and not path.is_dir():
                raise ImpastoError(f"{path} is a file: choose a folder, or a name ending in .zip.")
            taken = path.is_dir() and any(path.iterdir())
        if taken and not overwrite:
            raise ImpastoError(f"{path} already exists: choose another output (--out), or overwrite it (--overwrite).")
    require_folder(path.parent if file else path)


def require_other(out: Path, *inputs: Path) -> None:
    """Raise ImpastoError if the output is one of the files that are read, by whatever path."""
    if out.resolve() in {path.resolve() for path in inputs}:
        raise ImpastoError(f"{out} is an input of this command and is not overwritten: choose another output.")


@contextmanager
def zip_writer(path: Path) -> Iterator[ImageWriter]:
    """Open the zip ``path`` for writing images: uncompressed and without dates, so that it is reproducible.

    Raises ImpastoError if ``path`` cannot be opened, OSError for a disk error while it is written.
    """
    with path_errors(path):
        archive = ZipFile(path, "w", ZIP_STORED)

    def put(name: str, data: bytes) -> None:
        entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        entry.create_system = 3  # the same bytes on Windows as on Linux
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, data)

    with archive:
        yield ImageWriter(put)


def _folder_writer(
    folder: Path, ours: Collection[str] | None, protected: Callable[[], Collection[Path]]
) -> ImageWriter:
    """Return a writer that replaces existing files only if ``ours`` has their names or is None."""
    protected_paths = cache(protected)
    with path_errors(folder):
        folder.mkdir(exist_ok=True)

    def require_replaceable(path: Path, name: str, data: bytes) -> None:
        if path.resolve() in protected_paths():
            raise ImpastoError(f"{path} is one of the photos, which are not overwritten: choose another output.")
        # An image that was written just before a kill is not listed: it is empty, or the same.
        listed = ours is None or name in ours
        if path.is_file() and not listed and path.stat().st_size and path.read_bytes() != data:
            raise BadNameError(
                f"{path} is another file, which is not overwritten: rename it, or choose another output."
            )

    def put(name: str, data: bytes) -> None:
        # Not atomic_write(): an fsync after each image would make thousands of them many times slower.
        if not folder.is_dir():
            raise ImpastoError(f"{folder} was removed during the run: run the same command again.")
        path = folder / name
        part = path.with_name(f"{PART}.{os.getpid()}-{threading.get_ident()}.part")  # one from its name may be too long
        with path_errors(path), full_disk_errors(path):
            if path.exists():
                require_replaceable(path, name, data)
        with path_errors(path.parent), full_disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path_errors(path), full_disk_errors(path):
                part.write_bytes(data)
                part.replace(path)
        finally:
            with suppress(OSError):  # it has been renamed
                part.unlink()

    return ImageWriter(put)
