"""Listeners hear of every job's last state, and streams end with the server."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from fixtures.http_studio import parts
from impasto.serving.changes import LOOK_EVERY, Changes, Encoded, Listener
from impasto.serving.jobs import JobQueue
from impasto.serving.library import NotFoundError
from impasto.serving.limits import Limits
from impasto.serving.tables import Job

PATIENCE = 60


def run(folder: Path, test: Callable[[Changes, JobQueue], Awaitable[None]]) -> None:
    """Run a coroutine with changes that look, and check that no listener stays."""

    async def call(queue: JobQueue) -> None:
        changes = Changes(queue)
        await changes.start()
        await test(changes, queue)
        await changes.stop()
        assert changes.listeners == 0

    with parts(folder, Limits()) as (_, queue, _):
        asyncio.run(call(queue))


def submit(queue: JobQueue) -> str:
    return queue.submit("paint", "paint", {}, []).id


def test_a_slow_reader_gets_the_last_state_of_each_job_once() -> None:
    async def call() -> None:
        listener = Listener()
        for number in range(1000):
            listener.put(Job(id=f"{number % 3}", done=number))
        found = [await listener.next(0) for _ in range(4)]
        assert [job.done for job in found if job is not None] == [997, 998, 999]
        assert found[3] is None

    asyncio.run(call())


def test_changes_are_heard_in_order(tmp_path: Path) -> None:
    async def test(changes: Changes, queue: JobQueue) -> None:
        with changes.listen() as listener:
            job, states = submit(queue), list[str]()
            while not states or states[-1] != "done":
                heard = await listener.next(PATIENCE)
                assert heard is not None
                assert heard.id == job
                states.append(heard.state)
                if heard.state == "queued":
                    claimed = queue.claim("paint", "machine/1/1/paint")
                    assert claimed is not None
                elif heard.state == "running":
                    assert claimed is not None
                    queue.finish(claimed, "done")
        assert states == ["queued", "running", "done"]

    run(tmp_path, test)


def test_who_waits_for_an_end_gets_it_or_the_state_when_time_is_up(tmp_path: Path) -> None:
    async def test(changes: Changes, queue: JobQueue) -> None:
        job = submit(queue)
        assert (await changes.ended(job, 0)).state == "queued"
        waiting = asyncio.create_task(changes.ended(job, PATIENCE))
        while not changes.listeners:
            await asyncio.sleep(0)
        queue.cancel(job)
        assert (await waiting).state == "cancelled"
        assert (await changes.ended(job, 0)).state == "cancelled"
        with pytest.raises(NotFoundError):
            await changes.ended("0" * 32, 0)

    run(tmp_path, test)


def test_an_end_that_nobody_heard_of_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.serving.changes.AGAIN", 0.05)

    async def test(changes: Changes, queue: JobQueue) -> None:
        job = submit(queue)
        monkeypatch.setattr(queue, "changed_since", lambda moment: {})
        waiting = asyncio.create_task(changes.ended(job, PATIENCE))
        while not changes.listeners:
            await asyncio.sleep(0)
        queue.cancel(job)
        assert (await waiting).state == "cancelled"

    run(tmp_path, test)


def test_an_event_is_encoded_once_for_all_listeners_and_again_after_an_error() -> None:
    made = []

    def encode() -> bytes:
        made.append(1)
        if len(made) == 1:
            raise OSError("away")
        return b"event"

    async def call() -> None:
        encoded, job = Encoded(), Job(id="a", changed=1.0)
        with pytest.raises(OSError, match="away"):
            await encoded.get(job, encode)
        assert await asyncio.gather(*(encoded.get(job, encode) for _ in range(9))) == [b"event"] * 9
        await encoded.get(Job(id="a", changed=2.0), encode)

    asyncio.run(call())
    assert len(made) == 3


def test_only_jobs_that_were_not_seen_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(changes: Changes, queue: JobQueue) -> None:
        loaded, load = list[str](), queue.load

        def counted(new: list[str]) -> Sequence[Job]:
            loaded.extend(new)
            return load(new)

        monkeypatch.setattr(queue, "load", counted)
        with changes.listen() as listener:
            made = [submit(queue) for _ in range(3)]
            assert {(await listener.next(PATIENCE)).id for _ in made} == set(made)  # type: ignore[union-attr]
            await asyncio.sleep(3 * LOOK_EVERY)
        assert sorted(loaded) == sorted(made)

    run(tmp_path, test)


def test_listeners_end_with_the_server(tmp_path: Path) -> None:
    async def test(changes: Changes, queue: JobQueue) -> None:
        job = submit(queue)
        waiting = asyncio.create_task(changes.ended(job, PATIENCE))
        while not changes.listeners:
            await asyncio.sleep(0)
        changes.close()
        assert (await waiting).state == "queued"
        with changes.listen() as late:
            assert late.closed
            assert await late.next(PATIENCE) is None

    run(tmp_path, test)


def test_a_database_that_is_away_for_a_moment_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(changes: Changes, queue: JobQueue) -> None:
        real, failed = queue.changed_since, asyncio.Event()
        loop = asyncio.get_running_loop()

        def fail(moment: float) -> dict[str, float]:
            monkeypatch.setattr(queue, "changed_since", real)
            loop.call_soon_threadsafe(failed.set)
            raise OSError("away")

        monkeypatch.setattr(queue, "changed_since", fail)
        with changes.listen() as listener:
            await failed.wait()
            job = submit(queue)
            heard = await listener.next(PATIENCE)
            assert heard is not None
            assert heard.id == job

    run(tmp_path, test)
