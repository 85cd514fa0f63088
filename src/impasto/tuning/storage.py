"""Storages of studies: databases and journal files that several processes share."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from impasto.errors import ImpastoError
from impasto.files import make_folder
from impasto.reports.tuning_results import without_password

if TYPE_CHECKING:
    import optuna

#: Suffixes of journal files.
JOURNALS = (".log", ".jsonl", ".journal")
#: Parts of the errors of databases where two processes create the same tables, and how often it is tried again.
CREATION_RACE, OPEN_ATTEMPTS = ("already exists", "locked", "UNIQUE", "duplicate"), 5
#: Seconds that a process waits for SQLite, which locks the whole file for each writer.
SQLITE_TIMEOUT = 100


def open_storage(url: str) -> "optuna.storages.BaseStorage":
    """Open the database at a URL, or a journal file; either is created if it does not exist.

    Raises:
        ImpastoError: it is neither, or cannot be opened.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    if "://" not in url:
        if Path(url).suffix not in JOURNALS:
            raise ImpastoError(
                f"The storage '{url}' is neither a database (sqlite:///study.db, postgresql://…) nor a journal file "
                "(study.log)."
            )
        make_folder(Path(url).parent)
        try:
            return JournalStorage(JournalFileBackend(url))
        except (OSError, ValueError) as error:
            raise ImpastoError(f"The journal {url} cannot be opened: {error}.") from error
    sqlite = url.startswith("sqlite")
    if url.startswith("sqlite:///"):
        make_folder(Path(url.removeprefix("sqlite:///")).parent)
    # It prints the traceback of an interruption while a connection is returned, before raising it.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    options = {"connect_args": {"timeout": SQLITE_TIMEOUT}} if sqlite else {}
    attempt = 0
    while True:
        attempt += 1
        try:
            with sqlite_lock(url):
                return optuna.storages.RDBStorage(url, engine_kwargs=options)
        except ImportError as error:
            problem = f"needs a driver that is not installed: {error}."
            raise ImpastoError(f"The storage {without_password(url)} {problem}") from error
        except Exception as error:  # each database driver has errors of its own
            if attempt < OPEN_ATTEMPTS and any(part in str(error) for part in CREATION_RACE):
                time.sleep(1)
                continue
            problem = f"cannot be opened: {' '.join(str(error).split())[:200]}"
            raise ImpastoError(f"The storage {without_password(url)} {problem}") from error


@contextmanager
def sqlite_lock(url: str) -> Iterator[None]:
    """Hold a lock beside a SQLite file; other storages need none.

    Processes that create the tables of the same file at once block each other for many seconds, and SQLite may give
    the same waiting trial to two processes that ask at once.
    """
    if not url.startswith("sqlite:///"):
        yield
        return
    with FileLock(f"{url.removeprefix('sqlite:///')}.lock"):
        yield
