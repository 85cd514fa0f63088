"""A worker process: takes jobs of one lane, one after the other or small ones side by side, until it is told to stop.

``python -m impasto.serving.worker`` is started by the server (:mod:`impasto.serving.supervisor`), and can be started by
hand on other machines that share the database and the folder.
"""

import argparse
import logging
import os
import platform
import secrets
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from impasto.device import choose_device, out_of_memory
from impasto.errors import ImpastoError
from impasto.inference.translator import GPU_WORKERS
from impasto.serving.cleaning import settle
from impasto.serving.database import Database
from impasto.serving.jobs import JobQueue, is_light
from impasto.serving.library import Library, LostError
from impasto.serving.limits import Limits
from impasto.serving.tables import Job
from impasto.serving.tasks import TASKS, Stopped, TaskContext
from impasto.serving.tasks.models import Models

#: Seconds between two looks for a job while others run and while none does, between two renewals of the leases, and
#: between two looks for expired ones.
LOOK_EVERY, IDLE, RENEW_EVERY, EXPIRE_EVERY = 0.05, 0.5, 0.5, 3.0
#: Priority from which on a small job runs beside one that is not small, which may take hours.
BESIDE = 1
#: Seconds that a worker has to put back its jobs once its server has gone, by lane.
GRACE = {"paint": 20.0, "train": 120.0}
#: What is said of an error that no task expects.
UNEXPECTED = "This failed for a reason that is in the log of the server."

_log = logging.getLogger(__name__)


def worker_name(lane: str) -> str:
    """Return a new identifier of a worker, which says where it runs."""
    return f"{platform.node()}/{secrets.token_hex(8)}/{lane}"


@dataclass
class Worker:
    """Takes the jobs of a lane."""

    queue: JobQueue
    library: Library
    lane: str
    device: str
    name: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)
    woken: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.name = self.name or worker_name(self.lane)
        self._models = Models(self.library, self.device)
        self._held: dict[str, TaskContext] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        """Take jobs until :attr:`stopping` is set. Unfinished jobs are put back into the queue then.

        Trainings run in this thread, which receives signals. Of the others, light ones run beside each other, each on
        one core. Any other runs alone on all cores, but for light ones that somebody waits for.
        """
        threads = torch.get_num_threads()
        renewing = threading.Thread(target=self._renew, daemon=True)
        renewing.start()
        slots = threads if choose_device(self.device).type == "cpu" else GPU_WORKERS
        light, heavy = set[Future[None]](), set[Future[None]]()
        with (
            ThreadPoolExecutor(slots, initializer=torch.set_num_threads, initargs=(1,)) as beside,
            ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(threads,)) as alone,
        ):
            while not self.stopping.is_set():
                light, heavy = ({each for each in futures if not each.done()} for futures in (light, heavy))
                if len(light) == slots:
                    wait(light, LOOK_EVERY, FIRST_COMPLETED)
                    continue
                job = self._claim(light=bool(light or heavy), priority=BESIDE if heavy else None)
                if job is None:
                    self.woken.wait(LOOK_EVERY if light or heavy else IDLE)
                    self.woken.clear()
                elif self.lane == "train":
                    self.do(job)
                elif is_light(job):
                    light.add(beside.submit(self.do, job))
                else:
                    heavy.add(alone.submit(self.do, job))
        renewing.join()

    def _claim(self, *, light: bool, priority: int | None) -> Job | None:
        try:
            return self.queue.claim(self.lane, self.name, light=light, priority=priority)
        except OperationalError as error:
            _log.warning("The database does not answer: %s", error)
            self.stopping.wait(1)
            return None

    def do(self, job: Job) -> None:
        """Run one job to its end, whatever happens in it."""
        if job.claim is None:
            return
        context = TaskContext(job, self.library, self.queue, self._models, self.device)
        with self._lock:
            self._held[job.claim] = context
            if self.stopping.is_set():
                context.end("requeue")
        try:
            state, values = self._run(job, context)
            if state is None or not self._finish(job, state, values):
                _log.info("Job %s was taken over.", job.id)
        except Exception:  # its lease expires, and it begins again
            _log.exception("Job %s is given up", job.id)
        finally:
            with self._lock:
                del self._held[job.claim]

    def _run(self, job: Job, context: TaskContext) -> tuple[str | None, dict[str, Any]]:
        """Return the state in which a job is left, with what there is to say; None if it is not held any more."""
        try:
            context.check()
            task = TASKS[job.kind]
            if not task.resumes:
                self.library.start_over(job)
            return "done", {"outcome": task.run(task.request.model_validate(job.settings), context)}
        except Stopped as stopped:
            if stopped.wish == "cancel":
                return "cancelled", {"message": "Cancelled."}
            return {"pause": "paused", "requeue": "queued"}.get(stopped.wish), {}
        except OperationalError as error:  # the database is away: this begins again when it is back
            _log.warning("Job %s is put back: %s", job.id, error)
            return "queued", {}
        except ImpastoError as error:
            return "failed", {"error": context.explain(error)}
        except Exception as error:
            if out_of_memory(error):
                return "failed", {"error": "This takes more memory than there is."}
            _log.exception("Job %s failed", job.id)
            return "failed", {"error": UNEXPECTED}

    def _finish(self, job: Job, state: str, values: dict[str, Any]) -> bool:
        """Write how a job ended, however long the database takes to answer. False if it is not held any more."""
        while True:
            try:
                self.queue.finish(job, state, **values)
            except LostError:
                return False
            except OperationalError as error:
                _log.warning("The end of job %s is not written yet: %s", job.id, error)
                time.sleep(1)
            except SQLAlchemyError:  # an outcome that no database can hold
                _log.exception("Job %s failed", job.id)
                state, values = "failed", {"error": UNEXPECTED}
            else:
                return True

    def stop(self) -> None:
        """Take no more jobs, and put back those that run at their next report. Not for signal handlers: it locks."""
        with self._lock:
            self.stopping.set()
            self.woken.set()
            for context in self._held.values():
                context.end("requeue")

    def _renew(self) -> None:
        """Renew the leases of the jobs held, pass on what is wished of them, and put back what others do not renew."""
        looked = time.time()
        while not self.stopping.is_set() or self._held:
            with self._lock:
                held = dict(self._held)
            try:
                wishes = self.queue.renew(held) if held else {}
                for claim, context in held.items():
                    if (wish := wishes.get(claim, "lost")) is not None:
                        context.end(wish)
                if (passed := time.time() - looked) >= EXPIRE_EVERY:
                    looked = time.time()
                    if passed < 2 * EXPIRE_EVERY:  # else this machine slept, and others wake up with it
                        self.queue.release_expired()
            except SQLAlchemyError as error:
                _log.warning("The database does not answer: %s", error)
            time.sleep(RENEW_EVERY)


