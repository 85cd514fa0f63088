"""The database of jobs and files: SQLite, or PostgreSQL by its URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import alembic.command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from impasto.errors import ImpastoError

#: Seconds that a process waits for SQLite, which has one writer at a time.
TIMEOUT = 60


class Database:
    """Sessions that read, and sessions that write and commit at their end."""

    def __init__(self, url: str) -> None:
        """Open a database whose tables exist (:func:`migrate`)."""
        self._engine = connect(url)
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


def connect(url: str, *, foreign_keys: bool = True) -> Engine:
    """Return an engine; on SQLite, foreign keys are enforced or not."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=8, max_overflow=32, pool_pre_ping=True)
    engine = create_engine(url, pool_size=8, max_overflow=32, connect_args={"timeout": TIMEOUT})
    event.listen(engine, "connect", partial(_configure_sqlite, foreign_keys))
    event.listen(engine, "begin", _begin_immediately)
    return engine


def _configure_sqlite(foreign_keys: bool, connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin in `_begin_immediately`
    connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only


def _lower(text: str | None) -> str | None:
    return None if text is None else str(text).lower()


def _begin_immediately(connection: Connection) -> None:
    # A transaction that begins as a reader cannot wait for another writer.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate(url: str, revision: str = "head") -> None:
    """Create the tables, or bring those of an earlier version up to date, or to a revision before.

    Raises ImpastoError if the database cannot be opened or is of a later version.
    """
    try:
        shown = make_url(url).render_as_string()  # without the password
    except (SQLAlchemyError, ValueError) as error:
        example = "sqlite:///studio.db or postgresql+psycopg://USER@HOST/DATABASE"
        raise ImpastoError(f"The database is not given as a URL, such as {example}.") from error
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    try:
        alembic.command.upgrade(config, revision)
    except (SQLAlchemyError, ImportError, alembic.util.CommandError) as error:
        raise ImpastoError(f"The database {shown} cannot be opened: {_first_line(error)}") from error


def _first_line(error: Exception) -> Any:
    """Return what the driver said, without SQLAlchemy's advice."""
    cause = getattr(error, "orig", None) or error
    return next(iter(str(cause).strip().splitlines()), type(cause).__name__)[:300]
