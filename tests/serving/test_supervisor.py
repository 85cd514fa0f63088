"""Workers that are killed are replaced, and what they did is neither lost nor done twice."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from fixtures.store import Store, open_store, photo, wait_for, with_limits
from impasto.serving import worker as worker_module
from impasto.serving.limits import Limits
from impasto.serving.supervisor import Supervisor, _Child
from impasto.serving.tables import Job

#: Small photos of the jobs that are killed, and worker processes that a job may end.
PHOTOS, ATTEMPTS = 50, 2


@contextmanager
def supervised(store: Store) -> Iterator[Supervisor]:
    limits = store.library.limits
    supervisor = Supervisor(store.queue, store.library, limits, database=store.url, device="cpu")
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def kill(supervisor: Supervisor) -> None:
    with suppress(ProcessLookupError):
        os.kill(supervisor.processes["paint"], signal.SIGKILL)


def states(store: Store, jobs: list[Job]) -> list[str]:
    return [store.queue.job(job.id).state for job in jobs]


def slow(store: Store) -> Job:
    """Begin a job that takes some seconds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(400):
            archive.writestr(f"{number}.png", photo(number, (64, 48)))
    return store.begin("paint", files=[store.upload("slow.zip", buffer.getvalue()).id], style="negative")


@pytest.mark.long
def test_jobs_survive_kills_and_one_that_kills_its_worker_each_time_fails(tmp_path: Path) -> None:
    store = open_store(tmp_path / "studio", Limits(attempts=ATTEMPTS))
    files = [store.upload(f"{number}.png", photo(number)) for number in range(PHOTOS)]
    jobs = [store.begin("paint", files=[file.id], style="negative") for file in files[: PHOTOS // 2]]
    poison = slow(store)
    jobs += [store.begin("paint", files=[file.id], style="negative") for file in files[PHOTOS // 2 :]]
    with supervised(store) as supervisor:
        wait_for(lambda: "done" in states(store, jobs))
        kill(supervisor)
        for _ in range(ATTEMPTS):
            wait_for(lambda: store.queue.job(poison.id).state == "running")
            kill(supervisor)
            wait_for(lambda: store.queue.job(poison.id).state != "running")
        failed = store.queue.job(poison.id)
        assert failed.state == "failed" and f"ended its worker process {ATTEMPTS} times" in (failed.error or "")
        wait_for(lambda: set(states(store, jobs)) <= {"done", "failed"})
        wait_for(lambda: supervisor.ready)
    assert set(states(store, jobs)) == {"done"}
    for job, file in zip(jobs, files, strict=True):
        (painting,) = store.results(job)
        assert painting.source == file.id
        assert (store.pixels(painting) == 255 - store.pixels(file)).all()
    stored = {path.stem for path in store.library.files.iterdir()}
    assert stored == {file.id for file in store.library.browse(limit=1000)}, "bytes without an entry, or the reverse"
    store.library.database.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "studio", styles={})
    yield opened
    opened.library.database.close()


@pytest.fixture
def child() -> Iterator[_Child]:
    """A process that does nothing, in the place of a worker."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield _Child("paint", process, "child", 0.0)
        process.kill()


def is_killed(store: Store, child: _Child, now: float = 0.0, **limits: Any) -> bool:
    """Whether a look of the supervisor kills a worker, so many seconds from now."""
    watched = with_limits(store, **limits)
    clock = lambda: time.time() + now  # noqa: E731
    supervisor = Supervisor(
        watched.queue, watched.library, watched.library.limits, database=store.url, device="cpu", clock=clock
    )
    supervisor._limit(child)
    if child.process.poll() is None:
        time.sleep(0.1)
    return child.process.poll() == -signal.SIGKILL


@pytest.mark.parametrize("wish", ["cancel", "pause"])
def test_a_worker_that_does_not_obey_is_killed(store: Store, child: _Child, wish: str) -> None:
    store.queue.submit("paint", "paint", {}, [])
    job = store.claim(worker="child")
    assert not is_killed(store, child, now=100.0)
    getattr(store.queue, wish)(job.id)
    assert not is_killed(store, child) and child.blame
    assert is_killed(store, child, now=100.0)
    assert not child.blame, "its other jobs did nothing wrong"


def test_a_job_that_gets_no_further_fails_and_its_worker_is_killed(store: Store, child: _Child) -> None:
    store.queue.submit("paint", "paint", {}, [])
    job = store.claim(worker="child")
    with store.library.database.write() as session:  # it was taken long ago, and reported just now
        session.execute(update(Job).values(claimed=job.created - 1e6))
    assert not is_killed(store, child, now=3590.0, stalled_seconds=3600.0)
    assert is_killed(store, child, now=3601.0, stalled_seconds=3600.0)
    failed = store.queue.job(job.id)
    assert (failed.state, failed.error) == ("failed", "This got no further for 1.0 hours.")
    assert not child.blame


def test_a_job_that_waited_for_days_has_its_whole_time(store: Store, child: _Child) -> None:
    store.queue.submit("paint", "paint", {}, [])
    job = store.claim(worker="first")
    store.queue.release("first", blame=False)
    with store.library.database.write() as session:
        session.execute(update(Job).values(started=job.created - 1e6))
    store.claim(worker="child")
    assert not is_killed(store, child)


def test_a_worker_that_grows_too_large_is_killed(store: Store, child: _Child) -> None:
    assert not is_killed(store, child, worker_bytes=1), "it has no job that could be the reason"
    store.queue.submit("paint", "paint", {}, [])
    store.claim(worker="child")
    assert not is_killed(store, child, worker_bytes=1 << 40)
    assert is_killed(store, child, worker_bytes=1) and child.blame


def test_a_worker_that_is_woken_looks_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path / "studio")
    worker = worker_module.Worker(store.queue, store.library, "paint", "cpu")
    monkeypatch.setattr(worker_module, "IDLE", 3600.0)
    running = threading.Thread(target=worker.run)
    running.start()
    reading, writing = os.pipe()
    following = threading.Thread(target=worker_module.follow, args=(reading, worker))
    following.start()
    job = store.begin("paint", files=[store.upload("a.png", photo(0)).id], style="negative")
    os.write(writing, b"\n")
    wait_for(lambda: states(store, [job]) == ["done"])
    os.close(writing)  # the server is gone
    running.join(60)
    following.join(60)
    assert not running.is_alive() and not following.is_alive()
    os.close(reading)
    store.library.database.close()
