"""Describe a file that is not a supported image by its first bytes."""

import codecs

from impasto.data.entry import CAMERA_RAW
from impasto.data.formats import supported_formats

_CONVERT = "save it as PNG or JPEG"
_SEQUENCE = "image sequence: save one image of it as PNG or JPEG, or all of it as a video"
_VIDEO, _AUDIO = "a video, not an image", "audio, not an image"
_SIGNATURES = (
    (b"\x1aE\xdf\xa3", _VIDEO),  # EBML: MKV and WebM
    (b"\x8aMNG", f"an MNG animation: {_CONVERT}"),
    (b"8BPS", f"a Photoshop file: {_CONVERT}"),
    (b"gimp xcf", f"a GIMP file: {_CONVERT}"),
    (b"%PDF", f"a PDF: {_CONVERT}"),
    (b"%!PS", f"a PostScript file: {_CONVERT}"),
    (b"PK\x03\x04", "a zip inside the data set: give it as a source of its own"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\xff\x0a", f"a JPEG XL image: {_CONVERT}"),
    (b"\0\0\0\x0cJXL ", f"a JPEG XL image: {_CONVERT}"),
    (b"\0\0\0\x0cjP  ", f"a JPEG 2000 image: {_CONVERT}"),
    (b"\xff\x4f\xff\x51", f"a JPEG 2000 image: {_CONVERT}"),
    (b"II\xbc\x01", f"a JPEG XR image: {_CONVERT}"),
    (b"\x76\x2f\x31\x01", f"an OpenEXR image: {_CONVERT}"),
    (b"#?RADIANCE", f"a Radiance HDR image: {_CONVERT}"),
    (b"\0\0\1\0", f"an icon: {_CONVERT}"),
    # Camera raw files that are no TIFF: Fujifilm, Olympus, Panasonic, Canon (CRW), Sigma, Minolta.
    *((magic, CAMERA_RAW) for magic in (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")),
    (b"II\x1a\0\0\0HEAPCCDR", CAMERA_RAW),
    (b"ID3", _AUDIO),
    (b"fLaC", _AUDIO),
    (b"OggS", "audio or video, not an image"),
)
#: Brands of ISO base media files, in the order in which they count.
_ISO_BRANDS = (
    (b"crx ", CAMERA_RAW),
    (b"avis", f"an AVIF {_SEQUENCE}"),
    (b"hevc", f"a HEIC {_SEQUENCE}"),
    (b"hevx", f"a HEIC {_SEQUENCE}"),
    (b"msf1", f"a HEIF {_SEQUENCE}"),
    *((brand, f"a HEIF image: {_CONVERT}") for brand in (b"mif1", b"mif2", b"miaf")),
    *((brand, f"a JPEG 2000 image: {_CONVERT}") for brand in (b"jp2 ", b"jpx ", b"jph ")),
    (b"jxl ", f"a JPEG XL image: {_CONVERT}"),
    (b"M4A ", _AUDIO),
)
_RIFF_TYPES = {b"AVI ": _VIDEO}


def describe(data: bytes) -> str:
    """Return what an unsupported file is, and what to do with it where that is known."""
    for signature, description in _SIGNATURES:
        if data.startswith(signature):
            return description
    if data[4:8] == b"ftyp":  # ISO base media: HEIF and MP4
        return _describe_iso(data)
    if data[:4] == b"RIFF":
        return _RIFF_TYPES.get(data[8:12], _AUDIO)
    head = data[:1024]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # accepts a character cut at the end
    except UnicodeDecodeError:
        return _not_an_image()
    if b"\0" in head:
        return _not_an_image()
    return "an SVG drawing: save it as PNG" if b"<svg" in head else "text, not an image"


def _describe_iso(data: bytes) -> str:
    """Describe an ISO base media file by its major brand; by those that it is compatible with where that is general."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    major, compatible = data[8:12], {data[place : place + 4] for place in range(16, size, 4)}
    general = major in (b"mif1", b"mif2", b"miaf", b"msf1")
    known = (text for brand, text in _ISO_BRANDS if brand == major or (general and brand in compatible))
    return next(known, _VIDEO)


def _not_an_image() -> str:
    return f"not an image of a supported format ({supported_formats()})"
