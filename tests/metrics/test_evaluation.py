import numpy as np

from impasto.metrics.evaluation import SHARED_NEAREST, SUSPECTS, select_suspects


def test_suspects_are_the_nearest_fakes_but_few_per_real() -> None:
    distances = np.array([0.1, 0.11, 0.12, 0.13, 0.5, 0.05, 0.2])
    reals = np.array([7, 7, 7, 7, 3, 1, 3])
    assert select_suspects(distances, reals).tolist() == [5, 0, 1, 6, 4]


def test_the_number_of_suspects_is_limited() -> None:
    distances = np.linspace(0, 1, 100)
    assert len(select_suspects(distances, np.zeros(100, int))) == SHARED_NEAREST
    assert len(select_suspects(distances, np.arange(100) % 30)) == SUSPECTS
