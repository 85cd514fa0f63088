"""What happens to jobs, as streams of events: one task looks into the database for all who listen."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from impasto.serving.jobs import ENDED, JobQueue
from impasto.serving.tables import Job

#: Seconds between two looks, and by how much a look reaches back, as other processes write with their own clocks.
LOOK_EVERY, OVERLAP = 0.05, 2.0
#: Seconds after which who waits for the end of a job looks at it without having heard of it.
AGAIN = 5.0
#: Events that are kept as bytes.
ENCODED = 1000


class Listener:
    """Changes that one reader has not seen yet; of each job the last, so that a slow reader needs no memory."""

    def __init__(self) -> None:
        self._waiting: dict[str, Job] = {}
        self._event = asyncio.Event()
        self.closed = False

    def put(self, job: Job) -> None:
        """Add a change."""
        self._waiting.pop(job.id, None)
        self._waiting[job.id] = job
        self._event.set()

    def close(self) -> None:
        """Tell the reader that nothing follows."""
        self.closed = True
        self._event.set()

    async def next(self, patience: float) -> Job | None:
        """Return the oldest change; None if there is none for so many seconds, or the server ends."""
        if not self._waiting and not self.closed:
            self._event.clear()
            try:
                await asyncio.wait_for(self._event.wait(), patience)
            except TimeoutError:
                return None
        return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None


class Encoded:
    """Events as bytes, each made once for all listeners."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, float], asyncio.Task[bytes]] = OrderedDict()

    async def get(self, job: Job, encode: Callable[[], bytes]) -> bytes:
        """Return the event of a change, which ``encode`` makes in a thread if nobody has asked for it yet."""
        key = (job.id, job.changed)
        made = self._made.get(key)
        if made is None or (made.done() and (made.cancelled() or made.exception())):
            made = self._made[key] = asyncio.create_task(asyncio.to_thread(encode))
            while len(self._made) > ENCODED:
                self._made.popitem(last=False)
        return await asyncio.shield(made)  # others wait for it, too, if this listener leaves


class Changes:
    """Publishes changed jobs to listeners."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._listeners: set[Listener] = set()
        self._seen: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """End looking, and all streams."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for listener in self._listeners:
            listener.close()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """A listener that misses nothing from now on. It may hear of changes shortly before."""
        listener = Listener()
        if self._closed:
            listener.close()
        self._listeners.add(listener)
        self._wake.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def ended(self, identifier: str, seconds: float) -> Job:
        """Return a job once it has ended or is paused, or as it is after so many seconds. Raises NotFoundError."""
        end = time.monotonic() + seconds
        with self.listen() as listener:
            job = await asyncio.to_thread(self._queue.job, identifier)
            while job.state not in (*ENDED, "paused") and not listener.closed:
                left = end - time.monotonic()
                if left <= 0:
                    break
                changed = await listener.next(min(left, AGAIN))
                if changed is None:
                    job = await asyncio.to_thread(self._queue.job, identifier)
                elif changed.id == identifier:
                    job = changed
        return job

    async def _look(self) -> None:
        moment = time.time()
        while True:
            if not self._listeners:
                self._wake.clear()
                await self._wake.wait()
                moment = time.time() - OVERLAP
            try:
                changed = await asyncio.to_thread(self._queue.changed_since, moment - OVERLAP)
                new = [each for each, at in changed.items() if self._seen.get(each) != at]
                jobs = await asyncio.to_thread(self._queue.load, new) if new else []
            except Exception:  # the database may be away for a moment; the next look finds what changed
                await asyncio.sleep(1)
                continue
            for job in jobs:
                for listener in self._listeners:
                    listener.put(job)
            self._seen = changed | {job.id: job.changed for job in jobs}
            moment = max([moment, *self._seen.values()])
            await asyncio.sleep(LOOK_EVERY)
