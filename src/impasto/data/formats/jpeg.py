"""JPEG files."""

import re
from collections.abc import Iterator
from hashlib import blake2b
from io import BytesIO

from PIL import Image

from impasto.data.entry import UnreadableError
from impasto.data.formats import IMAGE_FORMATS, ImageFormat

END = b"\xff\xd9"
#: A marker inside or behind entropy-coded data: no escaped 0xFF, no restart.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
#: Start-of-frame markers (ITU-T T.81, table B.1) of lossless JPEG.
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
#: Start-of-frame marker of JPEG-LS (ITU-T T.87).
_JPEG_LS = 0xF7


@IMAGE_FORMATS.register("JPEG")
class Jpeg(ImageFormat):
    """JPEG, also with further images inside (MPO), of which the first is read."""

    title = pillow = "JPEG"
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
    magic = (b"\xff\xd8\xff",)

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        _require_supported(data)
        return super().open(data)

    @classmethod
    def load(cls, image: Image.Image) -> Image.Image:
        """Decode the pixels, also of a file that lacks only its end marker."""
        stream, (scale, *_) = getattr(image, "fp", None), getattr(image, "decoderconfig", None) or (1,)
        try:
            image.load()
        except OSError:
            data = stream.getvalue().rstrip(b"\xff") if isinstance(stream, BytesIO) else b""
            if not _lacks_only_its_end(data):
                raise
            image = super().open(data + END)
            image.draft(None, (image.width // scale, image.height // scale))  # the same reduction as of ``image``
            image.load()
        return image


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the markers before the end of the image, each with the content of its segment."""
    place = 2
    while (match := _MARKER.search(data, place)) is not None and match[1] != END[1:]:
        length = int.from_bytes(data[match.end() : match.end() + 2], "big")
        yield match[1][0], data[match.end() + 2 : match.end() + length]
        place = match.end() + max(length, 1)


def _frame(data: bytes) -> tuple[int, bytes]:
    """Return marker and content of the frame header; 0 and nothing if there is none."""
    tables = (0xC4, 0xC8, 0xCC)  # DHT, JPG and DAC lie among the frame headers
    for marker, content in _segments(data):
        if marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in tables):
            return marker, content
    return 0, b""


def _require_supported(data: bytes) -> None:
    """Raise UnreadableError if it is a kind of JPEG that Pillow does not decode, or not in the right colours."""
    marker, content = _frame(data)
    kind = "a JPEG-LS image" if marker == _JPEG_LS else "a lossless JPEG" if marker in _LOSSLESS else ""
    if not kind and content and content[0] != 8:
        kind = f"a JPEG of {content[0]} bits per channel"
    if kind:
        raise UnreadableError(f"{kind}: save it as an 8-bit JPEG or PNG")


def _lacks_only_its_end(data: bytes) -> bool:
    """Whether a JPEG that ended too early holds all of its pixels.

    Every coefficient must have been sent to its last bit, and what follows the data must not change the image: if
    pixels were missing, they would be decoded from it.
    """
    if not _has_every_scan(data):
        return False
    return len({_pixel_digest(data + _filler(byte) + END) for byte in (b"\x00", b"\x55")}) == 1


def _has_every_scan(data: bytes) -> bool:
    """Whether the scans send every coefficient of every component to its last bit (progressive JPEGs do it bit by
    bit)."""
    _, content = _frame(data)
    lowest = {component: [1] * 64 for component in content[6::3]}
    for marker, scan in _segments(data):
        if marker == 0xDA and scan and len(scan) >= 2 * scan[0] + 4:
            first, last, bits = scan[2 * scan[0] + 1 : 2 * scan[0] + 4]
            for component in scan[1 : 2 * scan[0] + 1 : 2]:
                lowest.get(component, [])[first : last + 1] = [bits & 15] * (min(last, 63) + 1 - first)
    return bool(lowest) and not any(map(any, lowest.values()))


def _filler(byte: bytes) -> bytes:
    """Return data for missing pixels, and for intervals that wait for their restart marker."""
    return byte * 64 + b"".join(b"\xff" + bytes([0xD0 + number % 8]) + byte * 64 for number in range(16))


def _pixel_digest(data: bytes) -> bytes:
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        return blake2b(image.tobytes()).digest()
