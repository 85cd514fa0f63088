"""Workers: jobs one after the other or side by side, told to stop, taken over, and ended with their server."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from fixtures.store import Store, open_store, photo, resumed_before_deletion, wait_for
from impasto.errors import ImpastoError
from impasto.serving.jobs import LEASE
from impasto.serving.tables import Job
from impasto.serving.tasks import TASKS, Task, TaskContext, TaskRequest
from impasto.serving.worker import UNEXPECTED, Worker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.library.database.close()


class Request(TaskRequest):
    """Of the task of the tests."""

    name: str = ""
    light: bool = True


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Request, TaskContext], Any]], None]:
    """Register a function as the task ``toy``."""

    def register(run: Callable[[Request, TaskContext], Any]) -> None:
        monkeypatch.setitem(
            TASKS, "toy", Task("toy", Request, run, "paint", "", lambda request, files: request.light, False, "/toy")
        )

    return register


@contextmanager
def at_work(store: Store, lane: str = "paint") -> Iterator[Worker]:
    """Run a worker in a thread, with two slots."""
    worker = Worker(store.queue, store.library, lane, "cpu")
    thread = threading.Thread(target=worker.run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("impasto.serving.worker.torch.get_num_threads", lambda: 2)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join()


def state(store: Store, job: Job) -> str:
    return store.queue.job(job.id).state


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ImpastoError("The file /usr/share/x/a.jpg is damaged."), "The file a.jpg is damaged."),
        (MemoryError(), "This takes more memory than there is."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "This takes more memory than there is."),
        (ZeroDivisionError("/secret/path"), UNEXPECTED),
    ],
)
def test_a_job_that_raises_fails_with_a_sentence(store: Store, task: Any, error: Exception, message: str) -> None:
    def run(request: Request, context: TaskContext) -> None:
        (context.folder / "left").write_bytes(b"x")
        raise error

    task(run)
    job = store.work("toy")
    assert (job.state, job.error, job.outcome) == ("failed", message, None)
    assert job.finished is not None and job.claim is None
    assert not (store.library.work / job.id).exists()


def test_jobs_that_this_version_does_not_know_fail(store: Store) -> None:
    for kind, settings in (("nothing", {}), ("paint", {"nothing": 1})):
        store.queue.submit(kind, "paint", settings, [])
        job = store.claim()
        Worker(store.queue, store.library, "paint", "cpu").do(job)
        assert (state(store, job), store.queue.job(job.id).error) == ("failed", UNEXPECTED)


def test_an_outcome_that_no_database_can_hold_fails_the_job(store: Store, task: Any) -> None:
    task(lambda request, context: {"value": object()})
    assert store.work("toy").error == UNEXPECTED


def test_a_job_ends_as_done_when_the_database_is_back(store: Store, task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    finish, failures = store.queue.finish, [OperationalError("UPDATE", {}, Exception("away"))]

    def away_once(*arguments: Any, **values: Any) -> None:
        if failures:
            raise failures.pop()
        finish(*arguments, **values)

    monkeypatch.setattr(store.queue, "finish", away_once)
    task(lambda request, context: {"answer": 42})
    job = store.work("toy")
    assert (job.state, job.outcome, failures) == ("done", {"answer": 42}, [])


def test_what_an_earlier_worker_left_is_deleted_before_a_job_begins_again(store: Store, task: Any) -> None:
    def run(request: Request, context: TaskContext) -> None:
        assert not (context.folder / "left").exists()
        context.result("whole.png", photo())

    task(run)
    job = store.begin("toy")
    first = store.claim(worker="first")
    context = TaskContext(first, store.library, store.queue, Worker(store.queue, store.library, "", "")._models, "cpu")
    context.result("half.png", photo())
    (context.folder / "left").write_bytes(b"x")
    store.queue.release("first")
    Worker(store.queue, store.library, "paint", "cpu").do(store.claim())
    assert [file.name for file in store.results(job)] == ["whole.png"]


def test_a_worker_that_lost_its_job_deletes_nothing_of_the_next_one(store: Store, task: Any) -> None:
    task(lambda request, context: None)
    store.begin("toy")
    lost = store.claim(worker="first")
    store.queue.release("first")
    held = store.claim(worker="second")
    context = TaskContext(held, store.library, store.queue, Worker(store.queue, store.library, "", "")._models, "cpu")
    context.result("whole.png", photo())
    (context.folder / "data").touch()
    Worker(store.queue, store.library, "paint", "cpu").do(lost)
    assert [file.name for file in store.results(held)] == ["whole.png"]
    assert (context.folder / "data").exists() and state(store, held) == "running"


def test_a_training_that_is_resumed_as_soon_as_it_is_cancelled_keeps_its_folder(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(request: Request, context: TaskContext) -> None:
        (context.folder / "data").touch()
        context.end("cancel")
        context.check()

    training = Task("train", Request, cancelled, "train", "", lambda request, files: False, True, "/train")
    monkeypatch.setitem(TASKS, "train", training)
    job = store.begin("train")
    kept = resumed_before_deletion(store, job, monkeypatch)
    Worker(store.queue, store.library, "train", "cpu").do(store.claim("train"))
    assert kept.exists() and state(store, job) == "running"
    assert list(store.library.work.iterdir()) == [kept.parent] and list(kept.parent.iterdir()) == [kept]


def test_light_jobs_run_side_by_side_and_others_alone(store: Store, task: Any) -> None:
    running, most, lock = set[str](), list[set[str]](), threading.Lock()
    both = threading.Barrier(2)

    def run(request: Request, context: TaskContext) -> None:
        with lock:
            running.add(request.name)
            most.append(set(running))
        if request.light:
            both.wait(60)
        with lock:
            running.discard(request.name)

    task(run)
    jobs = [store.begin("toy", name=name, light=name.islower()) for name in ("a", "b", "C", "d", "e")]
    with at_work(store):
        wait_for(lambda: all(state(store, job) == "done" for job in jobs))
    assert {"C"} in most and all(len(each) == 1 for each in most if "C" in each)
    assert {"a", "b"} in most and {"d", "e"} in most


def test_what_somebody_waits_for_does_not_wait_for_a_long_job(store: Store, task: Any) -> None:
    release, begun = threading.Event(), threading.Event()

    def run(request: Request, context: TaskContext) -> None:
        if not request.light:
            begun.set()
            release.wait(60)

    task(run)
    long = store.begin("toy", light=False)
    with at_work(store):
        begun.wait(60)
        later = store.begin("toy")
        preview = store.queue.submit("toy", "paint", {}, [], priority=2, light=True)
        wait_for(lambda: state(store, preview) == "done")
        assert (state(store, long), state(store, later)) == ("running", "queued")
        release.set()
        wait_for(lambda: state(store, later) == "done")


def endless(request: Request, context: TaskContext) -> None:
    while True:
        context.progress(1, 2)
        time.sleep(0.01)


@pytest.mark.parametrize("light", [True, False])
def test_a_running_job_obeys_the_wish_to_cancel(store: Store, task: Any, light: bool) -> None:
    task(endless)
    job = store.begin("toy", light=light)
    with at_work(store):
        wait_for(lambda: state(store, job) == "running")
        store.queue.cancel(job.id)
        wait_for(lambda: state(store, job) == "cancelled")


def test_a_worker_that_is_told_to_stop_puts_its_jobs_back(store: Store, task: Any) -> None:
    task(endless)
    jobs = [store.begin("toy") for _ in range(3)]
    with at_work(store):
        wait_for(lambda: sum(state(store, job) == "running" for job in jobs) == 2)
    for job in map(store.queue.job, [job.id for job in jobs]):
        assert (job.state, job.attempts, job.claim) == ("queued", 0, None)


def test_a_job_that_was_taken_over_stops(store: Store, task: Any) -> None:
    task(endless)
    job = store.begin("toy")
    with at_work(store) as worker:
        wait_for(lambda: state(store, job) == "running")
        store.queue.release(worker.name)
        taken = store.queue.claim("paint", "other", priority=0)
        if taken is None:  # the worker itself was quicker
            store.queue.fail(job.id, "enough")
            wait_for(lambda: not worker._held)
            return
        wait_for(lambda: not worker._held)
        assert store.queue.job(job.id).worker == "other"


def test_leases_are_renewed_and_those_of_others_expire(
    store: Store, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.serving.worker.EXPIRE_EVERY", 1.0)
    task(endless)
    gone = store.begin("toy", name="gone")
    store.claim(worker="gone")
    job = store.begin("toy")
    with at_work(store):
        wait_for(lambda: state(store, job) == "running")
        first = store.queue.job(job.id).lease
        wait_for(lambda: store.queue.job(job.id).lease != first)
        monkeypatch.setattr(store.queue, "clock", lambda: time.time() + LEASE + 1)  # nobody renews "gone"
        wait_for(lambda: store.queue.job(gone.id).worker != "gone")
        assert state(store, job) == "running" and store.queue.job(job.id).attempts == 0


def test_a_worker_waits_for_a_database_that_is_away(
    store: Store, task: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claim, failures = store.queue.claim, [OperationalError("SELECT", {}, Exception("away"))]

    def away_once(*arguments: Any, **options: Any) -> Job | None:
        if failures:
            raise failures.pop()
        return claim(*arguments, **options)

    monkeypatch.setattr(store.queue, "claim", away_once)
    task(lambda request, context: None)
    job = store.begin("toy")
    with caplog.at_level(logging.WARNING), at_work(store):
        wait_for(lambda: state(store, job) == "done")
    assert "does not answer" in caplog.text


def test_a_worker_process_ends_when_its_server_is_gone(store: Store) -> None:
    job = store.begin("paint", files=[store.upload("a.png", photo()).id], style="negative")
    command = [sys.executable, "-m", "impasto.serving.worker", "--folder", str(store.library.folder), "--lane", "paint"]
    with subprocess.Popen([*command, "--device", "cpu", "--child"], stdin=subprocess.PIPE) as process:
        wait_for(lambda: state(store, job) == "done")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == 0
    assert len(store.results(job)) == 1
