"""The queue of jobs. Every change of a state is one statement or a locked row, so that two workers never take the same
job, and no wish of a user gets lost between two of them."""

import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, null, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from impasto.errors import ImpastoError
from impasto.serving.database import Database
from impasto.serving.library import ENDED as ENDED
from impasto.serving.library import Library, LostError, NotFoundError, still_held
from impasto.serving.limits import Limits
from impasto.serving.tables import Job, JobInput, StoredFile

#: Seconds for which a worker holds a job unless it renews that.
LEASE = 20.0


class QueueFullError(ImpastoError):
    """Too many jobs wait."""


def is_light(job: Job) -> bool:
    """Whether a job may run beside others."""
    return job.light and not job.attempts


class JobQueue:
    """Jobs in the database, as seen by the server and by workers. The clocks of all machines have to agree within a few
    seconds."""

    def __init__(
        self, database: Database, library: Library, limits: Limits, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._library, self._limits, self.clock = database, library, limits, clock

    # The server's side

    def submit(
        self,
        kind: str,
        lane: str,
        settings: dict[str, Any],
        files: Collection[str],
        *,
        priority: int = 0,
        light: bool = False,
    ) -> Job:
        """Add a job that reads these files. Raises QueueFullError, NotFoundError for a file."""
        identifiers = list(dict.fromkeys(files))
        now = self.clock()
        job = Job(
            id=self._library.new_id(), kind=kind, lane=lane, priority=priority, light=light, settings=settings,
            state="queued", created=now, changed=now, done=0, part=0.0, unit="", message="", attempts=0,
        )  # fmt: skip
        waiting = select(func.count()).where(Job.lane == lane, Job.state == "queued")
        try:
            with self._database.write() as session:
                if (session.scalar(waiting) or 0) >= self._limits.queued:
                    raise QueueFullError(f"{self._limits.queued:,} jobs are waiting: try again later.")
                session.add(job)
                session.flush()
                session.add_all(JobInput(job=job.id, file=file) for file in identifiers)
        except IntegrityError:
            self._library.all(identifiers)  # names the one that is missing
            raise
        return job

    def job(self, identifier: str) -> Job:
        """Return a job. Raises NotFoundError."""
        with self._database.read() as session:
            found = session.get(Job, identifier)
        if found is None:
            raise NotFoundError(f"There is no job {identifier}.")
        return found

    def jobs(
        self, *, states: Collection[str] = (), kind: str | None = None, without: Collection[str] = (), limit: int = 50
    ) -> Sequence[Job]:
        """Return jobs, newest first: of one kind, or not of the kinds ``without``."""
        found = select(Job).order_by(Job.created.desc(), Job.id.desc()).limit(limit)
        if states:
            found = found.where(Job.state.in_(states))
        found = found.where(Job.kind.not_in(without) if kind is None else Job.kind == kind)
        with self._database.read() as session:
            return session.scalars(found).all()

    def changed_since(self, moment: float) -> dict[str, float]:
        """Return the jobs that changed at or after a moment, with the moments of their changes."""
        with self._database.read() as session:
            rows = session.execute(select(Job.id, Job.changed).where(Job.changed >= moment))
            return {row.id: row.changed for row in rows}

    def load(self, identifiers: Collection[str]) -> Sequence[Job]:
        """Return jobs, oldest change first; those that are gone are left out."""
        if not identifiers:
            return []
        with self._database.read() as session:
            return session.scalars(select(Job).where(Job.id.in_(identifiers)).order_by(Job.changed)).all()

    def files(self, job: str) -> tuple[Sequence[StoredFile], Sequence[StoredFile]]:
        """Return the inputs and the results of a job."""
        inputs = select(StoredFile).join(JobInput, JobInput.file == StoredFile.id).where(JobInput.job == job)
        results = select(StoredFile).where(StoredFile.job == job)
        with self._database.read() as session:
            first, second = (
                session.scalars(each.order_by(StoredFile.created, StoredFile.id)).all() for each in (inputs, results)
            )
        return first, second

    def place(self, job: Job) -> int | None:
        """Return the place of a job among those that wait in its lane, from 1; None if it does not wait."""
        if job.state != "queued":
            return None
        same = and_(Job.priority == job.priority, Job.created < job.created)
        ahead = select(func.count()).where(
            Job.lane == job.lane, Job.state == "queued", or_(Job.priority > job.priority, same)
        )
        with self._database.read() as session:
            return 1 + (session.scalar(ahead) or 0)

    def typical_seconds(self, lane: str) -> float | None:
        """Return the mean running time of the last twenty jobs of a lane; None if there was none."""
        last = (
            select((Job.finished - Job.started).label("seconds"))
            .where(Job.lane == lane, Job.state == "done", Job.started.is_not(None))
            .order_by(Job.finished.desc())
            .limit(20)
            .subquery()
        )
        with self._database.read() as session:
            return session.scalar(select(func.avg(last.c.seconds)))

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of jobs by kind and state."""
        with self._database.read() as session:
            rows = session.execute(select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state))
            return {(kind, state): count for kind, state, count in rows}

    def cancel(self, identifier: str) -> Job:
        """Cancel a job: at once if it waits, else its worker is asked to stop. Raises ImpastoError if it has ended."""
        with self._locked(identifier) as job:
            if job.state in ENDED:
                raise ImpastoError("This is not possible: the job has ended.")
            if job.state != "running":
                job.state, job.finished, job.message = "cancelled", self.clock(), "Cancelled."
            elif job.wish != "cancel":  # asked again, the worker does not get more time to obey
                job.wish, job.wished = "cancel", self.clock()
        return job

    def pause(self, identifier: str) -> Job:
        """Pause a job: at once if it waits, else its worker is asked to stop so that it can be resumed.

        Raises ImpastoError if it has ended, is paused, or is being cancelled.
        """
        with self._locked(identifier) as job:
            if job.state not in ("queued", "running") or job.wish == "cancel":
                raise ImpastoError("This is not possible: only what is queued or running can be paused.")
            if job.state == "queued":
                job.state = "paused"
            elif job.wish is None:
                job.wish, job.wished = "pause", self.clock()
        return job

    def resume(self, identifier: str) -> Job:
        """Queue a paused job again, or a training that failed or was cancelled, which has its checkpoints.

        Raises ImpastoError if it is neither.
        """
        with self._locked(identifier) as job:
            if job.state != "paused" and not (job.kind == "train" and job.state in ("failed", "cancelled")):
                raise ImpastoError("This is not possible: the job is neither paused nor a training that was stopped.")
            job.state, job.attempts, job.message = "queued", 0, ""
            job.error = job.finished = job.outcome = None
        return job

    @contextmanager
    def _locked(self, identifier: str) -> Iterator[Job]:
        """A job that nobody else changes inside. Raises NotFoundError."""
        with self._database.write() as session:
            job = session.get(Job, identifier, with_for_update=True)
            if job is None:
                raise NotFoundError(f"There is no job {identifier}.")
            yield job
            job.changed = self.clock()

    # The workers' side

    def claim(self, lane: str, worker: str, *, light: bool = False, priority: int | None = None) -> Job | None:
        """Take the next job of a lane.

        Args:
            lane: of the worker.
            worker: identifier of the process.
            light: take it only if it can run beside others: a light one that ended no worker.
            priority: take it only if it has this priority at least.
        """
        now = self.clock()
        following = (
            select(Job.id)
            .where(Job.lane == lane, Job.state == "queued")
            .order_by(Job.priority.desc(), Job.created, Job.id)
            .limit(1)
        )
        suits: list[ColumnElement[bool]] = [Job.state == "queued"]
        suits += [Job.light.is_(True), Job.attempts == 0] if light else []
        suits += [Job.priority >= priority] if priority is not None else []
        with self._database.read() as session:  # most often there is none, and readers do not wait
            if session.scalar(select(Job.id).where(Job.id == following.scalar_subquery(), *suits)) is None:
                return None
        taken = (
            update(Job)
            .where(Job.id == following.with_for_update(skip_locked=True).scalar_subquery(), *suits)
            .values(
                state="running", claim=self._library.new_id(), worker=worker, claimed=now, lease=now + LEASE,
                changed=now, started=func.coalesce(Job.started, now), done_before=Job.done, wish=None, wished=None,
            )
            .returning(Job)
        )  # fmt: skip
        with self._database.write() as session:
            job: Job | None = session.scalars(taken).one_or_none()
        return job

    def renew(self, claims: Collection[str]) -> dict[str, str | None]:
        """Renew the leases of claims; return those that still hold, with what is wished of each job."""
        held = (Job.claim.in_(claims), Job.state == "running")
        with self._database.write() as session:
            session.execute(update(Job).where(*held).values(lease=self.clock() + LEASE))
            return {str(claim): wish for claim, wish in session.execute(select(Job.claim, Job.wish).where(*held))}

    def report(self, job: Job, **values: Any) -> None:
        """Set values of a job that this worker holds. Raises LostError if it does not."""
        if not self._update(*still_held(job), **values):
            raise LostError

    def finish(self, job: Job, state: str, **values: Any) -> None:
        """End a job that this worker holds, and delete its working folder; or put it back. Raises LostError if it does
        not hold it."""
        if state not in ENDED:
            self.report(job, **self._stopped(state), **_FREE, **values)
            return
        with self._database.write() as session:
            if not self._write(session, still_held(job), state=state, finished=self.clock(), **_FREE, **values):
                raise LostError
            aside = self._library.set_aside(job.id)
        shutil.rmtree(aside, ignore_errors=True)

    def _stopped(self, state: str) -> dict[str, Any]:
        """Return the values of a job whose worker stopped, in this state unless a user wishes something else."""
        cancelled = Job.wish == "cancel"
        return {
            "state": case((cancelled, "cancelled"), (Job.wish == "pause", "paused"), else_=state),
            "finished": case((cancelled, self.clock()), else_=null()),
            "message": case((cancelled, "Cancelled."), else_=Job.message),
        }

    def release(self, worker: str, *, blame: bool = True) -> int:
        """Put the jobs of a worker that is gone back into the queue; return how many it held.

        With ``blame``, for which the worker ended without being asked to, jobs that ended too many workers fail.
        """
        return self._put_back(Job.worker == worker, blame=blame)

    def release_expired(self) -> int:
        """Put back the jobs whose workers do not renew their leases; return how many."""
        expired = Job.lease < self.clock()
        with self._database.read() as session:  # most often there is none, and readers do not wait
            if not session.scalar(select(exists().where(expired, Job.state == "running"))):
                return 0
        return self._put_back(expired, blame=True)

    def _put_back(self, whose: ColumnElement[bool], *, blame: bool) -> int:
        held, limit = (whose, Job.state == "running"), self._limits.attempts
        if not blame:
            return self._update(*held, **self._stopped("queued"), **_FREE)
        reason = f"This ended its worker process {limit} times: it takes too much memory, or a file of it is damaged."
        last = (Job.attempts + 1 >= limit, Job.wish.is_(None))
        failed = self._update(*held, *last, state="failed", finished=self.clock(), error=reason, **_FREE)
        return failed + self._update(*held, attempts=Job.attempts + 1, **self._stopped("queued"), **_FREE)

    def fail(self, identifier: str, reason: str) -> None:
        """Fail a running job, whoever holds it."""
        self._update(
            Job.id == identifier, Job.state == "running", state="failed", finished=self.clock(), error=reason, **_FREE
        )

    def running(self, worker: str) -> Sequence[Job]:
        """Return the jobs that a worker holds."""
        with self._database.read() as session:
            return session.scalars(select(Job).where(Job.worker == worker, Job.state == "running")).all()

    def _update(self, *where: ColumnElement[bool], **values: Any) -> int:
        """Update jobs in one statement; return how many."""
        with self._database.write() as session:
            return self._write(session, where, **values)

    def _write(self, session: Session, where: Iterable[ColumnElement[bool]], **values: Any) -> int:
        result = session.execute(
            update(Job).where(*where).values(changed=self.clock(), **values),
            execution_options={"synchronize_session": False},
        )
        return int(result.rowcount)  # type: ignore[attr-defined]


#: A job that nobody holds.
_FREE: dict[str, Any] = {
    "claim": None, "claimed": None, "worker": None, "lease": None, "wish": None, "wished": None, "part": 0.0,
}  # fmt: skip
