"""Describe a file that is not a supported image by its first bytes."""

import codecs

from impasto.data.formats import supported_formats

_CONVERT = "save it as PNG or JPEG"
_SIGNATURES = (
    (b"\x1aE\xdf\xa3", "a video, not an image"),  # EBML: MKV and WebM
    (b"8BPS", f"a Photoshop file: {_CONVERT}"),
    (b"%PDF", f"a PDF: {_CONVERT}"),
    (b"PK\x03\x04", "a zip inside the data set: give it as a source of its own"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\xff\x0a", f"a JPEG XL image: {_CONVERT}"),
    (b"\0\0\0\x0cjP  ", f"a JPEG 2000 image: {_CONVERT}"),
    (b"\x76\x2f\x31\x01", f"an OpenEXR image: {_CONVERT}"),
)
_ISO_BRANDS = {b"heic": "a HEIC image", b"heix": "a HEIC image", b"mif1": "a HEIC image", b"avif": "an AVIF image"}
_RIFF_TYPES = {b"AVI ": "a video, not an image"}


def describe(data: bytes) -> str:
    """Return what an unsupported file is, and what to do with it where that is known."""
    for signature, description in _SIGNATURES:
        if data.startswith(signature):
            return description
    if data[4:8] == b"ftyp":  # ISO base media: HEIF and MP4
        brand = _ISO_BRANDS.get(data[8:12])
        return "a video, not an image" if brand is None else f"{brand}: {_CONVERT}"
    if data[:4] == b"RIFF":
        return _RIFF_TYPES.get(data[8:12], "audio, not an image")
    head = data[:1024]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # accepts a character cut at the end
    except UnicodeDecodeError:
        return _not_an_image()
    if b"\0" in head:
        return _not_an_image()
    return "an SVG drawing: save it as PNG" if b"<svg" in head else "text, not an image"


def _not_an_image() -> str:
    return f"not an image of a supported format ({supported_formats()})"
