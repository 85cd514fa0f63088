"""Attributes and final states of trials."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.studies import ask, open_small
from impasto.errors import ImpastoError
from impasto.tuning.trials import (
    attempt,
    finish_trial,
    original_number,
    run_name,
    storage_errors,
    trial_attributes,
)


def test_attributes_of_the_version_before_have_their_new_names(tmp_path: Path) -> None:
    trial = ask(open_small(tmp_path, journal=True))
    old = {"looks": {"0.1": 0.3}, "wrong": "no memory", "seen": 9.0, "tries": 2, "retry_of": 7, "worker": "a/1/2"}
    for name, value in old.items():
        trial.set_user_attr(name, value)
    assert trial_attributes(trial) == {
        "rung_scores": {"0.1": 0.3}, "error": "no memory", "last_heartbeat": 9.0, "attempt": 2, "retry_of": 7,
        "worker": "a/1/2",
    }  # fmt: skip
    assert (original_number(trial), attempt(trial)) == (7, 2)


def test_a_value_that_is_not_a_number_is_an_error_and_not_a_dead_trial(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    with pytest.raises(ValueError, match="nan"):
        finish_trial(study, ask(study), "COMPLETE", [float("nan")])


@pytest.mark.parametrize(
    "attributes",
    [
        {"worker": 7}, {"rung_scores": {"../x": 1.0}}, {"rung_scores": []}, {"seconds": "long"}, {"retry_of": "../x"},
        {"retry_of": 10**30}, {"retry_of": -1}, {"attempt": []}, {"error": ["\x1b[2J"]}, {"run": None},
    ],
)  # fmt: skip
def test_attributes_that_another_program_wrote_are_refused_in_one_line(
    tmp_path: Path, attributes: dict[str, Any]
) -> None:
    trial = ask(open_small(tmp_path, journal=True))
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
    with pytest.raises(ImpastoError, match=r"Trial 0 has an attribute in the storage that impasto did not write"):
        trial_attributes(trial)


def test_the_run_folder_is_computed_and_the_same_for_all_attempts(tmp_path: Path) -> None:
    trial = ask(open_small(tmp_path, journal=True))
    trial.set_user_attr("run", "/etc")
    assert run_name("s", trial) == "trials/s/0000"
    trial.set_user_attr("retry_of", 12)
    assert run_name("s", trial) == "trials/s/0012"


def test_what_reading_unexpected_values_raises_names_the_study(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    with pytest.raises(ImpastoError, match="storage of study 's' holds values"), storage_errors(study):
        raise KeyError("x")
