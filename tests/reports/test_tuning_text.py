"""Text of a study: the best trial, its advantage over the baseline, and caveats."""

from pathlib import Path

import pytest

from fixtures.parsed import plain, printed
from fixtures.synthetic_tuning import BASELINE, KID, pruned, study, trial, two_objectives
from impasto.reports.tuning_results import Tuning
from impasto.reports.tuning_text import caveats, confirmation_commands, pruning_summary, result, summary


def terminal(found: Tuning, out: Path = Path("runs/tuned")) -> str:
    return printed(summary(found, out))


def test_the_result_names_the_lowest_complete_trial_and_its_gain_over_the_baseline() -> None:
    found = study()
    ends = {each.number: each.values[0] for each in found.trials if each.values}
    lowest = min(ends, key=lambda number: ends[number])
    less = 100 * (1 - ends[lowest] / ends[0])
    assert plain(result(found)) == (
        f"Trial {lowest} is the best of {len(ends)} complete trials: {KID} {ends[lowest]:.4f}, "
        f"{less:.0f} % lower than the baseline's {ends[0]:.4f}."
    )


def test_a_baseline_that_no_trial_beats_is_the_best() -> None:
    found = study([trial(0, values=[0.01]), trial(1), trial(2)])
    assert result(found) == (
        f"The baseline (the recipe's own settings, trial 0) is the best: {KID} 0.0100, against 2 other complete trials."
    )
    assert found.changed_settings == []
    assert "→" not in terminal(found)


def test_no_percentage_is_given_for_a_best_below_zero() -> None:
    found = study([trial(0, values=[0.002]), trial(1, values=[-0.0001])])
    assert result(found).endswith(f"{KID} −0.000100; the baseline has 0.00200.")


def test_without_a_complete_trial_there_is_no_best() -> None:
    assert result(study([])) == "No trial has begun yet."
    found = study([trial(0, "running"), pruned(1, 0), trial(2, "waiting")])
    assert result(found) == "No trial is complete yet: 1 pruned, 1 running and 1 waiting."
    assert list(caveats(found)) == []
    assert "best.yaml" not in terminal(found)


def test_the_time_saved_is_reported_only_if_a_trial_was_pruned() -> None:
    assert plain(pruning_summary(study([trial(0), pruned(1, 1)]))) == "Pruning 1 trial saved 33 % of the time."
    assert study([trial(0), trial(1)]).saved_by_pruning is None
    assert pruning_summary(study([trial(0), trial(1, "failed", rung_scores={0.1: 0.3})])) == ""


def test_the_terminal_lists_only_changed_settings() -> None:
    settings = BASELINE | {"loss": "hinge", "generator.lr": 0.0004567}
    text = terminal(study([trial(0), trial(1, settings=settings, values=[0.01])]))
    assert "generator.lr 0.0002 → 0.000457" in text
    assert "loss lsgan → hinge" in text
    assert "batch" not in text


def test_the_terminal_shows_importance_caveats_and_next_commands() -> None:
    text = terminal(study())
    assert "generator.lr 61 %, loss 17 % and discriminator.lr 12 %" in text
    assert "Trials: 12 complete, 11 pruned and 1 failed. Pruning 11 trials saved 38 % of the time." in text
    assert "The best of 12 trials is partly the best by chance" in text
    assert "Best recipe: runs/tuned/best.yaml" in text
    assert "impasto train runs/tuned/best.yaml … --budget 15m --seed 1" in text


def test_the_best_is_confirmed_with_a_seed_that_the_study_has_not_used() -> None:
    assert confirmation_commands(study(seeds=3), Path("a study")) == [
        "impasto train 'a study/best.yaml' … --budget 15m --seed 3",
        "impasto train 'a study/recipe.yaml' … --budget 15m --seed 3",
    ]
    assert confirmation_commands(study(seed=7), Path("tuned"))[0].endswith("--seed 8")


def test_a_failed_trial_is_listed_with_its_retry() -> None:
    assert "Trial 5 was interrupted, or its process died, and was retried as trial 23 (complete)." in list(
        caveats(study())
    )
    failed = trial(1, "failed", error="There is not enough memory: choose a smaller batch.")
    assert "Trial 1 failed (There is not enough memory: choose a smaller batch) and was not retried." in list(
        caveats(study([trial(0), failed]))
    )


def test_many_failed_trials_are_counted() -> None:
    failed = [trial(number, "failed") for number in range(1, 6)]
    found = list(caveats(study([trial(0), *failed, trial(9, retry_of=2)])))
    assert "5 trials failed (see the table); 1 of them were retried." in found
    assert not any("Trial 2 failed" in caveat for caveat in found)


def test_nothing_is_compared_with_an_incomplete_baseline() -> None:
    found = study([trial(1), trial(0, "failed")])
    assert result(found) == f"Trial 1 is the best of 1 complete trial: {KID} {trial(1).values[0]:.4f}."
    assert any("own settings) failed, so the best trial cannot" in caveat for caveat in caveats(found))
    assert any("own settings) was not run" in caveat for caveat in caveats(study([trial(1)])))
    for state in ("pruned", "running", "waiting"):
        assert sum("cannot be compared" in each for each in caveats(study([trial(0, state), trial(1)]))) == 1
    diverged = study([trial(0, values=[float("inf")]), trial(1)], best=[1])
    assert result(diverged) == f"Trial 1 is the best of 1 complete trial: {KID} {trial(1).values[0]:.4f}."
    assert any("own settings) has no finite value" in caveat for caveat in caveats(diverged))


def test_a_best_value_at_a_bound_of_its_range_is_a_caveat() -> None:
    found = study([trial(0), trial(1, settings=BASELINE | {"generator.lr": 9.9e-4}, values=[0.01])])
    assert [caveat for caveat in caveats(found) if "bound" in caveat] == [
        "The best generator.lr is at the upper bound of its range (1e-5 to 0.001 (log)): better values may lie outside."
    ]


def test_the_pareto_front_of_two_objectives_is_named_and_whether_the_baseline_is_on_it() -> None:
    found = two_objectives()
    front = found.best_trials
    assert [each.number for each in front] == sorted(found.best, key=lambda number: found.trials[number].values[0])
    text = result(found)
    assert f"{len(front)} of 16 complete trials are on the Pareto front" in text
    assert f"Trial {front[0].number} has the lowest {KID}, {front[0].values[0]:.4f}." in text
    assert "The baseline (the recipe's own settings) is not on the front" in text
    alone = study([trial(0, values=[0.2, 9]), trial(1, values=[0.1, 3])], objectives=[KID, "seconds"], best=[1])
    assert result(alone).startswith(
        f"Trial 1 is the best of 2 complete trials in all objectives: {KID} 0.100 and seconds 3.00"
    )


@pytest.mark.parametrize(("steps", "shown"), [(2, True), (99, True), (100, False)])
def test_scores_after_very_few_steps_are_called_meaningless(steps: int, shown: bool) -> None:
    found = study([trial(0, steps=steps)])
    assert any(f"more than {steps} steps" in caveat for caveat in caveats(found)) == shown
