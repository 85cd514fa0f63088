"""Attributes and final states of trials."""

from pathlib import Path

import pytest

from fixtures.studies import ask, open_small
from impasto.tuning.trials import attempt, finish_trial, original_number, trial_attributes


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
