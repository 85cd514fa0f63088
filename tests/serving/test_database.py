"""The database is opened, brought up to date as a whole, and written by one at a time."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect, text

from fixtures.postgres import empty
from fixtures.store import open_store
from impasto.errors import ImpastoError
from impasto.serving.database import Database, migrate


def test_a_migration_that_is_broken_off_leaves_nothing_and_succeeds_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, create = f"sqlite:///{tmp_path / 'studio.db'}", Operations.create_table

    def failing(self: Operations, name: str, *columns: object) -> object:
        if name == "inputs":
            raise KeyboardInterrupt
        return create(self, name, *columns)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "create_table", failing)
        with pytest.raises(KeyboardInterrupt):
            migrate(url)
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    migrate(url)
    migrate(url)


def test_servers_that_share_a_database_migrate_it_in_turn(postgres_url: str) -> None:
    empty(postgres_url)
    code = "import sys; from impasto.serving.database import migrate; sys.stdin.read(1); migrate(sys.argv[1])"
    servers = [subprocess.Popen([sys.executable, "-c", code, postgres_url], stdin=subprocess.PIPE) for _ in range(2)]
    for server in servers:  # all at once
        assert server.stdin is not None
        server.stdin.write(b"!")
        server.stdin.flush()
    for server in servers:
        server.communicate()
        assert server.returncode == 0


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    migrate(url)
    database = Database(url)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ImpastoError, match="cannot be opened"):
        migrate(url)


@pytest.mark.parametrize(
    "url", ["studio.db", "", "postgresql://user:secret@host:port/x", "nothing://user:secret@host/x", "sqlite:////no/x"]
)
def test_an_impossible_database_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ImpastoError) as caught:
        migrate(url)
    assert "secret" not in str(caught.value)


def test_writers_wait_for_each_other_and_readers_for_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    migrate(url)
    database = Database(url)
    with database.write() as session:
        session.execute(text("CREATE TABLE counted (n INTEGER)"))
        session.execute(text("INSERT INTO counted VALUES (0)"))
    writing, read = threading.Event(), threading.Event()

    def count(_: int) -> None:
        with database.write() as session:
            n = session.scalar(text("SELECT n FROM counted"))
            writing.set()
            read.wait(60)
            session.execute(text("UPDATE counted SET n = :n"), {"n": n + 1})

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(count, range(20))
        writing.wait(60)
        with database.read() as session:  # while another one writes
            assert session.scalar(text("SELECT n FROM counted")) == 0
        read.set()
        list(done)
    with database.read() as session:
        assert session.scalar(text("SELECT n FROM counted")) == 20
    database.close()


def test_jobs_of_an_earlier_version_are_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    migrate(url, "0001")
    connection = sqlite3.connect(tmp_path / "studio.db")
    with connection:
        names = "id kind lane priority light state settings done done_before unit message created changed attempts"
        values = ("a" * 32, "paint", "paint", 0, 0, "queued", "{}", 2, 0, "photos", "", 1.0, 1.0, 0)
        connection.execute(f"INSERT INTO jobs ({','.join(names.split())}) VALUES ({','.join('?' * 14)})", values)
    connection.close()
    store = open_store(tmp_path, url=url, styles={})
    job = store.queue.job("a" * 32)
    store.library.database.close()
    assert (job.state, job.done, job.part) == ("queued", 2, 0)
