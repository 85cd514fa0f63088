"""The database of jobs and files: SQLite, or PostgreSQL by its URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import sqlalchemy
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from impasto.errors import ImpastoError

#: Seconds that a process waits for SQLite, which has one writer at a time.
TIMEOUT = 60


class Database:
    """Sessions that read, and sessions that write and commit at their end."""

    def __init__(self, url: str) -> None:
        """Open a database whose tables exist (:func:`migrate`)."""
        self.url = url
        sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {"connect_args": {"timeout": TIMEOUT}} if sqlite else {"pool_pre_ping": True}
        self._engine = create_engine(url, pool_size=8, max_overflow=32, **options)
        if sqlite:
            event.listen(self._engine, "connect", _configure_sqlite)
            event.listen(self._engine, "begin", _begin_immediately)
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for queries, each of which sees the newest state."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _configure_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin in `_begin_immediately`
    connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediately(connection: Connection) -> None:
    # A transaction that begins as a reader cannot wait for another writer.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate(url: str) -> None:
    """Create the tables, or bring those of an earlier version up to date.

    Raises ImpastoError if the database cannot be opened or is of a later version.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    try:
        alembic.command.upgrade(config, "head")
    except (SQLAlchemyError, ImportError, alembic.util.CommandError) as error:
        shown = sqlalchemy.make_url(url).render_as_string() if "://" in url else url
        raise ImpastoError(f"The database {shown} cannot be opened: {' '.join(str(error).split())[:200]}") from error
