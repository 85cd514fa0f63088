"""The queue of jobs. Every change of a state is one statement, so that two workers never take the same job."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from impasto.errors import ImpastoError
from impasto.serving.database import Database
from impasto.serving.library import Library, NotFoundError
from impasto.serving.limits import Limits
from impasto.serving.tables import Job, JobInput, StoredFile

#: Seconds for which a worker holds a job unless it renews that, and after which it does.
LEASE, RENEW = 30.0, 3.0
#: States that a job does not leave.
ENDED = ("done", "failed", "cancelled")


class QueueFullError(ImpastoError):
    """Too many jobs wait."""


class LostError(ImpastoError):
    """Another worker took the job over, or it was deleted."""


def is_light(job: Job) -> bool:
    """Whether a job may run beside others."""
    return job.light and not job.attempts


class JobQueue:
    """Jobs in the database, as seen by the server and by workers."""

    def __init__(self, database: Database, library: Library, limits: Limits) -> None:
        self._database, self._library, self._limits = database, library, limits

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
        self._library.all(identifiers)
        now = time.time()
        job = Job(
            id=self._library.new_id(), kind=kind, lane=lane, priority=priority, light=light, settings=settings,
            state="queued", created=now, changed=now, done=0, unit="", message="", attempts=0,
        )  # fmt: skip
        waiting = select(func.count()).where(Job.lane == lane, Job.state == "queued")
        with self._database.write() as session:
            if (session.scalar(waiting) or 0) >= self._limits.queued:
                raise QueueFullError(f"{self._limits.queued:,} jobs are waiting: try again later.")
            session.add(job)
            session.flush()
            session.add_all(JobInput(job=job.id, file=file) for file in identifiers)
        return job

    def job(self, identifier: str) -> Job:
        """Return a job. Raises NotFoundError."""
        with self._database.read() as session:
            found = session.get(Job, identifier)
        if found is None:
            raise NotFoundError(f"There is no job {identifier}.")
        return found

    def jobs(self, *, states: Collection[str] = (), kind: str | None = None, limit: int = 50) -> Sequence[Job]:
        """Return jobs, newest first."""
        found = select(Job).order_by(Job.created.desc(), Job.id.desc()).limit(limit)
        if states:
            found = found.where(Job.state.in_(states))
        if kind is not None:
            found = found.where(Job.kind == kind)
        with self._database.read() as session:
            return session.scalars(found).all()

    def changed_since(self, moment: float) -> Sequence[Job]:
        """Return jobs that changed at or after a moment, oldest change first."""
        with self._database.read() as session:
            return session.scalars(select(Job).where(Job.changed >= moment).order_by(Job.changed)).all()

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
        """Cancel a job: at once if it waits, else its worker is asked to stop."""
        self._require(identifier, ("queued", "running", "paused"), "it has ended")
        now = time.time()
        waits = (Job.id == identifier, Job.state.in_(("queued", "paused")))
        self._update(*waits, state="cancelled", finished=now, message="Cancelled.")
        self._update(Job.id == identifier, Job.state == "running", wish="cancel", wished=now)
        return self.job(identifier)

    def pause(self, identifier: str) -> Job:
        """Pause a job: at once if it waits, else its worker is asked to stop so that it can go on later."""
        self._require(identifier, ("queued", "running"), "only what is queued or running can be paused")
        self._update(Job.id == identifier, Job.state == "queued", state="paused")
        self._update(Job.id == identifier, Job.state == "running", wish="pause", wished=time.time())
        return self.job(identifier)

    def resume(self, identifier: str) -> Job:
        """Queue a paused job again."""
        self._require(identifier, ("paused",), "it is not paused")
        self._update(Job.id == identifier, Job.state == "paused", state="queued", wish=None, wished=None)
        return self.job(identifier)

    def reopen(self, identifier: str, settings: dict[str, Any]) -> Job:
        """Queue an ended job again with other settings, such as a training with a larger budget."""
        self._require(identifier, ENDED, "it has not ended")
        self._update(
            Job.id == identifier, Job.state.in_(ENDED), state="queued", settings=settings, error=None, finished=None,
            wish=None, wished=None, attempts=0,
        )  # fmt: skip
        return self.job(identifier)

    def _require(self, identifier: str, states: Collection[str], problem: str) -> None:
        if self.job(identifier).state not in states:
            raise ImpastoError(f"This is not possible: {problem}.")

    # The workers' side

    def claim(self, lane: str, worker: str, *, light: bool = False) -> Job | None:
        """Take the next job of a lane, one that nobody holds or whose holder has not renewed its lease.

        Args:
            lane: of the worker.
            worker: identifier of the process.
            light: take the next job only if it can run beside others: a light one that ended no worker.
        """
        now = time.time()
        free = or_(Job.state == "queued", and_(Job.state == "running", Job.lease < now))
        order = (Job.priority.desc(), Job.created, Job.id)
        following = select(Job.id).where(Job.lane == lane, free).order_by(*order).limit(1)
        with self._database.read() as session:  # most often there is none, and readers do not wait
            first = session.get(Job, session.scalar(following) or "")
        if first is None or (light and not is_light(first)):
            return None
        taken = (
            update(Job)
            .where(Job.id == following.with_for_update(skip_locked=True).scalar_subquery(), free)
            .values(
                state="running", claim=self._library.new_id(), worker=worker, lease=now + LEASE, changed=now,
                started=func.coalesce(Job.started, now), wish=None, wished=None,
            )
            .returning(Job)
        )  # fmt: skip
        with self._database.write() as session:
            job: Job | None = session.scalars(taken).one_or_none()
        return job

    def renew(self, worker: str) -> dict[str, str | None]:
        """Renew the leases of a worker; return its claims, with what is wished of each job."""
        now = time.time()
        held = (Job.worker == worker, Job.state == "running")
        with self._database.write() as session:
            session.execute(update(Job).where(*held).values(lease=now + LEASE))
            rows = session.execute(select(Job.claim, Job.wish).where(*held))
            return {str(claim): wish for claim, wish in rows}

    def report(self, job: Job, **values: Any) -> None:
        """Set values of a job that this worker holds. Raises LostError if it does not."""
        if not self._update(Job.id == job.id, Job.claim == job.claim, Job.state == "running", **values):
            raise LostError("Another worker took this job over.")

    def finish(self, job: Job, state: str, **values: Any) -> None:
        """End a job that this worker holds, or put it back. Raises LostError if it does not hold it."""
        ended = {"finished": time.time()} if state in ENDED else {}
        self.report(job, state=state, claim=None, worker=None, lease=None, wish=None, wished=None, **ended, **values)

    def release(self, worker: str, reason: str) -> int:
        """Put the jobs of a worker that is gone back into the queue; those that ended too many workers fail."""
        held = (Job.worker == worker, Job.state == "running")
        free = {"claim": None, "worker": None, "lease": None, "attempts": Job.attempts + 1}
        self._update(*held, Job.wish == "cancel", state="cancelled", finished=time.time(), message="Cancelled.", **free)
        self._update(*held, Job.wish == "pause", state="paused", **free | {"attempts": Job.attempts})
        last = Job.attempts + 1 >= self._limits.attempts
        self._update(*held, last, state="failed", finished=time.time(), error=reason, **free)
        return self._update(*held, state="queued", **free)

    def fail(self, identifier: str, reason: str) -> None:
        """Fail a running job, whoever holds it."""
        self._update(
            Job.id == identifier, Job.state == "running", state="failed", finished=time.time(), error=reason,
            claim=None, worker=None, lease=None,
        )  # fmt: skip

    def running(self, worker: str) -> Sequence[Job]:
        """Return the jobs that a worker holds."""
        with self._database.read() as session:
            return session.scalars(select(Job).where(Job.worker == worker, Job.state == "running")).all()

    def workers(self) -> Sequence[str]:
        """Return the workers that hold jobs."""
        with self._database.read() as session:
            return [str(each) for each in session.scalars(select(Job.worker).where(Job.state == "running").distinct())]

    def _update(self, *where: ColumnElement[bool], **values: Any) -> int:
        """Update jobs in one statement; return how many."""
        with self._database.write() as session:
            result = session.execute(update(Job).where(*where).values(changed=time.time(), **values))
            return int(result.rowcount)  # type: ignore[attr-defined]
