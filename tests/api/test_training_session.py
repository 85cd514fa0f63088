"""One process of a training: start, evaluation, report, and errors that say what to change."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from fixtures.parameters import mostly_long
from impasto.api import train
from impasto.api.training_session import TrainingSession
from impasto.config.recipe import Recipe
from impasto.config.types import Pixels
from impasto.data.augment import to_pixels
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation
from impasto.style import Style
from impasto.training import checkpoint, memory_estimate
from impasto.training.callbacks import Callback, Estimate, Observer
from impasto.training.samples import Samples

GAN = Recipe.load("dcgan-64").replace(
    [
        *("size=16", "batch=2", "latent=8", "generator.width=8", "generator.max_width=16"),
        *("discriminator.width=8", "discriminator.max_width=16"),
    ]
)
PROJECTED = Recipe.load("projected-64").replace(
    ["size=32", "batch=2", "latent=8", "generator.width=4", "discriminator.width=4", "discriminator.pixels=0"]
)


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.inference.image_sets.GENERATED", 16)
    monkeypatch.setattr("impasto.training.evaluator.SCORE_IMAGES", 16)


class Recorder(Callback):
    """Records what it is given."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.images: list[tuple[str, int]] = []
        self.total: int | None = None
        self.closed = 0

    def on_rows(self, rows: Any, estimate: Estimate) -> None:
        self.steps += [row["step"] for row in rows]
        self.total = estimate.total_steps

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        self.images.append((name, step))

    def close(self) -> None:
        self.closed += 1


def test_callbacks_follow_a_training_and_the_loggers_of_a_run_are_remembered(tmp_path: Path) -> None:
    recorder = Recorder()
    run = tmp_path / "run"
    train.train(GAN, "sample:paintings", run, budget="2steps", callbacks=[recorder], log=["tensorboard"])
    assert (recorder.steps, recorder.total, recorder.closed) == ([1, 2], 2, 1)
    assert recorder.images[:2] == [("real", 0), ("samples", 0)] and recorder.images[-1] == ("samples", 2)
    again = Recorder()
    train.resume(run, budget="3steps", callbacks=[again], progress=False)
    assert again.steps == [3]
    assert '"tensorboard"' in (run / "run.json").read_text()


