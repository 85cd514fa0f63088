"""TIFF files: the main image of several, and the kinds of samples that Pillow misreads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from impasto.data.entry import CAMERA_RAW, UnreadableError
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
BLACK_IS_ZERO, UNSIGNED, SIGNED = 1, 1, 2
#: Pillow's names of samples in big-endian order, and of the same in the order of this machine.
NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}
KINDS = {1: "integer", 2: "signed integer", 3: "floating-point"}  #: values of SampleFormat


@IMAGE_FORMATS.register("TIFF")
class Tiff(ImageFormat):
    """TIFF and BigTIFF, in either byte order: the first page that is no thumbnail."""

    title = pillow = "TIFF"
    suffixes = (".tif", ".tiff")
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        directories = read_directories(data)
        if not directories:
            return super().open(data)
        if data[8:10] == b"CR" or any(
            each.first(PHOTOMETRIC) in (COLOR_FILTER_ARRAY, LINEAR_RAW) for each in directories
        ):
            raise UnreadableError(CAMERA_RAW)
        main = next((each for each in directories if not each.is_reduced), directories[0])
        changes = _readable_by_pillow(main)
        if main is not directories[0] and ORIENTATION not in main.entries:
            changes[ORIENTATION] = directories[0].first(ORIENTATION, 1)
        try:
            image = super().open(begin_with(data, main, changes) if changes or main is not directories[0] else data)
        except (UnidentifiedImageError, SyntaxError):
            raise UnreadableError(f"a damaged or unsupported TIFF ({_kind(main)}): save it as PNG") from None
        image.info["tiff"] = main
        return image

    @classmethod
    def load(cls, image: Image.Image) -> Image.Image:
        if isinstance(image, ImageFile.ImageFile):  # libtiff returns samples in the order of this machine
            image.tile = [_in_native_order(tile) for tile in image.tile]
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
        photometric = tags.get(PHOTOMETRIC) if main is None else main.first(PHOTOMETRIC)
        samples = np.asarray(image) if main is None else _as_stored(np.asarray(image), main)
        levels = Image.fromarray(to_eight_bits(samples, white_is_zero=photometric == WHITE_IS_ZERO))
        levels.info.update(image.info)
        return levels


def _readable_by_pillow(main: Directory) -> dict[int, int]:
    """Return the tags to change so that Pillow reads the samples as they are stored."""
    changes = {}
    bits = main.first(BITS, 1)
    if main.first(SAMPLES, 1) == 1 and bits in (12, 16, 32):
        if main.first(PHOTOMETRIC) == WHITE_IS_ZERO:
            changes[PHOTOMETRIC] = BLACK_IS_ZERO
        if bits == 32 and main.first(SAMPLE_FORMAT, UNSIGNED) == 1:
            changes[SAMPLE_FORMAT] = SIGNED
    return changes


def _kind(main: Directory) -> str:
    if main.layout.big and main.layout.order == ">":
        return "big-endian BigTIFF"
    kind = KINDS.get(main.first(SAMPLE_FORMAT, UNSIGNED), "unknown")
    return f"{main.first(SAMPLES, 1)} {kind} samples of {main.first(BITS, 1)} bits a pixel"


def _as_stored(samples: NDArray[Any], main: Directory) -> NDArray[Any]:
    """Return samples in their own type; those of 12 bits as 16."""
    match main.first(SAMPLE_FORMAT, UNSIGNED), main.first(BITS, 1):
        case 1, 12:
            return samples * np.uint16(16)
        case 1, 32:
            return samples.view(np.uint32)
        case 2, 16:
            return samples.astype(np.int16)
    return samples


def _in_native_order(tile: ImageFile._Tile) -> ImageFile._Tile:
    if tile.codec_name != "libtiff" or not isinstance(tile.args, tuple):
        return tile
    raw, *others = tile.args
    return tile._replace(args=(NATIVE.get(raw, raw), *others))
