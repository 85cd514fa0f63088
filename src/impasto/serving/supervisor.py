"""Starts the worker processes of this server, and ends and replaces those that hang, grow too large or die."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.limits import Limits
from impasto.serving.worker import worker_name

#: Seconds between two looks at the workers.
LOOK_EVERY = 0.5
#: Seconds within which a worker obeys a wish to cancel or pause, and within which it ends, before it is killed.
PATIENCE = {"paint": 10.0, "train": 120.0}
#: Niceness of trainings, so that painting goes first and they still get the idle time.
TRAIN_NICE = 7
#: Seconds after which a worker that died is started again.
RESTART_AFTER = 1.0

_log = logging.getLogger(__name__)


@dataclass
class _Child:
    """A worker process, and whether its end may be the fault of the jobs that it holds."""

    lane: str
    process: subprocess.Popen[bytes]
    name: str
    started: float
    blame: bool = True


class Supervisor:
    """The workers of this server: one for painting, one for training."""

    def __init__(
        self,
        queue: JobQueue,
        library: Library,
        limits: Limits,
        *,
        database: str,
        device: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue, self._library, self._limits = queue, library, limits
        self._database, self._device, self._clock = database, device, clock
        self._children: dict[str, _Child] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._memory = limits.worker_bytes or psutil.virtual_memory().total * 3 // 4

    def start(self) -> None:
        """Start workers. Jobs of workers that are gone are taken back when their leases expire."""
        for lane in ("paint", "train"):
            self._start(lane)
        self._thread.start()

    def stop(self) -> None:
        """Ask the workers to end, and wait; kill those that do not."""
        self._stopping.set()
        self._thread.join()
        for child in self._children.values():
            child.process.terminate()
        for child in self._children.values():
            try:
                child.process.wait(PATIENCE[child.lane])
            except subprocess.TimeoutExpired:
                child.process.kill()
            _end(child)
            self._queue.release(child.name, blame=False)

    def wake(self, lane: str) -> None:
        """Let the worker of a lane look for a job now, which it otherwise does twice a second."""
        child = self._children.get(lane)
        if child is not None and child.process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):  # it has ended, and another looks when it starts
                child.process.stdin.write(b"\n")
                child.process.stdin.flush()

    @property
    def ready(self) -> bool:
        """Whether all workers run."""
        return len(self._children) == 2 and all(each.process.poll() is None for each in self._children.values())

    @property
    def processes(self) -> dict[str, int]:
        """Process identifiers of the workers, by lane."""
        return {lane: child.process.pid for lane, child in self._children.items()}

    def _start(self, lane: str) -> None:
        command = [sys.executable, "-m", "impasto.serving.worker", "--folder", str(self._library.folder)]
        command += ["--lane", lane, "--device", self._device, "--child"]
        command += ["--nice", str(TRAIN_NICE)] if lane == "train" else []
        name = worker_name(lane)
        command += ["--name", name]
        environment = os.environ | {"IMPASTO_DATABASE": self._database}  # not in the list of processes
        # In a session of its own: Ctrl-C in a terminal is for the server, which asks its workers to end.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)
        self._children[lane] = _Child(lane, process, name, time.monotonic())

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            for lane, child in list(self._children.items()):
                try:
                    if child.process.poll() is not None:
                        self._replace(lane, child)
                    else:
                        self._limit(child)
                except Exception:  # the database may be away for a moment
                    _log.exception("The worker for %s cannot be watched", lane)

    def _replace(self, lane: str, child: _Child) -> None:
        _log.warning("The worker for %s ended with %d; a new one resumes its jobs.", lane, child.process.returncode)
        _end(child)
        self._queue.release(child.name, blame=child.blame)
        self._stopping.wait(max(0.0, RESTART_AFTER - (time.monotonic() - child.started)))
        self._start(lane)

    def _limit(self, child: _Child) -> None:
        """Kill a worker that does not obey, gets no further with a job or takes too much memory."""
        now, jobs, patience = self._clock(), self._queue.running(child.name), self._limits.stalled_seconds
        for job in jobs:
            disobeys = job.wish is not None and now - (job.wished or now) > PATIENCE[child.lane]
            stalls = child.lane != "train" and now - job.changed > patience
            if stalls and not disobeys:
                self._queue.fail(job.id, f"This got no further for {patience / 3600:.1f} hours.")
            if stalls or disobeys:
                child.blame = False  # the other jobs of this worker did nothing wrong
                child.process.kill()
        if jobs and _memory(child.process.pid) > self._memory:
            _log.warning("The worker for %s takes more than %d bytes and is ended.", child.lane, self._memory)
            child.process.kill()


def _end(child: _Child) -> None:
    """Wait for a process that has ended, or was killed."""
    with child.process:
        pass


def _memory(pid: int) -> int:
    """Return the resident memory of a process in bytes; 0 once it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
