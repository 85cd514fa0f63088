"""A study's results: best trials, time saved by pruning, changed settings and bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.synthetic_tuning import BASELINE, RUNGS, pruned, study, trial
from impasto.config import migrations
from impasto.config.search_space import Choice, Range
from impasto.reports.tuning_results import Tuning, format_setting, format_space, position_in_range


def test_a_pruned_trial_is_never_the_best_however_low_its_score() -> None:
    low = pruned(3, 1).model_copy(update={"rung_scores": {RUNGS[0]: 0.0001}})
    found = study([trial(0), trial(1), low])
    assert found.best_trial is not None
    assert found.best_trial.number == 0
    assert found.model_copy(update={"best": [3]}).best_trial is None


def test_pruning_at_a_third_of_the_budget_saves_two_thirds_of_a_trial() -> None:
    assert study([trial(0), pruned(1, 1)]).saved_by_pruning == pytest.approx(600 / 1800)


def test_pruning_in_the_first_training_also_saves_those_of_the_other_seeds() -> None:
    found = study([trial(0, seconds=2700.0), pruned(1, 1)], seeds=3)
    assert found.saved_by_pruning == pytest.approx(2400 / (2 * 2700))


@given(st.lists(st.floats(0.05, 0.95), min_size=1, max_size=20), st.integers(1, 20))
def test_pruning_equally_long_trials_saves_the_unused_shares_of_their_budgets(
    shares: list[float], complete: int
) -> None:
    ended = [trial(number, seconds=500.0) for number in range(complete)]
    cut = [trial(50, "pruned", rung_scores={0.01: 0.2, share: 0.1}, seconds=500.0 * share) for share in shares]
    expected = sum(1 - share for share in shares) / (complete + len(shares))
    assert study([*ended, *cut]).saved_by_pruning == pytest.approx(expected)


def test_a_pruned_trial_without_a_score_counts_as_nothing_saved() -> None:
    assert study([trial(0), trial(1, "pruned")]).saved_by_pruning == 0


def test_a_complete_retry_of_the_baseline_is_the_baseline() -> None:
    retry = trial(9, settings=BASELINE, baseline=True, retry_of=0)
    found = study([trial(0, "failed"), trial(1), retry])
    assert found.baseline == retry


def test_a_best_value_at_a_bound_of_its_range_is_found() -> None:
    settings = BASELINE | {"generator.lr": 9.9e-4, "contrast.weight": 0.6, "discriminator.lr": 1e-4}
    found = study([trial(0), trial(1, settings=settings, values=[0.01])])
    assert found.at_bounds == [("generator.lr", "upper"), ("contrast.weight", "lower")]


def test_a_value_of_the_baseline_does_not_count_as_at_a_bound() -> None:
    assert study([trial(0, values=[0.001]), trial(1)]).at_bounds == []  # diffaugment.color 0, of 0 to 1


@given(st.floats(1e-6, 1.0), st.floats(1.1, 1e4), st.floats(0, 1))
def test_positions_in_a_log_range_are_linear_in_the_logarithm(low: float, ratio: float, position: float) -> None:
    space = Range(low=low, high=low * ratio, log=True)
    assert position_in_range(space, low * ratio**position) == pytest.approx(position, abs=1e-6)


def test_settings_are_formatted_as_in_yaml_with_three_digits() -> None:
    assert [format_setting(each) for each in (0.00002, 123456.0, 64, True, None, "lsgan", [0.5, 0.999])] == [
        "2e-5", "1.23e+5", "64", "true", "null", "lsgan", "[0.5, 0.999]",
    ]  # fmt: skip
    assert format_space(Choice(choices=("lsgan", None, 2))) == "lsgan, null, 2"
    assert format_space(Range(low=1, high=8)) == "1 to 8"
    assert format_space(Range(low=1e-5, high=1e-3, log=True)) == "1e-5 to 0.001 (log)"


def test_values_that_are_not_finite_are_stored_but_never_the_best() -> None:
    diverged = trial(1, values=[float("inf")], rung_scores={0.1: float("nan"), 0.3: float("inf")})
    found = study([trial(0), diverged], best=[0])
    stored = Tuning.model_validate_json(found.model_dump_json())
    assert stored.trials[1].values == diverged.values
    assert stored.trials[1].last_score is None
    assert [each.number for each in stored.complete] == [0]


def test_results_survive_the_round_trip_through_json() -> None:
    found = study()
    assert Tuning.model_validate_json(found.model_dump_json()) == found


def test_results_of_the_version_before_are_read() -> None:
    names = {"rung_scores": "looks", "error": "wrong", "baseline": "own"}
    values = study().model_dump(mode="json")
    values["trials"] = [{names.get(name, name): value for name, value in each.items()} for each in values["trials"]]
    assert Tuning.model_validate(migrations.tuning(values)) == study()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://monet:gi/ver:ny@host/db", "mysql://monet:***@host/db"),
        ("postgresql+psycopg://monet:give@rny@host:5432/db", "postgresql+psycopg://monet:***@host:5432/db"),
        ("sqlite:///runs/a:b@c.db", "sqlite:///runs/a:b@c.db"),
    ],
)
def test_passwords_are_not_stored(url: str, shown: str) -> None:
    assert study(storage=url).storage == shown
    assert shown in study(storage=url).model_dump_json()
