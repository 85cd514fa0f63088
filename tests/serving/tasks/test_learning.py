"""Data sets are explored and models trained by a worker; a training is paused, resumed and put back."""

import signal
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import torch

from fixtures.command import TINY, end_of, log_of, quick_trainings
from fixtures.store import Store, open_store, photo
from impasto.errors import ImpastoError
from impasto.exploration.speed import SpeedEstimate
from impasto.serving.tables import Job
from impasto.serving.tasks import TASKS, TaskContext
from impasto.serving.tasks.learning import proposed_training
from impasto.serving.worker import Worker
from impasto.style import Style

SETTINGS = {"recipe": "dcgan-64", "budget": "30steps", "settings": TINY[1::2], "name": "tiny"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("studio"), styles={})
    with quick_trainings():
        yield opened
    opened.library.database.close()


@pytest.fixture(scope="module")
def paintings(store: Store) -> list[str]:
    return [store.upload(f"{number}.png", photo(number, (24, 24))).id for number in range(24)]


@pytest.fixture(scope="module")
def trained(store: Store, paintings: list[str]) -> Job:
    return store.work("train", paintings=paintings, **SETTINGS)


def goes_on(store: Store, job: Job) -> Job:
    Worker(store.queue, store.library, "train", "cpu").do(store.claim("train"))
    return store.queue.job(job.id)


def ends(monkeypatch: pytest.MonkeyPatch, end: Any) -> None:
    """Let something happen at the first progress of the next training."""
    progress = TaskContext.progress

    def first(self: TaskContext, *arguments: Any) -> None:
        monkeypatch.setattr(TaskContext, "progress", progress)
        end(self)
        self.progress(*arguments)

    monkeypatch.setattr(TaskContext, "progress", first)


def test_a_training_leaves_a_run_with_its_best_style(store: Store, trained: Job) -> None:
    assert trained.state == "done" and trained.outcome == {"run": trained.id}, trained.error
    assert (trained.done, trained.total, trained.unit) == (30, 30, "steps")
    run = store.library.runs / trained.id
    assert Style.load(run).card.steps > 0 and end_of(run)["step"] == 30
    assert not (store.library.work / trained.id).exists()


def test_a_training_that_is_paused_and_resumed_equals_one_that_was_not(
    store: Store, paintings: list[str], trained: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(monkeypatch, lambda context: context.end("pause"))
    paused = store.work("train", paintings=paintings, **SETTINGS)
    run = store.library.runs / paused.id
    assert paused.state == "paused" and end_of(run)["step"] < 30
    assert store.queue.claim("train", "tester") is None
    store.queue.resume(paused.id)
    done = goes_on(store, paused)
    assert (done.state, done.done) == ("done", 30), done.error
    one, other = end_of(store.library.runs / trained.id), end_of(run)
    for network, weights in one["networks"].items():
        for name, weight in weights.items():
            assert torch.equal(weight, other["networks"][network][name]), (network, name)
    assert log_of(run) == log_of(store.library.runs / trained.id)


@pytest.mark.usefixtures("default_signals")
def test_a_signal_to_the_worker_puts_the_training_back_instead_of_cancelling_it(
    store: Store, paintings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    got = list[int]()
    signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))  # as the worker's process does
    ends(monkeypatch, lambda context: signal.raise_signal(signal.SIGTERM))
    stopped = store.work("train", paintings=paintings, **SETTINGS)
    assert stopped.state == "queued" and stopped.attempts == 0
    assert got == [signal.SIGTERM], "the worker has to know that it is to end"
    cancelled = store.queue.cancel(stopped.id)
    assert cancelled.state == "cancelled"


def test_a_training_that_another_worker_holds_ends_without_a_word(
    store: Store, paintings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(monkeypatch, lambda context: store.queue.release("tester"))
    lost = store.work("train", paintings=paintings, **SETTINGS)
    assert (lost.state, lost.attempts, lost.error) == ("queued", 1, None)
    store.queue.cancel(lost.id)


def test_what_cannot_be_trained_is_refused_before_it_waits(store: Store, paintings: list[str]) -> None:
    wrong: list[dict[str, Any]] = [
        {"recipe": "nothing"},
        {"start": "nothing"},
        {"budget": "soon"},
        {"settings": ["nothing=1"]},
        {"recipe": "cut"},  # which needs photos
    ]
    for settings in wrong:
        with pytest.raises(ImpastoError) as caught:
            store.begin("train", paintings=paintings, **SETTINGS | settings)
        assert str(store.library.folder) not in str(caught.value)
    with pytest.raises(ValueError, match="pattern"):
        store.begin("train", paintings=paintings, **SETTINGS | {"recipe": "../../recipe"})
    assert store.queue.claim("train", "tester") is None


@pytest.mark.long
def test_a_data_set_is_explored_with_a_report(
    store: Store, paintings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Measuring it takes half of the time.
    monkeypatch.setattr(import_module("impasto.api.explore"), "estimate_speed", lambda *_: SpeedEstimate(0.3, 16, 1))
    job = store.work("explore", paintings=paintings)
    assert job.state == "done" and job.outcome is not None, job.error
    assert job.outcome["recommendations"] and all(
        {"title", "reason", "train"} == each.keys() for each in job.outcome["recommendations"]
    )
    (report,) = store.results(job)
    text = store.library.path(report).read_text(encoding="utf-8")
    assert report.media == "text/html" and "<html" in text
    assert str(store.library.folder) not in text + str(job.outcome)
    for training in (each["train"] for each in job.outcome["recommendations"] if each["train"]):
        request = TASKS["train"].request.model_validate(training | {"paintings": paintings})
        assert request.model_dump()["recipe"] == training["recipe"]


@pytest.mark.parametrize(
    ("command", "training"),
    [
        (
            "impasto train monet --paintings 'a b' --set size=64 --set batch=2 --budget 2h --crop-frames",
            {"recipe": "monet", "budget": "2h", "settings": ["size=64", "batch=2"], "crop_frames": True},
        ),
        ("impasto explore x", None),
        ("", None),
    ],
)
def test_recommended_commands_become_trainings(command: str, training: dict[str, Any] | None) -> None:
    assert proposed_training(command) == training
