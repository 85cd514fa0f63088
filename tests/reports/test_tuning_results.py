"""A search is told truthfully: which trial is best, what pruning saved, and how far to believe it."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fixtures.invented_tuning import KID, OWN, RUNGS, pruned, trial, tuning, two
from fixtures.parsed import plain
from impasto.config.settings import Choice, Range
from impasto.reports.tuning_results import Tuning, cautions, checks, said, saving, searched, summary, verdict, within


def shell(found: Tuning, out: Path = Path("runs/tuned")) -> str:
    console = Console(width=250, file=io.StringIO())
    console.print(summary(found, out))
    assert isinstance(console.file, io.StringIO)
    return plain(console.file.getvalue())


def test_the_verdict_names_the_lowest_complete_trial_and_what_it_gains() -> None:
    found = tuning()
    ends = {each.number: each.values[0] for each in found.trials if each.values}
    lowest = min(ends, key=lambda number: ends[number])
    less = 100 * (1 - ends[lowest] / ends[0])
    assert plain(verdict(found)) == (
        f"Trial {lowest} is the best of {len(ends)} complete trials: {KID} {ends[lowest]:.4f}, "
        f"{less:.0f} % less than with the recipe's own settings, {ends[0]:.4f}."
    )


def test_a_pruned_trial_is_never_the_best_however_low_it_was() -> None:
    low = pruned(3, 1).model_copy(update={"looks": {RUNGS[0]: 0.0001}})
    found = tuning([trial(0), trial(1), low])
    assert found.winner is not None
    assert found.winner.number == 0
    assert found.model_copy(update={"best": [3]}).winner is None


def test_where_nothing_beats_the_recipe_the_recipe_is_the_best() -> None:
    found = tuning([trial(0, values=[0.01]), trial(1), trial(2)])
    assert verdict(found) == (
        f"The recipe's own settings, trial 0, are the best: {KID} 0.0100, against 2 other complete trials."
    )
    assert found.differing == []
    assert "→" not in shell(found)


def test_a_best_that_is_no_less_than_nothing_has_no_share() -> None:
    found = tuning([trial(0, values=[0.002]), trial(1, values=[-0.0001])])
    assert verdict(found).endswith(f"{KID} −0.000100, where the recipe's own settings have 0.00200.")


def test_before_any_trial_is_complete_there_is_no_best() -> None:
    assert verdict(tuning([])) == "No trial has begun yet."
    found = tuning([trial(0, "running"), pruned(1, 0), trial(2, "waiting")])
    assert verdict(found) == "No trial is complete yet: 1 pruned, 1 running and 1 waiting."
    assert list(cautions(found)) == []
    assert "best.yaml" not in shell(found)


def test_pruning_at_a_third_of_the_budget_saves_two_thirds_of_a_trial() -> None:
    found = tuning([trial(0), pruned(1, 1)])
    assert found.saved == pytest.approx(600 / 1800)
    assert plain(saving(found)) == "Pruning saved 33 % of the time: 1 trial was ended early."


def test_a_trial_that_is_pruned_in_its_first_training_saves_those_of_its_other_seeds_too() -> None:
    found = tuning([trial(0, seconds=2700.0), pruned(1, 1)], seeds=3)
    assert found.saved == pytest.approx(2400 / (2 * 2700))


@given(st.lists(st.floats(0.05, 0.95), min_size=1, max_size=20), st.integers(1, 20))
def test_of_trials_that_are_alike_pruning_saves_what_of_the_budgets_was_not_used(
    shares: list[float], complete: int
) -> None:
    ended = [trial(number, seconds=500.0) for number in range(complete)]
    cut = [trial(50, "pruned", looks={0.01: 0.2, share: 0.1}, seconds=500.0 * share) for share in shares]
    expected = sum(1 - share for share in shares) / (complete + len(shares))
    assert tuning([*ended, *cut]).saved == pytest.approx(expected)


def test_without_pruned_trials_nothing_is_said_of_saving() -> None:
    assert tuning([trial(0), trial(1)]).saved is None
    assert saving(tuning([trial(0), trial(1, "failed", looks={0.1: 0.3})])) == ""


def test_a_pruned_trial_without_a_look_saves_nothing_that_is_known() -> None:
    assert tuning([trial(0), trial(1, "pruned")]).saved == 0


def test_what_differs_is_told_by_the_shell_and_what_does_not_is_not() -> None:
    settings = OWN | {"loss": "hinge", "generator.lr": 0.0004567}
    text = shell(tuning([trial(0), trial(1, settings=settings, values=[0.01])]))
    assert "generator.lr 0.0002 → 0.000457" in text
    assert "loss lsgan → hinge" in text
    assert "batch" not in text


def test_the_shell_is_told_what_matters_and_what_to_do_next() -> None:
    text = shell(tuning())
    assert "generator.lr 61 %, loss 17 % and discriminator.lr 12 % of how much the first look varies" in text
    assert "Trials: 12 complete, 11 pruned and 1 failed. Pruning saved 38 % of the time: 11 trials were ended" in text
    assert "The best of 12 trials is better than it would be if measured again" in text
    assert "The best recipe: runs/tuned/best.yaml" in text
    assert "impasto train runs/tuned/best.yaml … --budget 15m --seed 1" in text


def test_the_best_is_checked_with_a_seed_that_the_study_has_not_used() -> None:
    assert checks(tuning(seeds=3), Path("a study")) == [
        "impasto train 'a study/best.yaml' … --budget 15m --seed 3",
        "impasto train 'a study/recipe.yaml' … --budget 15m --seed 3",
    ]
    assert checks(tuning(seed=7), Path("tuned"))[0].endswith("--seed 8")


def test_a_trial_that_died_is_told_with_the_one_that_took_its_place() -> None:
    assert "Trial 5 was stopped, or its process died, and was tried again as trial 23: complete." in list(
        cautions(tuning())
    )
    died = trial(1, "failed", wrong="There is not enough memory: choose a smaller batch.")
    assert "Trial 1 failed (There is not enough memory: choose a smaller batch) and was not tried again." in list(
        cautions(tuning([trial(0), died]))
    )


def test_many_that_died_are_counted() -> None:
    failed = [trial(number, "failed") for number in range(1, 6)]
    told = list(cautions(tuning([trial(0), *failed, trial(9, retry_of=2)])))
    assert "5 trials failed, see the table; the settings of 1 of them were tried again." in told
    assert not any("Trial 2 failed" in caution for caution in told)


def test_without_the_recipes_own_settings_nothing_is_compared_with_them() -> None:
    found = tuning([trial(1), trial(0, "failed")])
    assert verdict(found) == f"Trial 1 is the best of 1 complete trial: {KID} {trial(1).values[0]:.4f}."
    assert any("own settings failed, so nothing tells" in caution for caution in cautions(found))
    assert any("own settings were not tried" in caution for caution in cautions(tuning([trial(1)])))
    for state in ("pruned", "running", "waiting"):
        assert sum("so nothing tells" in each for each in cautions(tuning([trial(0, state), trial(1)]))) == 1


def test_the_recipes_own_settings_count_where_they_were_tried_to_the_end() -> None:
    again = trial(9, settings=OWN, own=True, retry_of=0)
    found = tuning([trial(0, "failed"), trial(1), again])
    assert found.own == again


def test_a_best_value_at_the_end_of_what_was_searched_is_pointed_out() -> None:
    settings = OWN | {"generator.lr": 9.9e-4, "contrast.weight": 0.6, "discriminator.lr": 1e-4}
    found = tuning([trial(0), trial(1, settings=settings, values=[0.01])])
    assert found.edges == [("generator.lr", "upper"), ("contrast.weight", "lower")]
    told = [caution for caution in cautions(found) if "at the" in caution]
    assert told[0].startswith(
        "The best generator.lr lies at the upper end of what was searched, 1e-5 to 0.001, by its logarithm"
    )


def test_a_value_that_the_recipe_has_anyway_is_no_end() -> None:
    assert tuning([trial(0, values=[0.001]), trial(1)]).edges == []  # diffaugment.color 0, of 0 to 1


@given(st.floats(1e-6, 1.0), st.floats(1.1, 1e4), st.floats(0, 1))
def test_a_logarithmic_range_is_even_in_ratios(low: float, ratio: float, place: float) -> None:
    space = Range(low=low, high=low * ratio, log=True)
    assert within(space, low * ratio**place) == pytest.approx(place, abs=1e-6)


def test_settings_are_read_as_they_are_written() -> None:
    assert [said(each) for each in (0.00002, 123456.0, 64, True, None, "lsgan", [0.5, 0.999])] == [
        "2e-5", "1.23e+5", "64", "true", "null", "lsgan", "[0.5, 0.999]",
    ]  # fmt: skip
    assert searched(Choice(choices=("lsgan", None, 2))) == "lsgan, null, 2"
    assert searched(Range(low=1, high=8)) == "1 to 8"


def test_of_two_objectives_the_front_is_named_and_where_the_recipe_lies() -> None:
    found = two()
    front = found.front
    assert [each.number for each in front] == sorted(found.best, key=lambda number: found.trials[number].values[0])
    said = verdict(found)
    assert f"{len(front)} of 16 complete trials form the front" in said
    assert f"Trial {front[0].number} has the lowest {KID}, {front[0].values[0]:.4f}." in said
    assert "The recipe's own settings lie behind it" in said
    alone = tuning([trial(0, values=[0.2, 9]), trial(1, values=[0.1, 3])], objectives=[KID, "seconds"], best=[1])
    assert verdict(alone).startswith(f"Trial 1 is the best of 2 complete trials in everything: {KID} 0.100 and seconds")


def test_numbers_beyond_all_bounds_are_kept_and_never_the_best() -> None:
    burst = trial(1, values=[float("inf")], looks={0.1: float("nan"), 0.3: float("inf")})
    found = tuning([trial(0), burst], best=[0])
    again = Tuning.model_validate_json(found.model_dump_json())
    assert again.trials[1].values == burst.values
    assert again.trials[1].last is None
    assert [each.number for each in again.complete] == [0]
    lost = tuning([trial(0, values=[float("inf")]), trial(1)], best=[1])
    assert verdict(lost) == f"Trial 1 is the best of 1 complete trial: {KID} {trial(1).values[0]:.4f}."
    assert any("own settings came to no finite value" in caution for caution in cautions(lost))


def test_the_numbers_can_be_read_back() -> None:
    found = tuning()
    assert Tuning.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mysql://monet:gi/ver:ny@host/db", "mysql://monet:***@host/db"),
        ("postgresql+psycopg://monet:give@rny@host:5432/db", "postgresql+psycopg://monet:***@host:5432/db"),
        ("sqlite:///runs/a:b@c.db", "sqlite:///runs/a:b@c.db"),
    ],
)
def test_a_password_is_kept_by_nobody(address: str, shown: str) -> None:
    assert tuning(storage=address).storage == shown
    assert shown in tuning(storage=address).model_dump_json()
