"""Diagnostics follow from the log."""

from pathlib import Path
from typing import Any

import pytest

from fixtures import invented_runs as invented
from impasto.reports.diagnostics import Diagnostics
from impasto.reports.run_record import RunRecord


def standing(folder: Path, rows: list[dict[str, Any]], heldout: int = 30) -> Diagnostics | None:
    run = invented.begin(folder / "run", source=invented.FACTS["paintings"] | {"heldout": heldout})
    invented.write_log(run, rows)
    return Diagnostics.of(RunRecord.read(run))


def duel(folder: Path, heldout: int = 30, **measures: float) -> str:
    stands = standing(folder, [{"step": step, "pictures": step} | measures for step in range(1, 51)], heldout)
    assert stands is not None
    return stands.sentences()[0].replace("\N{NO-BREAK SPACE}", " ")


def test_there_are_no_diagnostics_before_the_first_step(tmp_path: Path) -> None:
    assert standing(tmp_path, []) is None


def test_a_gap_between_training_and_held_out_accuracy_is_overfitting(tmp_path: Path) -> None:
    assert duel(tmp_path, accuracy_real=0.93, accuracy_fake=0.9, accuracy_heldout=0.55) == (
        "Discriminator accuracy: 93 % on training paintings, 55 % on the 30 held-out ones, 90 % on fakes. It is "
        "overfitting: it memorises the training paintings."
    )


def test_a_gap_within_the_error_of_four_held_out_images_is_not_overfitting(tmp_path: Path) -> None:
    said = duel(tmp_path, heldout=4, accuracy_real=0.75, accuracy_fake=0.7, accuracy_heldout=0.5)
    assert "overfitting" not in said
    assert "50 % on the 4 held-out ones" in said


@pytest.mark.parametrize(
    ("real", "fake", "diagnosis"),
    [(0.55, 0.52, "near chance: healthy"), (0.4, 0.95, "takes most real paintings for fake")],
)
def test_the_diagnosis_of_the_accuracies_is_stated(tmp_path: Path, real: float, fake: float, diagnosis: str) -> None:
    assert duel(tmp_path, accuracy_real=real, accuracy_fake=fake).endswith(f"({diagnosis}).")


def test_runs_without_accuracies_say_so(tmp_path: Path) -> None:
    assert "logs no discriminator accuracy" in duel(tmp_path, loss_cycle=1.0)


def test_low_diversity_is_reported_as_mode_collapse(tmp_path: Path) -> None:
    rows = [{"step": step, "accuracy_real": 0.8, "accuracy_fake": 0.8, "diversity_ratio": 0.2} for step in range(1, 30)]
    stands = standing(tmp_path, rows)
    assert stands is not None
    assert "mode collapse" in stands.sentences()[1]


def test_low_diversity_of_translations_may_be_low_contrast(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run", photos=invented.PHOTOS)
    invented.write_log(
        run, [{"step": step, "accuracy_real": 0.8, "accuracy_fake": 0.8, "diversity_ratio": 0.2} for step in (1, 2)]
    )
    stands = Diagnostics.of(RunRecord.read(run))
    assert stands is not None
    assert "low contrast or mode collapse" in stands.sentences()[1]


def test_only_recent_steps_are_averaged(tmp_path: Path) -> None:
    rows = [{"step": step, "accuracy_real": 0.0 if step <= 950 else 1.0} for step in range(1, 1001)]
    stands = standing(tmp_path, rows)
    assert stands is not None
    assert stands.real == 1.0
    assert stands.steps == (951, 1000)
