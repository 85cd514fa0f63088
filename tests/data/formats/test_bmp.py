"""Bitmaps: their fourth byte is often unset."""

import struct

import numpy as np
import pytest

from impasto.data.decode import decode

SCENE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
MASKS = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def bmp(alpha: int | np.ndarray, header: int) -> bytes:
    """Return a 32-bit bitmap with an alpha channel, whose header has that many bytes."""
    height, width = SCENE.shape[:2]
    pixels = np.empty((height, width, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = SCENE[..., ::-1], alpha
    info = struct.pack("<I2i2H6I", header, width, -height, 1, 32, 3, pixels.nbytes, 0, 0, 0, 0) + MASKS
    start = 14 + header
    return (
        b"BM" + struct.pack("<IHHI", start + pixels.nbytes, 0, 0, start) + info.ljust(header, b"\0") + pixels.tobytes()
    )


@pytest.mark.parametrize("header", [56, 108, 124])
def test_an_alpha_channel_of_zeros_is_none(header: int) -> None:
    assert (np.asarray(decode(bmp(0, header)).image) == SCENE).all()


def test_any_other_alpha_channel_is_composited_over_white() -> None:
    alpha = np.zeros(SCENE.shape[:2], np.uint8)
    alpha[0] = 255
    seen = np.asarray(decode(bmp(alpha, 124)).image)
    assert (seen[0] == SCENE[0]).all() and (seen[1:] == 255).all()
