"""Tables of the database: jobs, files, and which files a job reads.

Changes need a migration in ``migrations/versions``; a test compares both. Times are seconds since 1970.
"""

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base class of the tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON}


class Job(Base):
    """A task with its settings, and how far it is.

    Attributes:
        kind: name of the task.
        lane: which workers take it.
        priority: higher ones are taken first.
        light: whether it is small enough to run beside others in one process.
        state: queued, running, paused, done, failed or cancelled.
        wish: ``cancel`` or ``pause``, for the worker to obey.
        wished: when.
        part: share of the item in progress that is done, 0…1.
        changed: when anything changed last.
        claim: identifier of the worker's hold on the job; what a worker without it writes is refused.
        claimed: when the claim began.
        done_before: what was done then.
        worker: process that runs it.
        lease: when the claim expires unless it is renewed.
        attempts: workers that ended while they ran it, since it last got further.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("waiting", "lane", "state", "priority", "created"), Index("changes", "changed"))

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    lane: Mapped[str]
    priority: Mapped[int] = mapped_column(default=0)
    light: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="queued")
    settings: Mapped[dict[str, Any]]
    wish: Mapped[str | None]
    wished: Mapped[float | None]
    done: Mapped[int] = mapped_column(default=0)
    part: Mapped[float] = mapped_column(default=0.0)
    total: Mapped[int | None]
    unit: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(default="")
    created: Mapped[float]
    started: Mapped[float | None]
    finished: Mapped[float | None]
    changed: Mapped[float]
    error: Mapped[str | None]
    outcome: Mapped[dict[str, Any] | None]
    claim: Mapped[str | None]
    claimed: Mapped[float | None]
    done_before: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    lease: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(default=0)


class StoredFile(Base):
    """A file that was uploaded, or that a job made. Its bytes lie in the folder under its identifier.

    Attributes:
        name: what people call it; never part of a path.
        media: media type.
        suffix: of the file in the folder.
        kind: upload or result.
        job: the job that made it.
        source: the upload that it was painted from.
        shown: whether it appears in the gallery.
    """

    __tablename__ = "files"
    __table_args__ = (Index("gallery", "kind", "shown", "created"), Index("of_job", "job"))

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    media: Mapped[str]
    suffix: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    kind: Mapped[str]
    job: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    source: Mapped[str | None]
    settings: Mapped[dict[str, Any] | None]
    favourite: Mapped[bool] = mapped_column(default=False)
    shown: Mapped[bool] = mapped_column(default=True)
    thumbnail: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float]


class JobInput(Base):
    """A file that a job reads, which is kept as long as the job."""

    __tablename__ = "inputs"

    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    file: Mapped[str] = mapped_column(ForeignKey("files.id"), primary_key=True, index=True)
