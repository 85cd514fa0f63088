"""Results of a study: importance of settings, states of trials, and the best recipe."""

from pathlib import Path

from fixtures.studies import BASELINE, SPACE, ask, open_small, small_definition
from impasto.config.recipe import Recipe
from impasto.tuning.export import importance, tuning_results, write_best_recipe
from impasto.tuning.pruning import RUNGS
from impasto.tuning.sampling import trial_settings
from impasto.tuning.trials import finish_trial

DEFINITION = small_definition()


def test_the_importance_is_estimated_from_scores_at_the_first_rung_of_pruned_trials_too(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    assert importance(study) == {}
    for _ in range(12):
        trial = ask(study)
        trial.set_user_attr("rung_scores", {str(RUNGS[0]): trial_settings(trial, SPACE)["generator.clip_gradient"]})
        finish_trial(study, trial, "PRUNED")
    shares = importance(study)
    assert set(shares) == set(SPACE)
    assert max(shares, key=lambda name: shares[name]) == "generator.clip_gradient"


def test_results_tell_the_best_trial_the_baseline_and_why_a_trial_failed(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    for value in (0.3, 0.2):
        finish_trial(study, ask(study), "COMPLETE", [value])
    failed = ask(study)
    failed.set_user_attr("error", "There is not enough memory.")
    finish_trial(study, failed, "FAIL")
    results = tuning_results(study, DEFINITION, "postgresql://me:secret@host/db")
    assert results.best == [1] and results.storage == "postgresql://me:***@host/db"
    assert [trial.state for trial in results.trials] == ["complete", "complete", "failed"]
    assert [trial.baseline for trial in results.trials] == [True, False, False]
    assert results.trials[2].error == "There is not enough memory."
    assert results.trials[0].settings == BASELINE


def test_the_best_recipe_has_the_settings_of_the_best_trial(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    write_best_recipe(study, DEFINITION, tmp_path / "best.yaml")
    assert not (tmp_path / "best.yaml").exists()
    trials = [ask(study) for _ in range(3)]
    for trial, value in zip(trials, (0.3, 0.1, 0.2), strict=True):
        finish_trial(study, trial, "COMPLETE", [value])
    write_best_recipe(study, DEFINITION, tmp_path / "best.yaml")
    recipe = Recipe.load(tmp_path / "best.yaml")
    assert recipe.name == "dcgan-64-tuned" and recipe.tune == {}
    assert {name: recipe.value(name) for name in SPACE} == trial_settings(trials[1], SPACE)


def test_a_trial_of_an_earlier_version_with_a_setting_that_is_refused_now_is_not_the_best(tmp_path: Path) -> None:
    """It searched R1 with BatchNorm."""
    study = open_small(tmp_path, journal=True)
    for value, r1 in ((0.3, 0.0), (0.1, 1.0), (0.2, 0.0)):
        trial = ask(study)
        trial.suggest_float("penalty.r1", r1, r1)
        finish_trial(study, trial, "COMPLETE", [value])
    results = tuning_results(study, DEFINITION, "sqlite://")
    assert results.best == [2] and set(results.trials[1].settings) == set(SPACE)
    write_best_recipe(study, DEFINITION, tmp_path / "best.yaml")
    assert Recipe.load(tmp_path / "best.yaml").penalty.r1 == 0
