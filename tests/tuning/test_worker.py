"""A worker trains its trials with every seed, resumes interrupted ones, and records how they ended."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import pytest

from fixtures.studies import open_small, small_definition
from impasto.config.recipe import Recipe
from impasto.device import InsufficientMemoryError
from impasto.errors import ImpastoError
from impasto.files import DiskFullError
from impasto.metrics.candidates import Candidate
from impasto.metrics.memorisation_finding import MemorisationFinding
from impasto.metrics.results import DECIDING_METRIC, Evaluation, ImageSetSummary, Memorisation, Scores, Value
from impasto.reports.tuning_text import caveats, result
from impasto.training.callbacks import Observer
from impasto.training.run_dir import RunDir
from impasto.tuning.export import tuning_results, write_best_recipe
from impasto.tuning.pruning import RUNGS, scoring_observer
from impasto.tuning.sampling import trial_settings
from impasto.tuning.trials import trial_attributes
from impasto.tuning.worker import Worker


def scores(value: float) -> Scores:
    values = {DECIDING_METRIC: Value(value=value)}
    return Scores(network="efficientnet-lite0", size=64, fakes=8, reals=8, values=values)


@dataclass
class FakeTraining:
    """Write what a training writes, with a given score, or stop at the first rung."""

    score: Callable[[Recipe, int], float] = lambda recipe, seed: 0.5 + seed
    copies: Callable[[Recipe], float] = lambda recipe: 0.0
    prune: bool = True
    signal: int | None = None
    error: BaseException | None = None
    budget: str = "10m"
    calls: list[tuple[str, int, bool]] = field(default_factory=list)

    def __call__(self, recipe: Recipe, run: Path, seed: int, observer: Observer, *, resume: bool) -> int | None:
        self.calls.append((run.name, seed, resume))
        if not resume:
            facts = {"seed": seed, "budget": self.budget, "seconds": 2.0, "steps": 9}
            RunDir.create(run, recipe, facts)
        (run / "checkpoints" / "step-00000001.pt").touch()
        score, copies = self.score(recipe, seed), self.copies(recipe)
        finding = MemorisationFinding("memorised" if copies else "none", "", copies)
        candidate = Candidate(scores=scores(score), memorisation=finding)
        observer = observer if self.prune else scoring_observer()
        for share in observer.score_at:
            if self.error is not None:
                raise self.error
            if self.signal is not None:
                return self.signal
            if not observer.on_scores(share, candidate):
                return None
        side = ImageSetSummary(name="x", there=8, scored=8)
        found = Evaluation(
            impasto="0.1.0", created=datetime.now(UTC), fakes=side, reals=side, scores=[scores(score)],
            copies=Memorisation(
                network="efficientnet-lite0", fakes=[0.0] * round(100 * copies) + [0.5] * round(100 - 100 * copies),
                reals=[0.2 + 0.001 * number for number in range(100)], suspects=[],
            ),
        )  # fmt: skip
        (run / "evaluation.json").write_text(found.model_dump_json())
        return None


def worker(folder: Path, train: FakeTraining, **changes: Any) -> Worker:
    return Worker(open_small(folder, journal=True, **changes), small_definition(**changes), folder, train)


def run_next(worker: Worker) -> optuna.trial.FrozenTrial:
    trial = worker.begin_trial(30)
    worker.run_trial(trial)
    return worker.study.trials[trial.number]


def test_the_objective_is_the_mean_over_the_seeds(tmp_path: Path) -> None:
    train = FakeTraining()
    trial = run_next(worker(tmp_path, train, seeds=2, seed=5))
    assert train.calls == [("0000", 5, False), ("0000-seed-6", 6, False)]
    assert trial.values == [pytest.approx(0.5 + 5.5)]
    assert trial_attributes(trial)["seconds"] == 4.0 and trial_attributes(trial)["steps"] == 9


def test_a_trial_that_reproduces_training_images_is_ranked_after_all_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever its score: by the study, by the results and by best.yaml."""
    train = FakeTraining()
    one = worker(tmp_path, train)
    run_next(one)  # the baseline: 0.5
    train.score, train.copies = lambda recipe, seed: 0.01, lambda recipe: 0.75
    copying = run_next(one)
    assert copying.state.name == "PRUNED" and copying.constraints == {"copies": 0.75}
    assert f"Trial {copying.number} reproduces training images (75\N{NO-BREAK SPACE}% of them)." in caplog.messages
    train.prune = False
    copying = run_next(one)
    assert copying.state.name == "COMPLETE" and copying.values == [0.01]
    results = tuning_results(one.study, one.definition, "sqlite://")
    assert results.best == [0] and results.complete[-1].number == copying.number
    assert one.study.best_trial.number == 0
    write_best_recipe(one.study, one.definition, tmp_path / "best.yaml")
    assert Recipe.load(tmp_path / "best.yaml").value("batch") == one.definition.baseline["batch"]


def test_where_all_trials_reproduce_training_images_the_one_that_does_so_least_is_the_best(tmp_path: Path) -> None:
    train = FakeTraining(score=lambda recipe, seed: 0.01, copies=lambda recipe: 0.9, prune=False)
    one = worker(tmp_path, train)
    run_next(one)
    train.score, train.copies = lambda recipe, seed: 0.4, lambda recipe: 0.6
    least = run_next(one)
    results = tuning_results(one.study, one.definition, "sqlite://")
    assert results.best == [least.number]
    assert "Every complete trial reproduces training images" in result(results)
    assert any("reproduce training images: they rank" in caveat for caveat in caveats(results))


