"""Delete what nobody needs any more: remains of killed processes, previews, and files past the retention time."""

import re
import shutil
from pathlib import Path

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select

from impasto.serving.library import BATCH, ENDED, Library, readers
from impasto.serving.tables import Job, JobInput, StoredFile

#: Seconds after which what a killed process left is deleted, and previews are.
LEFT_FOR, PREVIEWS_FOR = 3600.0, 3600.0
#: Names of what the studio puts into its folders: files and thumbnails; folders of jobs and unfinished uploads.
_STORED = re.compile(r"([0-9a-f]{32})(\.thumbnail)?(\.[a-z0-9]+)?")
_WORKING = re.compile(r"([0-9a-f]{32})(\.[0-9a-f]{32})?|[A-Za-z0-9_]+\.upload")


def clean(library: Library, now: float) -> int:
    """Delete remains, previews, and files and jobs older than the retention time, except favourites, trainings and what
    unfinished jobs read; return how many files."""
    settle(library, now)
    _clean_work(library, now)
    preview = and_(Job.kind == "preview", Job.finished < now - PREVIEWS_FOR)
    count = _delete_files(library, StoredFile.job.in_(select(Job.id).where(preview)))
    forgotten: ColumnElement[bool] = preview
    if library.limits.keep_days is not None:
        limit = now - 86400 * library.limits.keep_days
        count += _delete_files(library, and_(StoredFile.created < limit, ~StoredFile.favourite))
        forgotten = or_(preview, and_(Job.kind != "train", Job.finished < limit))
    _delete_jobs(library, forgotten)
    return count


def settle(library: Library, now: float) -> None:
    """Finish what processes that were killed while they added a file had begun."""
    for path in library.incoming.iterdir():
        found = _STORED.fullmatch(path.name)
        if found is None:
            continue
        with library.database.read() as session:
            known = session.get(StoredFile, found[1]) is not None
        if known:
            library.settle(path)
        elif _older(path, now - LEFT_FOR):
            path.unlink(missing_ok=True)


def _clean_work(library: Library, now: float) -> None:
    """Delete uploads that were broken off, and working folders of jobs that have ended."""
    for path in library.work.iterdir():
        found = _WORKING.fullmatch(path.name)
        if found is None or not _older(path, now - LEFT_FOR):
            continue
        if found[1] is None:
            path.unlink(missing_ok=True)
            continue
        with library.database.write() as session:
            job = session.get(Job, found[1], with_for_update=True)
            if job is not None and job.state not in ENDED:
                continue
            aside = path if found[2] else library.set_aside(found[1])
        shutil.rmtree(aside, ignore_errors=True)


def _delete_files(library: Library, which: ColumnElement[bool]) -> int:
    """Delete files that no unfinished job reads, some at a time; return how many."""
    chosen, count = select(StoredFile).where(which, ~exists(readers())).limit(BATCH), 0
    while True:
        with library.deleting() as session:
            files = session.scalars(chosen).all()
            library.remove(session, files)
        count += len(files)
        if len(files) < BATCH:
            return count


def _delete_jobs(library: Library, which: ColumnElement[bool]) -> None:
    """Delete ended jobs that have no results."""
    has_results = exists().where(StoredFile.job == Job.id)
    with library.database.write() as session:
        ended = session.scalars(select(Job.id).where(Job.state.in_(ENDED), ~has_results, which)).all()
        for first in range(0, len(ended), BATCH):
            batch = ended[first : first + BATCH]
            session.execute(delete(JobInput).where(JobInput.job.in_(batch)))
            session.execute(delete(Job).where(Job.id.in_(batch)))


def _older(path: Path, moment: float) -> bool:
    """Whether a file was last written or moved before a moment."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return max(status.st_mtime, status.st_ctime) < moment
