from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.noise_images import NETWORK, write_noise_folder
from impasto.metrics import moments
from impasto.metrics.evaluation import SHARED_NEAREST, SUSPECTS, evaluate_images, select_suspects
from impasto.metrics.image_sets import FileImages


def test_suspects_are_the_nearest_fakes_but_few_per_real() -> None:
    distances = np.array([0.1, 0.11, 0.12, 0.13, 0.5, 0.05, 0.2])
    reals = np.array([7, 7, 7, 7, 3, 1, 3])
    assert select_suspects(distances, reals).tolist() == [5, 0, 1, 6, 4]


def test_the_number_of_suspects_is_limited() -> None:
    distances = np.linspace(0, 1, 100)
    assert len(select_suspects(distances, np.zeros(100, int))) == SHARED_NEAREST
    assert len(select_suspects(distances, np.arange(100) % 30)) == SUSPECTS


def test_of_many_images_all_are_in_the_frechet_distance_and_a_sample_in_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    fakes, reals = (write_noise_folder(tmp_path / name, 40, blocks, (32, 32)) for name, blocks in (("a", 8), ("b", 4)))
    (fakes / "5.png").write_text("no picture")
    one, other = (FileImages(str(each), 32, 40) for each in (fakes, reals))
    whole = evaluate_images(one, other, [NETWORK]).evaluation.scores[0]
    monkeypatch.setattr(moments, "MAX_SAMPLE", 20)
    for _ in range(2):  # computed, and from the cache
        one, other = (FileImages(str(each), 32, 40) for each in (fakes, reals))
        found = evaluate_images(one, other, [NETWORK]).evaluation
        (scores,) = found.scores
        assert (scores.fakes, scores.reals, scores.sample, found.fakes.scored) == (39, 40, (19, 20), 39)
        assert scores.values["FD"].value == pytest.approx(whole.values["FD"].value, rel=1e-9)
        assert scores.values["FD"].floor is not None and scores.values["KID"].value != whole.values["KID"].value
        for each in (one, other):
            names = each.names()
            assert (each.pick([18])[0] == np.asarray(Image.open(f"{each.spec}/{names[18]}"))).all()
        assert {each.fake for each in found.copies.suspects} <= set(one.names())
