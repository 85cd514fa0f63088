"""Formats that Pillow decodes: each file that Pillow writes is identified by its first bytes, and by those alone."""

import io

import pytest
from PIL import Image

from impasto.data.formats import IMAGE_FORMATS, identify


@pytest.mark.parametrize("name", sorted({*IMAGE_FORMATS} - {"HEIC"}))  # which Pillow does not write
def test_a_file_is_identified_by_its_first_32_bytes(name: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (5, 4)).save(file, name)
    assert identify(file.getvalue()[:32]) == name
    with IMAGE_FORMATS[name].open(file.getvalue()) as image:
        assert image.size == (5, 4)


def test_big_endian_and_big_tiff_are_tiff() -> None:
    assert {identify(head + bytes(28)) for head in (b"MM\0*", b"II*\0", b"MM\0+", b"II+\0")} == {"TIFF"}


@pytest.mark.parametrize("head", [b"", b"RIFF\0\0\0\0WAVE", b"plain text", b"PK\x03\x04"])
def test_other_files_have_no_format(head: bytes) -> None:
    assert identify(head) is None
