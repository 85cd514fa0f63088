"""Bytes into an upright sRGB picture, or a reason in plain words why not."""

import codecs
import contextlib
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageCms, ImageOps, UnidentifiedImageError

from impasto.data.entry import Unreadable

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
LARGEST = 150_000_000  # pixels: the largest cameras stay below, and the decoded picture takes 600 MB
NEUTRAL = 3  # levels of 255: a colour profile that moves no colour further is sRGB but for rounding

_MAGIC = (
    (b"\xff\xd8\xff", "a damaged JPEG"),
    (b"\x89PNG", "a damaged PNG"),
    (b"GIF8", "a damaged GIF"),
    (b"II*\0", "a TIFF that is damaged or of a rare kind"),
    (b"MM\0*", "a TIFF that is damaged or of a rare kind"),
    (b"BM", "a damaged BMP"),
    (b"\x1aE\xdf\xa3", "a film, not a picture"),  # EBML, of which MKV and WebM are
    (b"8BPS", "a Photoshop file: save it as PNG or JPEG"),
    (b"%PDF", "a PDF: save its pictures as PNG or JPEG"),
    (b"PK\x03\x04", "a zip: give it as a source of its own"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\xff\x0a", "a JPEG XL picture: save it as PNG or JPEG"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture: save it as PNG or JPEG"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture: save it as PNG or JPEG"),
)
_BRANDS = {
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"mif1": "a HEIC picture",
    b"avif": "an AVIF picture",
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as it is to be seen, and what its file said of itself.

    Attributes:
        image: upright, sRGB, mode RGB; perhaps smaller than the file's picture (see :func:`decode`).
        format: JPEG, PNG, WEBP, TIFF, BMP or GIF.
        mode: Pillow's name of the file's pixel type, such as RGB, CMYK, P or I;16.
        width: of the upright picture at full size.
        height: of the upright picture at full size.
    """

    image: Image.Image
    format: str
    mode: str
    width: int
    height: int


def decode(data: bytes, at_least: int | None = None) -> Decoded:
    """Decode one picture (of several, the first): upright, in sRGB, and over white where it is see-through.

    With ``at_least``, a JPEG whose short side is at least twice as long may come at a half, quarter or eighth
    of its size, which is far quicker; its short side is never below ``at_least``. Any thread may call this.

    Raises:
        Unreadable: the bytes are no whole picture of a known format, or one of more than 150 megapixels.
    """
    if not data:
        raise Unreadable("empty (0 bytes)")
    with _quiet():
        try:
            image = Image.open(BytesIO(data), formats=FORMATS)
            kind = "JPEG" if image.format == "MPO" else str(image.format)  # a JPEG with a second view inside
            mode, (width, height) = image.mode, image.size
            if width * height > LARGEST:
                raise Image.DecompressionBombError
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            drafted = image.size
            image.load()
            _set_upright(image)
            if image.size != drafted:  # Pillow itself may have turned a TIFF, so only the outcome tells
                width, height = height, width
            return Decoded(_srgb(image, kind), kind, mode, width, height)
        except UnidentifiedImageError as error:
            raise Unreadable(_what_it_is(data)) from error
        except Image.DecompressionBombError as error:
            raise Unreadable(f"larger than {LARGEST // 1_000_000} megapixels") from error
        except MemoryError as error:
            raise Unreadable("takes more memory than there is") from error
        except Exception as error:  # the parsers raise whatever damaged bytes make them stumble over
            raise Unreadable(f"damaged or cut short ({str(error) or type(error).__name__})") from error


def count_pixels(data: bytes) -> int:
    """How many pixels the picture has that :func:`decode` would give, told by its first bytes; 0 if it would give none.

    Any thread may call this.
    """
    with _quiet(), contextlib.suppress(Exception):  # as above; decode says what is wrong
        width, height = Image.open(BytesIO(data), formats=FORMATS).size
        return width * height
    return 0


def upright(image: Image.Image) -> Image.Image:
    """An image that Pillow has opened, as :func:`decode` gives it: upright, sRGB, RGB, over white where see-through.

    The one that is given stays as it is. Any thread may call this.

    Raises:
        Unreadable: it has no pixels, or its file is damaged.
    """
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    with _quiet():
        try:
            image = image.copy()  # which reads the file, if that was not done
            _set_upright(image)
            if not image.width * image.height:
                raise Unreadable("without a single pixel")
            return _srgb(image, kind)
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable(f"damaged or cut short ({str(error) or type(error).__name__})") from error


def _set_upright(image: Image.Image) -> None:
    # As above, anything may be raised; a picture is worth keeping even where its EXIF is nonsense.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)


def _srgb(image: Image.Image, kind: str) -> Image.Image:
    """Any of Pillow's modes to RGB in sRGB, by the embedded profile where there is a sound one."""
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK" and kind == "JPEG" and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow takes every CMYK JPEG for Adobe's, which are stored inverted
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.has_transparency_data:
        image = _over_white(image)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = image.convert("RGB")
    if profile or image.mode == "LAB":
        transform = _to_srgb(profile or b"", image.mode)
        if transform is not None:
            return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")  # for it would copy


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or floating, to 8 bits: by the range that its values suggest, or stretched."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif low >= 0:
        ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        low, high = 0.0, next((full for full in ranges if high <= full), high)
    scaled = (values - low) * (255.0 / max(high - low, 1e-12))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _over_white(image: Image.Image) -> Image.Image:
    grey = image.mode in ("L", "LA", "La", "1")
    clear = image.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return flat.convert("L" if grey else "RGB")


@lru_cache(maxsize=32)  # a set's pictures share a few profiles, and to build a transform takes milliseconds
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of pictures of this mode to sRGB; None where it changes nothing or makes no sense."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode in ("L", "RGB"):
        ramp = np.arange(0, 256, 17, dtype=np.uint8)  # 16 levels a channel
        colours = ramp if mode == "L" else np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(-1, 3)
        probe = Image.fromarray(colours[None])
        change = np.asarray(ImageChops.difference(transform.apply(probe), probe.convert("RGB")))
        if change.max() <= NEUTRAL:
            return None
    return transform


def _what_it_is(data: bytes) -> str:
    for magic, what in _MAGIC:
        if data.startswith(magic):
            return what
    if data[4:8] == b"ftyp":
        brand = _BRANDS.get(data[8:12])
        return "a film, not a picture" if brand is None else f"{brand}: save it as PNG or JPEG"
    if data[:4] == b"RIFF":
        kinds = {b"WEBP": "a damaged WebP", b"AVI ": "a film, not a picture"}
        return kinds.get(data[8:12], "sound, not a picture")
    head = data[:1024]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # which forgives a character cut by the 1024
    except UnicodeDecodeError:
        return "not a picture"
    if b"\0" in head:
        return "not a picture"
    return "an SVG drawing: save it as PNG" if b"<svg" in head else "text, not a picture"


_guard = threading.Lock()
_inside = 0
_filters = contextlib.ExitStack()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings to itself.

    ``catch_warnings`` swaps a list that all threads share, so the first one in and the last one out do it.
    """
    global _inside
    with _guard:
        if _inside == 0:
            _filters.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _inside += 1
    try:
        yield
    finally:
        with _guard:
            _inside -= 1
            if _inside == 0:
                _filters.close()
