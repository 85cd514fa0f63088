"""A worker process: takes jobs of one lane, one after the other or small ones side by side, until it is told to stop.

``python -m impasto.serving.worker`` is started by the server (:mod:`impasto.serving.supervisor`), and can be started by
hand on other machines that share the database and the folder.
"""

import argparse
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil
import torch

from impasto.errors import ImpastoError
from impasto.serving.database import Database
from impasto.serving.jobs import RENEW, JobQueue, LostError, is_light
from impasto.serving.library import Library
from impasto.serving.limits import Limits
from impasto.serving.tables import Job
from impasto.serving.tasks import TASKS, Stopped, TaskContext
from impasto.serving.tasks.base import Models

#: Seconds between two looks for a job.
LOOK_EVERY = 0.05

_log = logging.getLogger(__name__)


def worker_name(lane: str) -> str:
    """Return the identifier of this process: machine, process and when that started, lane."""
    return f"{os.uname().nodename}/{os.getpid()}/{psutil.Process().create_time():.2f}/{lane}"


def is_alive(worker: str) -> bool | None:
    """Whether the process of that identifier runs; None if it is on another machine."""
    machine, process, started, _ = worker.split("/")
    if machine != os.uname().nodename:
        return None
    try:
        found = psutil.Process(int(process))
        return f"{found.create_time():.2f}" == started and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass
class Worker:
    """Takes the jobs of a lane."""

    queue: JobQueue
    library: Library
    lane: str
    device: str
    name: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.name = self.name or worker_name(self.lane)
        self._models = Models(self.library, self.device)
        self._held: dict[str, TaskContext] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        """Take jobs until :attr:`stopping` is set. Jobs that can go on elsewhere are put back then."""
        threading.Thread(target=self._renew, daemon=True).start()
        slots = 1 if self.lane == "train" or self.device.startswith("cuda") else max(torch.get_num_threads(), 1)
        pool = ThreadPoolExecutor(slots, initializer=torch.set_num_threads, initargs=(1,))
        running: set[Future[None]] = set()
        while not self.stopping.is_set():
            running = {each for each in running if not each.done()}
            # A light job runs beside others; any other waits until it is alone.
            job = None
            if len(running) < slots:
                job = self.queue.claim(self.lane, self.name, light=bool(running))
            if job is None:
                self.stopping.wait(LOOK_EVERY)
            elif slots > 1 and is_light(job):
                running.add(pool.submit(self.do, job))
            else:
                self.do(job)
        pool.shutdown(wait=True)

    def do(self, job: Job) -> None:
        """Run one job to its end, whatever happens in it."""
        if job.claim is None:
            return
        context = TaskContext(job, self.library, self.queue, self._models, self.device)
        with self._lock:
            self._held[job.claim] = context
        try:
            self._run(job, context)
        except LostError:
            _log.info("Job %s was taken over.", job.id)
        finally:
            with self._lock:
                del self._held[job.claim]

    def _run(self, job: Job, context: TaskContext) -> None:
        try:
            task = TASKS[job.kind]
            outcome = task.run(task.request.model_validate(job.settings), context)
        except Stopped as stopped:
            self._stop(job, stopped.wish)
        except LostError:
            raise
        except ImpastoError as error:
            self.queue.finish(job, "failed", error=context.explain(error))
        except MemoryError:
            self.queue.finish(job, "failed", error="This takes more memory than there is.")
        except Exception:
            _log.exception("Job %s failed", job.id)
            self.queue.finish(job, "failed", error="This failed for a reason that is in the log of the server.")
        else:
            self.queue.finish(job, "done", outcome=outcome)

    def _stop(self, job: Job, wish: str) -> None:
        match wish:
            case "cancel":
                self.queue.finish(job, "cancelled", message="Cancelled.")
            case "pause":
                self.queue.finish(job, "paused")
            case _:  # the worker ends, and another goes on
                self.queue.finish(job, "queued")

    def stop(self) -> None:
        """Take no more jobs, and put back those that run at their next report."""
        self.stopping.set()
        with self._lock:
            for context in self._held.values():
                context.wish = "requeue"
                context.stop.set()

    def _renew(self) -> None:
        """Renew the leases of the jobs held, and pass on what is wished of them."""
        while True:
            try:
                wishes = self.queue.renew(self.name)
            except Exception as error:  # a database that is away for a moment
                _log.warning("The database does not answer: %s", error)
            else:
                with self._lock:
                    held = dict(self._held)
                for claim, context in held.items():
                    wish = wishes.get(claim)
                    if wish is not None and not context.stop.is_set():
                        context.wish = wish
                        context.stop.set()
            self.stopping.wait(min(RENEW, 0.5 if self._held else RENEW))
            if self.stopping.is_set() and not self._held:
                return
            if self.stopping.is_set():
                time.sleep(0.2)


def _end_with_parent(stop: Callable[[], None]) -> None:
    """Stop when the pipe from the server closes: it has ended, however it did."""

    def wait() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock would be held when the interpreter ends
            pass
        stop()
        time.sleep(20)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Run a worker of the command line."""
    parser = argparse.ArgumentParser(description="Take jobs of the studio.")
    parser.add_argument("--database", default=os.environ.get("IMPASTO_DATABASE", ""), help="URL; default SQLite")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--lane", choices=["paint", "train"], required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--child", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("impasto").setLevel(logging.WARNING)
    if arguments.nice and hasattr(os, "nice"):
        os.nice(arguments.nice)
    limits = Limits()
    database = Database(arguments.database or f"sqlite:///{arguments.folder / 'studio.db'}")
    library = Library(arguments.folder, database, limits)
    worker = Worker(JobQueue(database, library, limits), library, arguments.lane, arguments.device)

    def interrupt(number: int, frame: FrameType | None) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    if arguments.child:
        _end_with_parent(worker.stop)
    worker.run()


if __name__ == "__main__":
    main()
