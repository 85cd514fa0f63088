"""Resampling keeps the content of an image."""

import numpy as np

from impasto.inference.resample import resize


def test_resizing_keeps_the_content() -> None:
    smooth = np.add.outer(np.arange(64), np.arange(48))[None, ..., None].repeat(3, -1).astype(np.uint8)
    small = resize(smooth, 32, 24)
    assert small.shape == (1, 32, 24, 3)
    assert np.abs(small.astype(float) - (smooth[:, ::2, ::2].astype(float) + 1)).max() <= 1
