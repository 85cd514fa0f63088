"""The queue: states, wishes, claims, leases and fences, on SQLite and on PostgreSQL."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete

from fixtures.clock import FakeClock
from fixtures.postgres import empty
from fixtures.store import Store, open_store, photo, with_limits
from impasto.errors import ImpastoError
from impasto.serving.jobs import ENDED, LEASE, JobQueue, QueueFullError
from impasto.serving.library import LostError, NotFoundError
from impasto.serving.limits import Limits
from impasto.serving.tables import Job, JobInput, StoredFile


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        empty(url)
    store = open_store(tmp_path_factory.mktemp("store"), url=url, styles={})
    yield store
    store.library.database.close()


@pytest.fixture
def store(opened: Store, clock: FakeClock) -> Store:
    with opened.library.database.write() as session:
        for table in (JobInput, StoredFile, Job):
            session.execute(delete(table))
    return Store(opened.library, JobQueue(opened.library.database, opened.library, Limits(), clock), opened.url)


def submit(store: Store, **options: Any) -> Job:
    return store.queue.submit("paint", "paint", {}, [], **options)


def test_jobs_are_taken_by_priority_and_then_in_order(store: Store, clock: FakeClock) -> None:
    made = []
    for priority in (0, 0, 2, 1):
        made.append(submit(store, priority=priority).id)
        clock.advance(1)
    assert [store.queue.place(store.queue.job(each)) for each in made] == [3, 4, 1, 2]
    assert [store.claim().id for _ in made] == [made[2], made[3], made[0], made[1]]
    assert store.queue.claim("paint", "tester") is None


def test_only_a_light_job_that_ended_no_worker_is_taken_to_run_beside_others(store: Store, clock: FakeClock) -> None:
    light = submit(store, light=True)
    clock.advance(1)
    heavy = submit(store)
    assert store.claim(light=True).id == light.id
    assert store.queue.claim("paint", "tester", light=True) is None
    store.queue.release("tester")
    assert store.queue.claim("paint", "tester", light=True) is None  # it may have ended its worker
    assert store.claim().id == light.id and store.claim().id == heavy.id


def test_beside_a_long_job_only_urgent_ones_are_taken(store: Store, clock: FakeClock) -> None:
    submit(store, light=True)
    assert store.queue.claim("paint", "tester", light=True, priority=1) is None
    urgent = submit(store, light=True, priority=2)
    assert store.claim(light=True, priority=1).id == urgent.id


def test_many_threads_take_every_job_once(store: Store) -> None:
    made = {submit(store).id for _ in range(40)}

    def take(worker: int) -> list[str]:
        taken = []
        while store.queue.counts().get(("paint", "queued")):
            job = store.queue.claim("paint", str(worker))
            if job is not None:
                taken.append(job.id)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [job for jobs in pool.map(take, range(8)) for job in jobs]
    assert Counter(taken) == Counter(made)


TAKE_ALL = """
import sys
from pathlib import Path
from impasto.serving.database import Database
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.limits import Limits
folder, url, worker = sys.argv[1:]
database = Database(url)
queue = JobQueue(database, Library(Path(folder), database, Limits()), Limits())
sys.stdin.read(1)
while job := queue.claim("paint", worker) or queue.counts().get(("paint", "queued")):
    if not isinstance(job, int):
        print(job.id)
