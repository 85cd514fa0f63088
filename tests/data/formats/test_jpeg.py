"""JPEG: an absent end marker is no damage, absent pixels are; kinds that are not read are named."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from impasto.data.decode import decode
from impasto.data.entry import UnreadableError

SCENE = Image.effect_mandelbrot((90, 70), (-2, -1.2, 0.8, 1.2), 100).convert("RGB")
SCENE.paste((200, 30, 60), (20, 10, 60, 50))

KINDS: dict[str, dict[str, object]] = {
    "sequential": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 1},
    "grey": {"mode": "L"},
    "cmyk": {"mode": "CMYK"},
}


def jpeg(kind: str) -> bytes:
    options = dict(KINDS[kind])
    file = BytesIO()
    SCENE.convert(str(options.pop("mode", "RGB"))).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [b"", b"\xff", bytes(50)])
def test_a_file_without_its_end_marker_is_whole(kind: str, end: bytes) -> None:
    whole = jpeg(kind)
    assert whole.endswith(b"\xff\xd9")
    assert decode(whole[:-2] + end).image.tobytes() == decode(whole).image.tobytes()
    assert decode(whole[:-2] + end, 20).image.tobytes() == decode(whole, 20).image.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_some_of_its_pixels_is_truncated(kind: str) -> None:
    whole = jpeg(kind)
    start = whole.index(b"\xff\xda")
    for length in range(start + 20, len(whole) - 4, max(1, (len(whole) - start) // 150)):
        with pytest.raises(UnreadableError, match="truncated"):
            decode(whole[:length])


def test_a_progressive_file_without_its_last_scans_is_truncated() -> None:
    whole = jpeg("progressive")
    scans = [place for place in range(len(whole)) if whole[place : place + 2] in (b"\xff\xda", b"\xff\xc4")]
    for place in scans[2:]:
        with pytest.raises(UnreadableError, match="truncated"):
            decode(whole[:place])


def test_a_file_that_ends_at_a_restart_marker_is_truncated() -> None:
    whole = jpeg("restarts")
    markers = [place for place in range(len(whole) - 1) if whole[place] == 255 and 0xD0 <= whole[place + 1] <= 0xD7]
    assert len(markers) > 20
    for place in (*markers[:12], *markers[-12:]):
        for end in (0, 2):
            with pytest.raises(UnreadableError, match="truncated"):
                decode(whole[: place + end])


@pytest.mark.parametrize(
    ("marker", "bits", "kind"),
    [
        (0xC1, 12, "a JPEG of 12 bits per channel"),
        (0xC3, 16, "a lossless JPEG"),
        (0xC7, 8, "a lossless JPEG"),
        (0xF7, 8, "a JPEG-LS image"),
    ],
)
def test_a_kind_that_is_not_read_is_named(marker: int, bits: int, kind: str) -> None:
    frame = b"\xff" + bytes([marker]) + struct.pack(">HB2HB", 17, bits, 8, 8, 3) + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
    scan = b"\xff\xda" + struct.pack(">HB", 12, 3) + bytes([1, 0, 2, 0, 3, 0, 0, 63, 0])
    with pytest.raises(UnreadableError, match=f"^{kind}: save it as an 8-bit JPEG or PNG$"):
        decode(b"\xff\xd8" + frame + scan + bytes(40) + b"\xff\xd9")


def test_cmyk_is_inverted_with_and_without_adobes_marker() -> None:
    data = jpeg("cmyk")
    marker = data.index(b"\xff\xee\0\x0eAdobe")
    bare = data[:marker] + data[marker + 16 :]
    assert np.array_equal(np.asarray(decode(bare).image), np.asarray(decode(data).image))


def test_a_file_without_its_end_marker_is_reduced_like_a_whole_one() -> None:
    buffer = BytesIO()
    Image.new("RGB", (301, 201), "navy").save(buffer, "JPEG")
    for side in (25, 50, 100, 200, 400):
        whole, cut = decode(buffer.getvalue(), side), decode(buffer.getvalue()[:-2], side)
        assert (cut.image.size, cut.width, cut.height) == (whole.image.size, 301, 201)


def test_a_run_of_marker_bytes_takes_linear_time() -> None:
    """A megabyte takes milliseconds; with a time that grows with its square it would take an hour."""
    with pytest.raises(UnreadableError):
        decode(b"\xff\xd8" + b"\xff" * 1_000_000 + b"\0")
