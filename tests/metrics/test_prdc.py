import numpy as np
import pytest
import torch

from impasto.metrics import prdc as module
from impasto.metrics.prdc import Manifold, prdc


def features(seed: int, count: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 16)) + shift


def means(fakes: np.ndarray, reals: np.ndarray) -> dict[str, float]:
    return {name: float(each.mean()) for name, each in vars(prdc(Manifold(fakes), Manifold(reals))).items()}


def test_precision_and_recall_are_the_papers_with_three_neighbours() -> None:
    """Kynkäänniemi et al. 2019, equation 1, written with torch.cdist, as torch-fidelity computes it."""
    fakes, reals = features(1, 90, 0.4), features(2, 70)
    f, r = torch.from_numpy(fakes), torch.from_numpy(reals)
    ball_f, ball_r = (torch.cdist(x, x).kthvalue(4).values for x in (f, r))
    found = means(fakes, reals)
    assert found["precision"] == (torch.cdist(f, r) <= ball_r).any(1).double().mean().item()
    assert found["recall"] == (torch.cdist(r, f) <= ball_f).any(1).double().mean().item()
    assert 0.1 < found["precision"] < 0.9 and 0.1 < found["recall"] < 0.9


def test_density_and_coverage_are_the_papers_with_five_neighbours() -> None:
    """Naeem et al. 2020, equations 3 and 5, picture by picture."""
    fakes, reals = features(1, 40, 0.4), features(2, 30)
    among = np.linalg.norm(reals[:, None] - reals[None], axis=2)
    radii = np.sort(among, axis=1)[:, 5]
    across = np.linalg.norm(reals[:, None] - fakes[None], axis=2)  # (M, N)
    found = means(fakes, reals)
    assert found["density"] == pytest.approx(sum((across[:, j] <= radii).sum() for j in range(40)) / (5 * 40))
    assert found["coverage"] == pytest.approx(np.mean([across[i].min() <= radii[i] for i in range(30)]))


def test_distant_fakes_have_neither_fidelity_nor_diversity() -> None:
    assert means(features(1, 20, 50), features(2, 20)) == dict.fromkeys(
        ["precision", "recall", "density", "coverage"], 0.0
    )


def test_mode_collapse_has_fidelity_without_diversity() -> None:
    reals = features(2, 200)
    fakes = reals[:1] + 1e-3 * features(1, 50)
    found = means(fakes, reals)
    assert found["precision"] == 1 and found["recall"] < 0.05 and found["coverage"] < 0.2


def test_results_do_not_depend_on_order_or_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes, reals = features(1, 50, 0.3), features(2, 60)
    whole = means(fakes, reals)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert means(fakes[::-1], reals[np.random.default_rng(0).permutation(60)]) == pytest.approx(whole)
