"""A study is shared by processes that may die."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from filelock import FileLock, Timeout
from optuna.trial import TrialState

from fixtures.command import ROOT
from fixtures.studies import OWN, SPACE, begin, begun
from impasto.errors import ImpastoError
from impasto.tuning.study import (
    RETRIES,
    RUNGS,
    alive,
    bury_the_dead,
    finish,
    importance,
    open_storage,
    open_study,
    pulse,
    put_back,
    require_same_pictures,
    settings,
    tries,
    turn,
    wanted,
    worker,
)


def test_the_first_trial_has_the_recipes_own_settings_and_the_next_draws_within_the_space(tmp_path: Path) -> None:
    study = begun(tmp_path)
    assert settings(begin(study), SPACE) == OWN
    for _ in range(8):
        drawn = settings(begin(study), SPACE)
        assert 1e-5 <= drawn["generator.lr"] <= 1e-2
        assert drawn["batch"] in (4, 8, 16) and drawn["generator.betas"] in ([0.5, 0.999], [0.0, 0.99])
        assert isinstance(drawn["generator.depth"], int) and 4 <= drawn["generator.depth"] <= 10


def test_a_search_of_the_same_seed_draws_the_same_and_no_two_trials_do(tmp_path: Path) -> None:
    drawn = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        study = begun(tmp_path / name)
        drawn.append([settings(begin(study), SPACE) for _ in range(5)])
    assert drawn[0] == drawn[1]
    assert len({str(each) for each in drawn[0]}) == 5


def test_the_search_finds_what_is_better_than_chance(tmp_path: Path) -> None:
    """TPE over a smooth bowl: its second half lies nearer to the bottom than its first, drawn at random."""
    study = begun(tmp_path)
    values = []
    for _ in range(40):
        trial = begin(study)
        drawn = settings(trial, SPACE)
        value = abs(drawn["generator.lr"] - 1e-3) * 100 + abs(drawn["generator.depth"] - 9) / 3
        values.append(value)
        trial.set_user_attr("looks", {str(RUNGS[0]): value})
        assert finish(study, trial, "COMPLETE", [value])
    assert sum(values[20:]) < 0.6 * sum(values[:20])
    told = importance(study)
    assert set(told) == set(SPACE) and max(told, key=lambda name: told[name]) in ("generator.lr", "generator.depth")


def test_of_three_that_reach_a_rung_one_goes_on(tmp_path: Path) -> None:
    study = begun(tmp_path)
    went_on = []
    for score in (0.5, 0.6, 0.4, 0.7, 0.3, 0.45):
        trial = begin(study)
        trial.report(score, 1)
        went_on.append(not trial.should_prune())
    assert went_on == [True, False, True, False, True, False]
    assert RUNGS == (1 / 9, 1 / 3, 1.0)


@pytest.mark.parametrize("journal", [False, True])
def test_a_trial_of_a_process_that_died_is_tried_again_with_the_same_settings(tmp_path: Path, journal: bool) -> None:
    """A real process begins a trial and is killed."""
    code = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from fixtures.studies import begin, begun
from impasto.tuning.study import finish, pulse
study = begun(Path({str(tmp_path)!r}), {journal})
finish(study, begin(study), "COMPLETE", [0.5]); trial = begin(study)
trial.set_user_attr("run", "0001")
trial.report(0.7, 1)
with pulse(trial):
    print(trial.params, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert died.returncode == -9, died.stderr
    study = begun(tmp_path, journal)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    said: list[str] = []
    bury_the_dead(study, said.append)
    assert said == ["Trial 1 died; what it had learned is gone on with."]
    again = begin(study)
    assert str(again.params) == died.stdout.strip()
    assert again.user_attrs["retry_of"] == 1 and again.user_attrs["run"] == "0001"
    assert study.trials[again.number].intermediate_values == {1: 0.7}


def test_who_gives_signs_of_life_is_left_alone(tmp_path: Path) -> None:
    study = begun(tmp_path)
    trial = begin(study)
    with pulse(trial):
        bury_the_dead(study, pytest.fail)
        (running,) = study.trials
        assert alive(running) and running.user_attrs["worker"] == worker()
    other = begin(study)
    other.set_user_attr("worker", f"elsewhere/{os.getpid()}/{psutil.Process().create_time():.0f}")
    other.set_user_attr("seen", time.time() - 30)
    assert alive(study.trials[1])
    other.set_user_attr("seen", time.time() - 3600)
    assert not alive(study.trials[1])


def test_what_kills_every_process_is_not_tried_for_ever(tmp_path: Path) -> None:
    study = begun(tmp_path)
    tried = 0
    while wanted(study, 1):
        trial = begin(study)
        tried += 1
        put_back(study, trial, tries(trial) + 1)
    assert tried == 1 + RETRIES
    assert Counter(trial.state for trial in study.trials) == {TrialState.FAIL: tried}


def test_who_stops_a_search_on_purpose_may_do_so_as_often_as_he_likes(tmp_path: Path) -> None:
    study = begun(tmp_path)
    for _ in range(3 * RETRIES):
        assert put_back(study, begin(study))
    assert wanted(study, 1) and settings(begin(study), SPACE) == OWN


def test_a_score_that_is_no_number_is_not_taken_for_a_death(tmp_path: Path) -> None:
    study = begun(tmp_path)
    with pytest.raises(ValueError, match="nan"):
        finish(study, begin(study), "COMPLETE", [float("nan")])


def test_other_pictures_are_refused(tmp_path: Path) -> None:
    study = begun(tmp_path)
    require_same_pictures(study, {"paintings": "a", "photos": "b"})
    require_same_pictures(begun(tmp_path), {"paintings": "a", "photos": "b"})
    with pytest.raises(ImpastoError, match="These photos are not those"):
        require_same_pictures(study, {"paintings": "a", "photos": "c"})


def test_one_process_at_a_time_asks_sqlite_for_a_trial(tmp_path: Path) -> None:
    where = f"sqlite:///{tmp_path / 'study.db'}"
    with turn(where), pytest.raises(Timeout), FileLock(tmp_path / "study.db.lock", timeout=0):
        pass
    with turn("postgresql://host/name"):
        assert [path.name for path in tmp_path.iterdir()] in ([], ["study.db.lock"])


def test_a_trial_that_was_given_up_by_another_process_does_not_count_twice(tmp_path: Path) -> None:
    study = begun(tmp_path)
    trial = begin(study)
    assert put_back(study, trial) and not put_back(study, trial)
    assert not finish(study, trial, "COMPLETE", [0.1])
    assert [each.state.name for each in study.trials] == ["FAIL", "WAITING"]
    assert wanted(study, 1)


def test_a_study_begun_otherwise_is_not_mixed_with(tmp_path: Path) -> None:
    begun(tmp_path, budget="10m", seeds=1)
    begun(tmp_path, budget="10m", seeds=1)
    with pytest.raises(ImpastoError, match=r"begun with another budget: name another with --study"):
        begun(tmp_path, budget="20m", seeds=1)


def test_a_storage_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.log").mkdir()
    (tmp_path / "broken.log").write_text("not a journal\n")
    for name in ("study.txt", "folder.log", "broken.log"):
        with pytest.raises(ImpastoError, match=r"storage|journal"):
            open_study(open_storage(str(tmp_path / name)), "s", 1, {})
    for where in ("nonsense://x", f"sqlite:///{tmp_path}"):
        with pytest.raises(ImpastoError, match="storage"):
            open_storage(where)


def test_processes_that_begin_a_study_at_the_same_moment_share_it(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from fixtures.studies import begin, begun
time.sleep(max(0, float(sys.argv[1]) - time.time()))
begin(begun(Path({str(tmp_path)!r})))
"""
    together = str(time.time() + 8)
    started = [subprocess.Popen([sys.executable, "-c", code, together], stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    trials = begun(tmp_path).trials
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert settings(trials[0], SPACE) == OWN
    assert len({str(trial.params) for trial in trials}) == 3