@pytest.mark.parametrize("damaged", [False, True])
def test_a_run_without_readable_checkpoints_resumes_from_the_newest_state_to_roll_back_to(
    tmp_path: Path, damaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.training.schedule.RECOVERY_SPACING", 2)
    monkeypatch.setattr(TrainingSession, "_evaluate", lambda session: None)
    monkeypatch.setattr("impasto.api.training_session.write_report", lambda run: None)
    run = tmp_path / "run"
    train.train(GAN, "sample:paintings", run, budget="3steps", progress=False)
    for path in checkpoint.steps(run / "checkpoints"):
        path.unlink()  # which may be the same file as a state to roll back to
        if damaged:
            path.touch()
    recorder = Recorder()
    train.resume(run, callbacks=[recorder], progress=False)
    assert recorder.steps == [3]


def test_an_observer_ends_a_training_without_evaluation_and_report(tmp_path: Path) -> None:
    progress: list[float] = []

    def stop(share: float, _: object) -> bool:
        progress.append(share)
        return False

    run = tmp_path / "run"
    outcome = train.train(
        GAN, "sample:paintings", run, budget="4steps", observer=Observer((0.5, 1.0), stop), progress=False
    )
    assert not outcome.finished and progress == [0.5]
    assert not (run / "evaluation.json").exists() and not (run / "report.html").exists()


@pytest.mark.long
def test_projected_models_are_scored_through_a_network_that_is_not_their_discriminators(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    with caplog.at_level(logging.INFO, "impasto"):
        train.train(PROJECTED, "sample:paintings", run, budget="1steps")
    assert "KID[alexnet] 16 v 54" in (run / "log.jsonl").read_text()
    found = Evaluation.model_validate_json((run / "evaluation.json").read_bytes())
    assert [scores.network for scores in found.scores] == ["alexnet", "efficientnet-lite0"]
    assert found.copies.network == "efficientnet-lite0"
    assert "KID[alexnet] is" in caplog.text
    assert Style.load(run).card.scores == found.scores

    # A run whose best style was chosen through the other network: its score is not comparable.
    (saved,) = checkpoint.steps(run / "checkpoints")[-1:]
    state = torch.load(saved, weights_only=True)
    state["best"] |= {"decided_by": "KID[efficientnet-lite0] 16 v 54", "value": -1.0}
    checkpoint.save(run / "checkpoints", 1, state)
    train.resume(run, budget="2steps")
    assert Style.load(run / "best.safetensors").card.steps == 2


def test_a_generator_that_replays_its_training_images_is_not_the_best_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At step 2 of 3, with the lowest KID; what decided is in the log, in run.json, in the report and in the card."""
    generate = Samples._generate

    def replaying(samples: Samples, inputs: torch.Tensor) -> Pixels:
        if samples.state.step != 2:
            return generate(samples, inputs)
        return to_pixels(samples.data.train.paintings.load_evenly(16, 16)).numpy()

    monkeypatch.setattr(Samples, "_generate", replaying)
    monkeypatch.setattr("impasto.training.schedule.SCORE_SPACING", 1)
    run = tmp_path / "run"
    with caplog.at_level(logging.INFO, "impasto"):
        train.train(GAN, "sample:paintings", run, budget="3steps", settings=["augment.scale=[1,1]"], progress=False)
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    name = "KID[efficientnet-lite0] 16 v 54"
    scores = {row["step"]: row[name] for row in rows if name in row}
    assert scores.keys() >= {2, 3} and scores[2] < 0.2 * min(value for step, value in scores.items() if step != 2)
    assert [row["step"] for row in rows if row.get("copies 16 v 54")] == [2]
    choice = Style.load(run).card.choice
    assert choice is not None and choice.step != 2 and choice.decided_by == name
    assert json.loads((run / "run.json").read_text())["best"] == choice.model_dump()
    assert choice.sentence() in caplog.text and choice.sentence() in (run / "report.html").read_text()


@pytest.mark.long
def test_heldout_images_choose_and_score_where_there_are_enough(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    with caplog.at_level(logging.INFO, "impasto"):
        train.train(GAN, "sample:paintings", run, budget="1steps", settings=["heldout=0.4"], progress=False)
    assert "Evaluating against images that the best style was chosen by" in caplog.text
    assert "The best style was chosen by some of these images" in (run / "report.html").read_text()
    choice = Style.load(run).card.choice
    assert choice is not None and choice.decided_by == "KID[efficientnet-lite0] 16 v 24 held-out"
    row = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert row[choice.decided_by] == choice.value != row["KID[efficientnet-lite0] 16 v 36"]


@pytest.mark.parametrize("fails", mostly_long([False, True], True))
def test_a_training_leaves_torchs_global_state_as_it_was(
    tmp_path: Path, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(begin: bool) -> None:
        if begin:
            train.train(GAN, "sample:paintings", tmp_path / "run", budget="1steps", progress=False)
        else:
            note = json.loads((tmp_path / "run" / "run.json").read_text()) | {"threads": torch.get_num_threads() + 1}
            (tmp_path / "run" / "run.json").write_text(json.dumps(note))
            train.resume(tmp_path / "run", budget="2steps", progress=False)

    for begin in (True, False):
        threads, random = torch.get_num_threads(), torch.get_rng_state()
        if fails and not begin:
            monkeypatch.setattr(TrainingSession, "_write_samples", lambda session: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run(begin)
        else:
            run(begin)
        assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), random)


def test_a_budget_with_other_parts_is_refused_before_a_folder_is_created(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=r"budget 2\+3steps has 2 parts and the training 1"):
        train.train(GAN, "sample:paintings", tmp_path / "run", budget="2+3steps")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("recipe", "batch", "change"),
    mostly_long(
        [("cut", 8, "batch=4"), ("cut", 3, "batch=1"), ("cut", 1, "size=128"), ("dcgan-64", 2, "size=32")],
        ("dcgan-64", 2, "size=32"),
    ),
)
def test_too_little_memory_proposes_a_smaller_batch_or_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recipe: str, batch: int, change: str
) -> None:
    def full(session: TrainingSession) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(TrainingSession, "_build_trainer", full)
    photos = None if recipe == "dcgan-64" else "sample:photos"
    with pytest.raises(ImpastoError, match=rf"memory of cpu is too small .* --set {change}\.") as error:
        train.train(
            recipe, "sample:paintings", tmp_path / "run", photos=photos, settings=[f"batch={batch}"], device="cpu"
        )
    assert "\n" not in str(error.value)


def test_a_training_refused_for_its_memory_creates_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory_estimate, "available", lambda device: memory_estimate.BESIDE)
    with pytest.raises(ImpastoError, match="too little for any batch"):
        train.train(GAN, "sample:paintings", tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_fine_tuning_uses_the_recipe_of_its_start(tmp_path: Path) -> None:
    train.train(GAN, "sample:paintings", tmp_path / "run", budget="1steps", progress=False)
    train.train(None, "sample:paintings", tmp_path / "fine", start=tmp_path / "run", budget="1steps", progress=False)
    style = Style.load(tmp_path / "fine")
    assert style.recipe == GAN.without_search() and style.card.start == "run"
    with pytest.raises(ImpastoError, match="give a recipe, or a style"):
        train.train(None, "sample:paintings", tmp_path / "other")


def test_an_unknown_logger_is_refused_before_a_folder_is_created(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="no logger 'wandbb'"):
        train.train(GAN, "sample:paintings", tmp_path / "run", log=["wandbb"])
    assert not (tmp_path / "run").exists()
