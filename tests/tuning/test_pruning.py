"""Asynchronous successive halving: after each rung a third of the trials continue."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from fixtures.studies import ask, open_small
from impasto.metrics.candidates import Candidate
from impasto.metrics.memorisation_finding import MemorisationFinding
from impasto.metrics.results import DECIDING_METRIC, Scores, Value
from impasto.tuning.pruning import RUNGS, pruning_observer, scoring_observer
from impasto.tuning.trials import trial_attributes


def scores(value: float, copies: float = 0.0) -> Candidate:
    found = Scores(network="alexnet", size=64, fakes=8, reals=8, values={DECIDING_METRIC: Value(value=value)})
    return Candidate(scores=found, memorisation=MemorisationFinding("some" if copies else "none", "", copies))


def continues(study: optuna.Study, value: float, share: float = RUNGS[0], **options: Any) -> bool:
    return pruning_observer(ask(study), **{"prune": True} | options).on_scores(share, scores(value))


def test_one_of_three_trials_continues_after_a_rung(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    continues(study, 0.5)  # the baseline
    assert [continues(study, value) for value in (0.6, 0.4, 0.7, 0.3, 0.45)] == [False, True, False, True, False]
    assert RUNGS == (1 / 9, 1 / 3, 1.0)


def test_the_baseline_is_never_pruned(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    baseline = pruning_observer(ask(study), prune=True)
    for value in (0.1, 0.2, 0.3):
        continues(study, value)
    assert baseline.on_scores(RUNGS[0], scores(9.0))
    assert not continues(study, 9.0)


def test_with_several_objectives_no_trial_is_pruned(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    assert [continues(study, value, prune=False) for value in (0.1, 0.2, 0.3)] == [True] * 3


def test_no_trial_is_pruned_at_the_end_of_its_budget(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    assert [continues(study, value, 1.0) for value in (0.1, 0.2, 0.3)] == [True] * 3


def test_a_resumed_trial_may_reach_a_rung_twice(tmp_path: Path) -> None:
    trial = ask(open_small(tmp_path, journal=True))
    observer = pruning_observer(trial, prune=True)
    for share in (0.112, 0.112, 0.34, 1.0):  # steps are whole: shares are not exactly those of the rungs
        assert observer.on_scores(share, scores(share))
    assert trial_attributes(trial)["rung_scores"] == {str(RUNGS[0]): 0.112, str(RUNGS[1]): 0.34, str(RUNGS[2]): 1.0}
    assert trial.study.trials[0].intermediate_values == pytest.approx({1: 0.112, 3: 0.34, 9: 1.0})


def test_later_seeds_are_scored_at_the_rungs_but_not_pruned() -> None:
    assert scoring_observer().score_at == RUNGS
    assert scoring_observer().on_scores(RUNGS[0], scores(99.0))


def test_a_trial_that_reproduces_training_images_counts_as_worse_than_any_other(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    continues(study, 0.5)  # the baseline
    for value in (0.6, 0.7, 0.8, 0.9, 1.0):
        continues(study, value)
    copying = ask(study)
    assert not pruning_observer(copying, prune=True).on_scores(RUNGS[0], scores(0.001, copies=0.3))
    assert trial_attributes(copying)["copies"] == 0.3 and trial_attributes(copying)["rung_scores"] == {
        str(RUNGS[0]): 0.001
    }
    assert continues(study, 0.4)
