"""What happens to jobs, as streams of events: one task looks into the database for all who listen."""

import asyncio
import time
from collections.abc import AsyncIterator

from impasto.serving.jobs import ENDED, JobQueue
from impasto.serving.tables import Job

#: Seconds between two looks, and by how much a look reaches back, as other processes write with their own clocks.
LOOK_EVERY, OVERLAP = 0.05, 2.0
#: Changes that wait for a slow listener; it loses older ones.
WAITING = 1_000


class Changes:
    """Publishes changed jobs to listeners."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._listeners: set[asyncio.Queue[Job]] = set()
        self._seen: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """End looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def all(self, patience: float) -> AsyncIterator[Job | None]:
        """Yield every job that changes from now on; None if none did for so many seconds."""
        waiting: asyncio.Queue[Job] = asyncio.Queue(WAITING)
        self._listeners.add(waiting)
        self._wake.set()
        try:
            yield None  # now nothing is missed
            while True:
                try:
                    yield await asyncio.wait_for(waiting.get(), patience)
                except TimeoutError:
                    yield None
        finally:
            self._listeners.discard(waiting)

    async def ended(self, identifier: str, seconds: float) -> Job:
        """Return a job once it has ended or is paused, or as it is after so many seconds. Raises NotFoundError."""
        end = asyncio.get_running_loop().time() + seconds
        changes = self.all(seconds)
        try:
            await anext(changes)
            job = await asyncio.to_thread(self._queue.job, identifier)
            while job.state not in (*ENDED, "paused"):
                left = end - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                try:
                    changed = await asyncio.wait_for(anext(changes), left)
                except TimeoutError:
                    break
                if changed is not None and changed.id == identifier:
                    job = changed
            return job
        finally:
            await changes.aclose()  # type: ignore[attr-defined]

    async def _look(self) -> None:
        moment = time.time()
        while True:
            if not self._listeners:
                self._wake.clear()
                await self._wake.wait()
                moment = time.time() - OVERLAP
            try:
                changed = await asyncio.to_thread(self._queue.changed_since, moment - OVERLAP)
            except Exception:  # the database may be away for a moment; the next look finds what changed
                await asyncio.sleep(1)
                continue
            for job in changed:
                if self._seen.get(job.id) != job.changed:
                    self._publish(job)
            self._seen = {job.id: job.changed for job in changed}
            moment = max([moment, *(job.changed for job in changed)])
            await asyncio.sleep(LOOK_EVERY)

    def _publish(self, job: Job) -> None:
        for waiting in self._listeners:
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(job)
