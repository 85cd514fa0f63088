"""Directories are read and written again in every layout."""

import numpy as np
import pytest

from fixtures.tiff_files import Order, tiff
from impasto.data.formats.tiff_directories import PHOTOMETRIC, SAMPLE_FORMAT, begin_with, read_directories

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)
IMAGE_WIDTH, STRIP_OFFSETS = 256, 273


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])
def test_a_chosen_directory_is_alone_in_the_file_with_its_changes(order: Order, big: bool) -> None:
    data = tiff((PIXELS, {254: 1}), (PIXELS[:, :2], {262: 0, 339: None}), order=order, big=big)
    thumbnail, main = read_directories(data)
    assert (thumbnail.is_reduced, main.is_reduced) == (True, False)
    assert main.first(PHOTOMETRIC) == 0 and main.first(SAMPLE_FORMAT) == -1
    (alone,) = read_directories(begin_with(data, main, {PHOTOMETRIC: 1, SAMPLE_FORMAT: 2}))
    assert (alone.first(PHOTOMETRIC), alone.first(SAMPLE_FORMAT)) == (1, 2)
    assert list(alone.entries) == sorted(alone.entries) and SAMPLE_FORMAT in alone.entries
    for tag in (IMAGE_WIDTH, STRIP_OFFSETS):
        assert alone.entries[tag] == main.entries[tag] != thumbnail.entries[tag]


@pytest.mark.parametrize("length", range(0, 180, 7))
def test_a_truncated_file_has_the_directories_before_its_end(length: int) -> None:
    data = tiff((PIXELS, {}), (PIXELS, {}))
    assert len(read_directories(data)) == 2
    assert len(read_directories(data[:length])) <= 1
