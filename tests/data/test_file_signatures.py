"""Files that are not supported images are described, with what to do."""

import pytest

from impasto.data.entry import CAMERA_RAW
from impasto.data.file_signatures import describe

SEQUENCE = "image sequence: save one image of it as PNG or JPEG, or all of it as a video"


@pytest.mark.parametrize(
    ("data", "description"),
    [
        ("Ein Text über Bilder".encode(), "text, not an image"),
        ("ü".encode() * 600, "text, not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing: save it as PNG"),
        (b"\0\0\0\x18ftypavis\0\0\0\0avifmif1", f"an AVIF {SEQUENCE}"),
        (b"\0\0\0\x20ftypmsf1\0\0\0\0msf1avismiafavif", f"an AVIF {SEQUENCE}"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1xxxx", "a HEIF image: save it as PNG or JPEG"),
        (b"\0\0\0\x18ftyphevc\0\0\0\0hevcmsf1", f"a HEIC {SEQUENCE}"),
        (b"\0\0\0\x1cftypisom\0\0\0\0isommif1avif", "a video, not an image"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", CAMERA_RAW),
        (b"IIRO\x08\0\0\0", CAMERA_RAW),
        (b"FUJIFILMCCD-RAW 0201", CAMERA_RAW),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL image: save it as PNG or JPEG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image: save it as PNG or JPEG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image: save it as PNG or JPEG"),
        (b"\xff\x4f\xff\x51\0\x2f", "a JPEG 2000 image: save it as PNG or JPEG"),
        (b"II\xbc\x01\x20\0\0\0", "a JPEG XR image: save it as PNG or JPEG"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video, not an image"),
        (b"RIFF\0\0\0\0AVI ", "a video, not an image"),
        (b"RIFF\0\0\0\0WAVE", "audio, not an image"),
        (b"PK\x03\x04" + b"\0" * 30, "a zip inside the data set: give it as a source of its own"),
        (b"8BPS\0\1", "a Photoshop file: save it as PNG or JPEG"),
    ],
)
def test_an_unsupported_file_is_described(data: bytes, description: str) -> None:
    assert describe(data) == description


@pytest.mark.parametrize("data", [bytes(range(256)), b"text\0with a zero byte"])
def test_an_unknown_file_is_told_which_formats_are_supported(data: bytes) -> None:
    assert describe(data).startswith("not an image of a supported format (AVIF, BMP, GIF, HEIC, JPEG, PNG, ")
