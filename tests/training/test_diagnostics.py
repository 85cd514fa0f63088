import pytest

from impasto.training.diagnostics import diagnose, memorises


@pytest.mark.parametrize(
    ("real", "heldout", "images", "expected"),
    [
        (0.95, 0.40, 30, True),
        (0.95, 0.90, 30, False),  # a gap too narrow
        (0.80, 0.60, 10, False),  # wide, but within the error of ten images
        (0.80, 0.60, 100, True),
        (0.40, 0.90, 30, False),
    ],
)
def test_memorising_is_a_wide_and_significant_gap(real: float, heldout: float, images: int, expected: bool) -> None:
    assert memorises(real, heldout, images) is expected


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        (0.97, 0.99, "separates real from fake easily"),
        (0.55, 0.52, "near chance: healthy"),
        (0.92, 0.02, "most fakes for real"),
        (0.95, 0.35, "most fakes for real"),
        (0.30, 0.99, "most real paintings for fake"),
        (0.80, 0.75, "often fooled"),
    ],
)
def test_every_pair_of_accuracies_has_a_diagnosis(real: float, fake: float, expected: str) -> None:
    assert expected in diagnose(real, fake)
