"""Each source image is beside its own translation."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fixtures import invented_runs as invented
from impasto.data.image_grid import tile
from impasto.reports.pairs import BETWEEN, WITHIN, final_pairs, make_pairs, pair_grid, sample_pairs
from impasto.reports.run_record import RunRecord

SIZE = 16


def flat(*shades: int) -> NDArray[np.uint8]:
    """Grey pictures."""
    return np.stack([np.full((SIZE, SIZE, 3), shade, np.uint8) for shade in shades])


def shades(pairs: NDArray[np.uint8]) -> list[list[int]]:
    """What a pair is made of, to the next ten."""
    middles = pairs[:, SIZE // 2, [SIZE // 2, -SIZE // 2], 0]
    return [[round(shade / 10) * 10 for shade in pair] for pair in middles.tolist()]


def run(folder: Path, photos: NDArray[np.uint8], paintings: NDArray[np.uint8], translates: bool = True) -> RunRecord:
    facts = {"photos": invented.PHOTOS | {"size": SIZE}} if translates else {}
    made = invented.begin(folder / "run", size=SIZE, **facts)
    (made / "samples").mkdir()
    for name, pictures in (("photos", photos), ("step-00000007", paintings)):
        tile(pictures).save(made / "samples" / f"{name}.jpg", quality=95)
    both = np.stack([photos, paintings], axis=1).reshape(-1, *photos.shape[1:])
    tile(both, columns=4).save(made / "paintings.jpg", quality=95)
    return RunRecord.read(made)


def test_the_source_is_left_and_the_translation_right(tmp_path: Path) -> None:
    record = run(tmp_path, flat(10, 20, 30, 40, 50), flat(110, 120, 130, 140, 150))
    expected = [[10, 110], [20, 120], [30, 130], [40, 140], [50, 150]]
    of_samples = sample_pairs(record, record.samples[-1])
    assert of_samples is not None
    assert shades(of_samples) == shades(final_pairs(record)) == expected
    assert of_samples.shape == (5, SIZE, 2 * SIZE + WITHIN, 3)


def test_white_translations_are_kept_and_empty_cells_dropped() -> None:
    assert shades(make_pairs(flat(10, 20, 255), flat(255, 255, 255))) == [[10, 260], [20, 260]]
    assert len(make_pairs(flat(255), flat(255))) == 0


def test_there_are_no_pairs_without_source_images(tmp_path: Path) -> None:
    noise = run(tmp_path, flat(1, 2), flat(3, 4), translates=False)
    assert sample_pairs(noise, noise.samples[-1]) is None
    (tmp_path / "other").mkdir()
    forgotten = run(tmp_path / "other", flat(1, 2), flat(3, 4))
    forgotten.photos.unlink()
    assert sample_pairs(forgotten, forgotten.samples[-1]) is None


def test_gaps_between_pairs_are_wider_than_within(tmp_path: Path) -> None:
    assert WITHIN < BETWEEN
    pairs = make_pairs(flat(*range(0, 160, 10)), flat(*range(0, 160, 10)))
    assert pair_grid(pairs, columns=4).size == (4 * (2 * SIZE + WITHIN) + 3 * BETWEEN, 4 * SIZE + 3 * BETWEEN)


def test_a_grid_without_columns_is_about_square() -> None:
    for count in (2, 8, 16, 18, 64):
        whole: Image.Image = pair_grid(np.zeros((count, 256, 512 + WITHIN, 3), np.uint8))
        assert 0.9 < whole.width / whole.height < 1.1
    assert pair_grid(np.zeros((1, 256, 512 + WITHIN, 3), np.uint8)).height == 256
