"""Files that are not supported images are described, with what to do."""

import pytest

from impasto.data.file_signatures import describe


@pytest.mark.parametrize(
    ("data", "description"),
    [
        ("Ein Text über Bilder".encode(), "text, not an image"),
        ("ü".encode() * 600, "text, not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing: save it as PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC image: save it as PNG or JPEG"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF image: save it as PNG or JPEG"),
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
    assert describe(data).startswith("not an image of a supported format (BMP, GIF, JPEG, PNG, ")
