"""Decode image files to upright sRGB images."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageCms, ImageOps, UnidentifiedImageError

from impasto.data.entry import UnreadableError
from impasto.data.file_signatures import describe
from impasto.data.formats import IMAGE_FORMATS, identify
from impasto.data.quiet_decoders import quiet_decoders
from impasto.data.sample_range import to_eight_bits
from impasto.errors import printable

MAX_PIXELS = 150_000_000  # no camera exceeds it, and the decoded image takes 600 MB
NEUTRAL_DIFFERENCE = 3  # levels of 255: a colour profile that changes no colour by more is sRGB but for rounding


class TooManyPixelsError(UnreadableError):
    """An image has more pixels than the caller wants to decode."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image and the properties of its file.

    Attributes:
        image: upright, sRGB, mode RGB, over white; may be smaller than the image of the file (see :func:`decode`).
        format: registered name in :data:`~impasto.data.formats.IMAGE_FORMATS`, such as "JPEG".
        mode: Pillow's name of the file's pixel type, such as RGB, CMYK, P or I;16.
        width: pixels of the upright image at full size.
        height: pixels of the upright image at full size.
        alpha: its alpha channel, of the size of ``image`` and mode L; None if it is opaque.
    """

    image: Image.Image
    format: str
    mode: str
    width: int
    height: int
    alpha: Image.Image | None = None


def decode(data: bytes, min_side: int | None = None, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode an image file, or the first image in it: upright, sRGB, transparency composited over white. Thread-safe.

    With ``min_side``, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, which is far faster, as long as its shorter
    side keeps at least ``min_side`` pixels.

    Raises:
        UnreadableError: the file has no registered format, is damaged, or has more than 150 megapixels. The message is
            one line of printable text.
        TooManyPixelsError: more than ``max_pixels`` would be decoded.
    """
    if not data:
        raise UnreadableError("empty (0 bytes)")
    name = identify(data)
    if name is None:
        raise UnreadableError(describe(data))
    format = IMAGE_FORMATS[name]
    with decoder_errors(format.title):
        image = format.open(data)
        mode, (width, height) = image.mode, image.size
        if width * height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if min_side is not None:
            image.draft(None, (min_side, min_side))
        drafted = image.size
        if image.width * image.height > max_pixels:
            raise TooManyPixelsError(f"larger than {max_pixels / 1_000_000:g} megapixels")
        image = format.load(image)
        _apply_orientation(image)
        if image.size != drafted:  # Pillow may have rotated a TIFF itself, so compare the sizes
            width, height = height, width
        rgb, alpha = _to_rgb(image)
        return Decoded(rgb, name, mode, width, height, alpha)


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of the image that :func:`decode` returns, before it is turned upright, from the file's
    header alone; None if it would fail. Thread-safe."""
    name = identify(data)
    if name is None:
        return None
    with contextlib.suppress(UnreadableError), decoder_errors(IMAGE_FORMATS[name].title):
        return IMAGE_FORMATS[name].open(data).size
    return None


def count_pixels(data: bytes) -> int:
    """Return the number of pixels of the image that :func:`decode` returns, from the file's header alone; 0 if it would
    fail. Thread-safe."""
    width, height = image_size(data) or (0, 0)
    return width * height


def read_exif(data: bytes) -> Image.Exif | None:
    """Return the EXIF data of an image file; None if it has none, or they are damaged. Thread-safe."""
    name = identify(data)
    if name is None:
        return None
    with contextlib.suppress(UnreadableError), decoder_errors(IMAGE_FORMATS[name].title):
        return IMAGE_FORMATS[name].open(data).getexif() or None
    return None


def upright(image: Image.Image) -> Image.Image:
    """Return a copy of an image opened by Pillow as :func:`decode` returns it: upright, sRGB, RGB, over white.
    Thread-safe.

    Raises:
        UnreadableError: it has no pixels, or its file is damaged.
    """
    name = "JPEG" if image.format == "MPO" else str(image.format)
    with decoder_errors(name):
        if name in IMAGE_FORMATS:
            image = IMAGE_FORMATS[name].load(image)
        image = image.copy()  # reads the file if it has not been read
        _apply_orientation(image)
        if not image.width * image.height:
            raise UnreadableError("has no pixels")
        return _to_rgb(image)[0]


@contextlib.contextmanager
def decoder_errors(title: str) -> Iterator[None]:
    """Raise whatever a decoder raises on a damaged file of the format ``title`` as :class:`UnreadableError`, of one
    printable line, and keep the decoders' own lines off the terminal. Thread-safe."""
    with quiet_decoders():
        try:
            yield
        except UnreadableError:
            raise
        except UnidentifiedImageError as error:
            raise UnreadableError(f"a damaged or unsupported {title}") from error
        except Image.DecompressionBombError as error:
            raise UnreadableError(f"larger than {MAX_PIXELS // 1_000_000} megapixels") from error
        except MemoryError as error:
            raise UnreadableError("needs more memory than is available") from error
        except Exception as error:  # decoders raise anything on damaged bytes
            reason = printable(" ".join(str(error).split())) or type(error).__name__
            raise UnreadableError(f"damaged or truncated ({reason})") from error


def _apply_orientation(image: Image.Image) -> None:
    # Damaged EXIF raises anything, and is no reason to reject the image.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Convert any of Pillow's modes to RGB in sRGB, through the embedded colour profile if it is valid, over white.
    Return it with its alpha channel, unless that is opaque."""
    profile = image.info.get("icc_profile") or b""
    alpha = None
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(to_eight_bits(np.asarray(image)))
    elif image.has_transparency_data:
        image, alpha = _split_alpha(image)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = image.convert("RGB")
    if profile or image.mode == "LAB":
        transform = _to_srgb(profile, image.mode)
        if transform is not None:
            image = transform.apply(image)
    if image.mode != "RGB":  # convert would copy
        image = image.convert("RGB")
    if alpha is None or alpha.getextrema() == (255, 255):
        return image, None
    return _over_white(image, alpha), alpha


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return an image without its transparency, RGB or L, and its alpha channel."""
    rgba = image.convert("RGBA")
    grey = image.mode in ("L", "LA", "La", "1")
    return rgba.getchannel("R") if grey else rgba.convert("RGB"), rgba.getchannel("A")


def _over_white(image: Image.Image, alpha: Image.Image) -> Image.Image:
    image.putalpha(alpha)
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


@lru_cache(maxsize=32)  # images of a data set share a few profiles, and building a transform takes milliseconds
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB; None if the profile is invalid or changes nothing."""
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
        ramp = np.arange(0, 256, 17, dtype=np.uint8)  # 16 levels per channel
        colours = ramp if mode == "L" else np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(-1, 3)
        probe = Image.fromarray(colours[None])
        change = np.asarray(ImageChops.difference(transform.apply(probe), probe.convert("RGB")))
        if change.max() <= NEUTRAL_DIFFERENCE:
            return None
    return transform