"""


def test_many_processes_take_every_job_once(store: Store) -> None:
    made = {submit(store).id for _ in range(60)}
    command = [sys.executable, "-c", TAKE_ALL, str(store.library.folder), store.url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen([*command, str(number)], **pipes) for number in range(2)]  # type: ignore[call-overload]
    taken = Counter(line for worker in workers for line in worker.communicate("go")[0].split())
    assert taken == Counter(made)


def test_a_lease_is_renewed_or_expires_and_the_job_is_put_back(store: Store, clock: FakeClock) -> None:
    submit(store)
    job = store.claim()
    clock.advance(LEASE - 1)
    assert store.queue.renew([job.claim or ""]) == {job.claim: None}
    clock.advance(LEASE - 1)
    assert store.queue.release_expired() == 0
    clock.advance(2)
    assert store.queue.release_expired() == 1
    again = store.queue.job(job.id)
    assert (again.state, again.attempts, again.claim, again.worker) == ("queued", 1, None, None)
    assert store.queue.renew([job.claim or ""]) == {}


def test_a_worker_that_lost_its_claim_cannot_report_finish_or_add_results(store: Store, clock: FakeClock) -> None:
    submit(store)
    lost = store.claim(worker="slow")
    clock.advance(LEASE + 1)
    store.queue.release_expired()
    holder = store.claim(worker="quick")
    data = store.library.work / "result.part"
    for state in ("queued", "running", "done"):
        with pytest.raises(LostError):
            store.queue.report(lost, done=7)
        with pytest.raises(LostError):
            store.queue.finish(lost, "failed", error="no")
        data.write_bytes(photo())
        with pytest.raises(LostError):
            store.library.add("a.png", data, kind="result", job=lost)
        assert store.results(lost) == [] and not any(store.library.incoming.iterdir())
        assert store.queue.job(lost.id).done == 0
        if state == "queued":
            store.queue.report(holder, done=3)
            store.queue.report(holder, done=0)
        elif state == "running":
            store.queue.finish(holder, "done")


def test_a_job_that_ends_its_workers_fails_and_the_others_go_on(store: Store) -> None:
    limit = store.library.limits.attempts
    for attempt in range(1, limit + 1):
        if attempt == 1:
            submit(store)
        job = store.claim(worker=f"worker {attempt}")
        assert store.queue.release(f"worker {attempt}") == 1
    failed, other = store.queue.job(job.id), submit(store)
    assert failed.state == "failed" and failed.finished is not None
    assert f"{limit} times" in (failed.error or "")
    assert store.claim().id == other.id


def test_a_server_that_stops_does_not_count_as_an_attempt(store: Store) -> None:
    submit(store)
    for _ in range(5):
        job = store.claim(worker="w")
        store.queue.release("w", blame=False)
    assert store.queue.job(job.id).state == "queued" and store.queue.job(job.id).attempts == 0


@pytest.mark.parametrize(("wish", "state"), [("cancel", "cancelled"), ("pause", "paused")])
@pytest.mark.parametrize("way", ["expires", "dies", "stops", "obeys"])
def test_a_wish_is_not_lost_however_the_worker_ends(
    store: Store, clock: FakeClock, wish: str, state: str, way: str
) -> None:
    submit(store)
    job = store.claim()
    getattr(store.queue, wish)(job.id)
    assert store.queue.renew([job.claim or ""]) == {job.claim: wish}
    match way:
        case "expires":
            clock.advance(LEASE + 1)
            store.queue.release_expired()
        case "dies":
            store.queue.release("tester")
        case "stops":
            store.queue.finish(job, "queued")
        case "obeys":
            store.queue.finish(job, "cancelled" if wish == "cancel" else "paused")
    ended = store.queue.job(job.id)
    assert ended.state == state and (ended.wish, ended.claim) == (None, None)
    assert (ended.finished is not None) == (state == "cancelled")


def in_state(store: Store, state: str) -> Job:
    job = submit(store)
    if state == "paused":
        return store.queue.pause(job.id)
    if state != "queued":
        job = store.claim()
    if state in ENDED:
        store.queue.finish(job, state)
    return store.queue.job(job.id)


#: What becomes of a job in each state: its state, or "!" if that is refused.
TRANSITIONS = {
    "cancel": {"queued": "cancelled", "running": "running", "paused": "cancelled"},
    "pause": {"queued": "paused", "running": "running"},
    "resume": {"paused": "queued"},
}


@pytest.mark.parametrize("state", ["queued", "running", "paused", *ENDED])
def test_what_users_may_wish_in_each_state(store: Store, state: str) -> None:
    for wish, becomes in TRANSITIONS.items():
        job = in_state(store, state)
        if state in becomes:
            changed = getattr(store.queue, wish)(job.id)
            assert changed.state == store.queue.job(job.id).state == becomes[state]
            assert changed.wish == (wish if state == "running" else None)
        else:
            with pytest.raises(ImpastoError, match="not possible"):
                getattr(store.queue, wish)(job.id)
            assert store.queue.job(job.id).state == state
        with pytest.raises(NotFoundError):
            getattr(store.queue, wish)("0" * 32)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_training_that_was_stopped_is_resumed_as_if_new(store: Store, state: str) -> None:
    store.queue.submit("train", "train", {}, [])
    job = store.claim("train")
    store.queue.report(job, done=7, attempts=2, message="Step 7")
    store.queue.finish(job, state, error="no", outcome={"a": 1})
    resumed = store.queue.resume(job.id)
    assert (resumed.state, resumed.error, resumed.finished, resumed.outcome) == ("queued", None, None, None)
    assert (resumed.attempts, resumed.message, resumed.done) == (0, "", 7)
    assert store.claim("train").id == job.id
    store.queue.finish(store.queue.job(job.id), "done")
    with pytest.raises(ImpastoError, match="not possible"):
        store.queue.resume(job.id)


def test_a_wish_to_cancel_stays_and_its_patience_does_not_begin_again(store: Store, clock: FakeClock) -> None:
    submit(store)
    job = store.claim()
    store.queue.pause(job.id)
    clock.advance(1)
    first = store.queue.cancel(job.id).wished
    clock.advance(1)
    assert store.queue.cancel(job.id).wished == first
    with pytest.raises(ImpastoError):
        store.queue.pause(job.id)
    store.queue.finish(job, "paused")  # it obeyed the first wish
    assert store.queue.job(job.id).state == "cancelled"


def test_a_full_queue_and_files_that_are_gone_are_refused(store: Store) -> None:
    small = with_limits(store, queued=2)
    file = store.upload("a.png", photo())
    with pytest.raises(NotFoundError):
        small.queue.submit("paint", "paint", {}, [file.id, "0" * 32])
    assert small.queue.jobs() == []
    for _ in range(2):
        small.queue.submit("paint", "paint", {}, [file.id, file.id])
    with pytest.raises(QueueFullError):
        submit(small)
    small.queue.submit("train", "train", {}, [])  # each lane has its own


def test_a_file_that_is_deleted_while_a_job_begins_is_kept_or_the_job_refused(store: Store) -> None:
    for _ in range(10):
        file = store.upload("a.png", photo())

        def begin(file: str = file.id) -> str:
            try:
                return store.queue.submit("paint", "paint", {}, [file]).id
            except NotFoundError:
                return ""

        def remove(file: str = file.id) -> bool:
            try:
                store.library.delete(file)
            except ImpastoError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            began, removed = pool.submit(begin), pool.submit(remove)
        assert bool(began.result()) != removed.result()
        if began.result():
            assert store.library.path(store.library.file(file.id)).exists()


def test_changes_are_found_since_a_moment_and_counted(store: Store, clock: FakeClock) -> None:
    first = submit(store)
    clock.advance(5)
    second = submit(store)
    assert store.queue.changed_since(clock()) == {second.id: 5}
    clock.advance(1)
    store.queue.cancel(first.id)
    assert store.queue.changed_since(clock() - 1) == {second.id: 5, first.id: 6}
    assert [job.id for job in store.queue.load([first.id, "0" * 32, second.id])] == [second.id, first.id]
    assert store.queue.counts() == {("paint", "queued"): 1, ("paint", "cancelled"): 1}


def test_the_time_of_jobs_is_learnt_from_those_that_were_done(store: Store, clock: FakeClock) -> None:
    assert store.queue.typical_seconds("paint") is None
    for seconds in (2, 4):
        submit(store)
        job = store.claim()
        clock.advance(seconds)
        store.queue.finish(job, "done")
    assert store.queue.typical_seconds("paint") == pytest.approx(3)