def _call_at_byte(file: int, stop: Callable[[], None]) -> None:
    os.read(file, 1)
    stop()


def follow(file: int, worker: Worker) -> None:
    """Wake a worker at each byte from its server, and stop it when the pipe closes: the server has ended, however it
    did."""
    while os.read(file, 4096):
        worker.woken.set()
    worker.stop()


def _follow_server(worker: Worker, grace: float) -> None:
    follow(0, worker)  # not sys.stdin, whose lock would be held when the interpreter ends
    time.sleep(grace)
    os._exit(1)


def main() -> None:
    """Run a worker of the command line."""
    parser = argparse.ArgumentParser(description="Take jobs of the studio.")
    parser.add_argument("--database", default=os.environ.get("IMPASTO_DATABASE", ""), help="URL; default SQLite")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--lane", choices=["paint", "train"], required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--name", default="", help="identifier; default a new one")
    parser.add_argument("--child", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    for name in ("impasto", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if arguments.nice and hasattr(os, "nice"):
        os.nice(arguments.nice)
    folder, limits = arguments.folder.absolute(), Limits()
    database = Database(arguments.database or f"sqlite:///{folder / 'studio.db'}")
    library = Library(folder, database, limits)
    worker = Worker(JobQueue(database, library, limits), library, arguments.lane, arguments.device, arguments.name)

    # A signal arrives between any two instructions of the main thread, which may hold a lock that stop() needs.
    received, sent = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: os.write(sent, b"\0"))
    threading.Thread(target=_call_at_byte, args=(received, worker.stop), daemon=True).start()
    if arguments.child:
        grace = GRACE[arguments.lane]
        threading.Thread(target=_follow_server, args=(worker, grace), daemon=True).start()
    settle(library, time.time())
    worker.run()
    database.close()


if __name__ == "__main__":
    main()
