"""Samples made by several processes together."""

from pathlib import Path

import numpy as np
import pytest

from fixtures.data_parallel import several
from fixtures.shared_samples import COUNT, make_samples
from impasto.parallel import Processes
from impasto.training.samples import grid_count


@pytest.mark.long
def test_three_processes_make_the_samples_and_features_that_one_makes(tmp_path: Path) -> None:
    """Bit for bit where each has whole batches, of unequal number."""
    alone = make_samples(Processes(), tmp_path / "alone")
    together, *others = several(3, make_samples, tmp_path / "together")
    assert not any(others)
    for name, made in alone.items():
        for one, other in zip(made, together[name], strict=True):
            assert one.shape == other.shape and one.dtype == other.dtype
            if name == "a batch of 64":  # divided, so sums may be rounded to another pixel value
                assert np.abs(one.astype(float) - other).max() <= max(1, 0.02 * one.std())
            else:
                assert np.array_equal(one, other), name
        assert max(np.ptp(each) for each in made if each.dtype == np.uint8) > 50 and len(made[-1]) == COUNT


def test_sample_grids_stay_about_a_thousand_pixels_wide() -> None:
    assert [grid_count(size) for size in (16, 64, 128, 256, 512)] == [64, 64, 64, 16, 4]