def test_a_trial_is_trained_with_its_settings_and_its_checkpoints_are_deleted(tmp_path: Path) -> None:
    trial = run_next(worker(tmp_path, FakeTraining()))
    run = RunDir.open(tmp_path / "trials" / "s" / "0000")
    assert run.recipe.value("batch") == 8 and run.recipe.tune == {}
    assert trial_attributes(trial)["run"] == "trials/s/0000"
    assert not run.checkpoints.exists()


def test_a_pruned_trial_is_reported_with_the_rung_at_which_it_was_pruned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = FakeTraining()
    one = worker(tmp_path, train)
    with caplog.at_level(logging.INFO, "impasto"):
        assert run_next(one).state.name == "COMPLETE"
        train.score = lambda recipe, seed: 0.9
        pruned = run_next(one)
    assert pruned.state.name == "PRUNED"
    assert list(trial_attributes(pruned)["rung_scores"]) == [str(RUNGS[0])]
    assert "Trial 0 is complete: KID[efficientnet-lite0] 0.5000" in caplog.messages
    assert "Trial 1 was pruned at 1/9 of its budget: KID[efficientnet-lite0] 0.9000" in caplog.messages


@pytest.mark.parametrize("stop", ["signal", "disk", "memory", "bug"])
def test_an_interrupted_trial_is_resumed_from_its_checkpoint_as_a_new_trial(tmp_path: Path, stop: str) -> None:
    errors = {
        "signal": None,
        "disk": DiskFullError("The disk is full."),
        "memory": InsufficientMemoryError("The memory is too small."),  # the first trial has the recipe's own settings
        "bug": ZeroDivisionError(),
    }
    train = FakeTraining(signal=2, error=errors[stop])
    one = worker(tmp_path, train)
    trial = one.begin_trial(30)
    if train.error is None:
        assert one.run_trial(trial) == 2
    else:
        with pytest.raises(type(train.error)):
            one.run_trial(trial)
    train.signal = train.error = None
    retry = run_next(one)
    assert [each.state.name for each in one.study.trials] == ["FAIL", "COMPLETE"]
    assert retry.params == trial.params and trial_attributes(retry)["run"] == "trials/s/0000"
    assert train.calls == [("0000", 0, False), ("0000", 0, True)]


def test_a_trial_whose_settings_cannot_be_trained_fails_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train = FakeTraining()
    one = worker(tmp_path, train)
    run_next(one)
    train.error = InsufficientMemoryError("There is not enough memory.")
    failed = run_next(one)
    assert failed.state.name == "FAIL" and trial_attributes(failed)["error"] == "There is not enough memory."
    assert caplog.messages == ["Trial 1 failed: There is not enough memory."]
    assert len(one.study.trials) == 2


def test_a_score_that_is_not_finite_fails_the_trial(tmp_path: Path) -> None:
    trial = run_next(worker(tmp_path, FakeTraining(lambda recipe, seed: float("inf"))))
    assert trial_attributes(trial)["error"] == "The score is not a finite number."


def test_a_run_folder_of_another_study_is_replaced_and_not_resumed(tmp_path: Path) -> None:
    run_next(worker(tmp_path, FakeTraining()))
    (tmp_path / "study.log").unlink()
    train = FakeTraining(lambda recipe, seed: 0.1, budget="20m")
    trial = run_next(worker(tmp_path, train, budget="20m"))
    assert train.calls == [("0000", 0, False)]
    assert trial.values == [0.1]


def test_seeds_that_are_evaluated_already_are_not_trained_again(tmp_path: Path) -> None:
    train = FakeTraining()
    one = worker(tmp_path, train, seeds=2)
    train.score = lambda recipe, seed: 0.5 if seed == 0 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        run_next(one)
    train.score = lambda recipe, seed: 0.5
    assert run_next(one).values == [0.5]
    assert train.calls == [("0000", 0, False), ("0000-seed-1", 1, False), ("0000-seed-1", 1, True)]


@pytest.mark.parametrize("escape", ["absolute", "../../precious", "trials/s/../../../precious"])
def test_a_run_folder_named_in_the_storage_is_neither_deleted_nor_written_to(tmp_path: Path, escape: str) -> None:
    """Whoever has the database may write any attribute, and a worker replaces its run folder."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "run.json").write_text("{}")
    (precious / "recipe.yaml").write_text("name: x")
    study = tmp_path / "study"
    study.mkdir()
    train = FakeTraining()
    one = worker(study, train)
    trial = one.begin_trial(30)
    trial.set_user_attr("run", str(precious) if escape == "absolute" else escape)
    one.run_trial(trial)
    assert one.study.trials[0].state.name == "COMPLETE"
    assert {path.name for path in precious.iterdir()} == {"run.json", "recipe.yaml"}
    assert (study / "trials" / "s" / "0000" / "evaluation.json").exists()
    assert trial_attributes(one.study.trials[0])["run"] == "trials/s/0000"


def test_a_folder_that_is_not_a_run_is_not_replaced(tmp_path: Path) -> None:
    other = tmp_path / "trials" / "s" / "0000"
    other.mkdir(parents=True)
    (other / "thesis.txt").write_text("years of work")
    failed = run_next(worker(tmp_path, FakeTraining()))
    assert "is not a run folder and is not replaced" in trial_attributes(failed)["error"]
    assert (other / "thesis.txt").exists()


def test_settings_outside_of_the_search_space_are_refused_in_one_line(tmp_path: Path) -> None:
    one = worker(tmp_path, FakeTraining())
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        "batch": optuna.distributions.CategoricalDistribution([4, 5])
    }
    one.study.add_trial(optuna.trial.create_trial(params={"batch": 5}, distributions=distributions, value=0.1))
    with pytest.raises(ImpastoError, match="Trial 0 has batch = 5, which is not in the search space"):
        trial_settings(one.study.trials[0], one.definition.recipe.tune)
