"""TIFF files: the main image of several, and the kinds of samples that Pillow misreads."""

import ctypes
from functools import cache

import numpy as np
from PIL import Image, _imaging

from impasto.data.entry import UnreadableError
from impasto.data.formats import IMAGE_FORMATS, ImageFormat
from impasto.data.formats.tiff_directories import (
    BITS,
    COLOR_MAP,
    EXTRA_SAMPLES,
    ORIENTATION,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    SAMPLES,
    Directory,
    begin_with,
    read_directories,
)
from impasto.data.sample_range import to_eight_bits

WHITE_IS_ZERO, COLOR_FILTER_ARRAY, LINEAR_RAW = 0, 32803, 34892  #: values of PhotometricInterpretation
BLACK_IS_ZERO, SIGNED = 1, 2
KINDS = {1: "integer", 2: "signed integer", 3: "floating-point"}  #: values of SampleFormat
RAW = "a camera raw file: develop it first, and save it as TIFF, PNG or JPEG"


@IMAGE_FORMATS.register("TIFF")
class Tiff(ImageFormat):
    """TIFF and BigTIFF, in either byte order: the first page that is no thumbnail."""

    title = pillow = "TIFF"
    suffixes = (".tif", ".tiff")
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        _silence_libtiff()
        directories = read_directories(data)
        if not directories:
            return super().open(data)
        if data[8:10] == b"CR" or any(
            each.first(PHOTOMETRIC) in (COLOR_FILTER_ARRAY, LINEAR_RAW) for each in directories
        ):
            raise UnreadableError(RAW)
        main = next((each for each in directories if not each.is_reduced), directories[0])
        changes = _readable_by_pillow(main)
        if main is not directories[0] and ORIENTATION not in main.entries:
            changes[ORIENTATION] = directories[0].first(ORIENTATION, 1)
        try:
            image = super().open(begin_with(data, main, changes) if changes or main is not directories[0] else data)
        except Exception:
            raise UnreadableError(f"a damaged or unsupported TIFF ({_kind(main)}): save it as PNG") from None
        image.info["tiff"] = main
        return image

    @classmethod
    def load(cls, image: Image.Image) -> Image.Image:
        _silence_libtiff()
        image.load()
        tags = getattr(image, "tag_v2", {})
        main = image.info.pop("tiff", None)
        if image.mode == "P" and max(tags[COLOR_MAP]) < 256:  # written by programs that take it for 8 bits
            image = image.copy()
            image.putpalette(np.reshape(tags[COLOR_MAP], (3, -1)).T.astype(np.uint8).tobytes())
        if image.mode == "RGBA" and EXTRA_SAMPLES not in tags and image.getchannel("A").getextrema() == (0, 0):
            return image.convert("RGB")  # four samples, of which the last is unset
        if not image.mode.startswith(("I", "F")):
            return image
        samples = np.asarray(image)
        if main is None:
            return _like(image, to_eight_bits(samples, white_is_zero=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO))
        if main.first(BITS, 1) == 32 and main.first(SAMPLE_FORMAT, 1) == 1:
            samples = samples.view(np.uint32)
        if main.first(BITS, 1) == 12:
            samples = samples * np.uint16(16)
        return _like(image, to_eight_bits(samples, white_is_zero=main.first(PHOTOMETRIC) == WHITE_IS_ZERO))


def _readable_by_pillow(main: Directory) -> dict[int, int]:
    """Return the tags to change so that Pillow reads the samples as they are stored."""
    changes = {}
    bits = main.first(BITS, 1)
    if main.first(SAMPLES, 1) == 1 and bits in (12, 16, 32):
        if main.first(PHOTOMETRIC) == WHITE_IS_ZERO:
            changes[PHOTOMETRIC] = BLACK_IS_ZERO
        if bits == 32 and main.first(SAMPLE_FORMAT, 1) == 1:
            changes[SAMPLE_FORMAT] = SIGNED
    return changes


def _kind(main: Directory) -> str:
    kind = KINDS.get(main.first(SAMPLE_FORMAT, 1), "unknown")
    return f"{main.first(SAMPLES, 1)} {kind} samples of {main.first(BITS, 1)} bits a pixel"


def _like(image: Image.Image, levels: np.ndarray) -> Image.Image:
    converted = Image.fromarray(levels)
    converted.info.update(image.info)
    return converted


@cache
def _silence_libtiff() -> None:
    """Keep libtiff from writing its errors to the terminal: Pillow raises them.

    Where libtiff is part of Pillow's own module (Windows), its functions cannot be reached, and nothing is changed.
    """
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(library, name):
            getattr(library, name)(None)
