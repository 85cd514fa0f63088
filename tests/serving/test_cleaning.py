"""What nobody needs is deleted, and nothing else."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.store import Store, open_store, photo, resumed_before_deletion, with_limits
from impasto.serving.cleaning import LEFT_FOR, PREVIEWS_FOR, clean, settle
from impasto.serving.library import NotFoundError
from impasto.serving.tables import Job

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "studio", styles={})
    yield opened
    opened.library.database.close()


def finished(store: Store, kind: str = "paint", **settings: object) -> Job:
    store.queue.submit(kind, "paint", settings, [])
    job = store.claim()
    data = store.library.work / "r.png"
    data.write_bytes(photo())
    store.library.add("r.png", data, kind="result", job=job, shown=kind != "preview")
    store.queue.finish(job, "done")
    return store.queue.job(job.id)


def test_files_past_the_retention_time_go_but_favourites_and_inputs_of_unfinished_jobs_stay(store: Store) -> None:
    keeping = with_limits(store, keep_days=2.0)
    old, loved, read = (keeping.upload(f"{name}.jpg", b"x") for name in ("old", "loved", "read"))
    keeping.library.mark(loved.id, favourite=True)
    keeping.queue.submit("paint", "paint", {}, [read.id])
    later = time.time() + 3 * DAY
    assert clean(store.library, later) == 0  # without a retention time everything stays
    assert clean(keeping.library, time.time() + DAY) == 0
    assert clean(keeping.library, later) == 1
    assert {file.name for file in keeping.library.browse()} == {"loved.jpg", "read.jpg"}
    assert not keeping.library.path(old).exists()
    assert keeping.library.path(loved).exists() and keeping.library.path(read).exists()


def test_ended_jobs_go_with_their_results_but_trainings_and_favourites_stay(store: Store) -> None:
    keeping = with_limits(store, keep_days=2.0)
    plain, loved, training = finished(keeping), finished(keeping), finished(keeping, "train")
    keeping.library.mark(keeping.results(loved)[0].id, favourite=True)
    clean(keeping.library, time.time() + 3 * DAY)
    assert {job.id for job in keeping.queue.jobs()} == {loved.id, training.id}
    assert keeping.results(loved)
    with pytest.raises(NotFoundError):
        keeping.queue.job(plain.id)


def test_previews_go_soon_and_their_photos_stay(store: Store) -> None:
    upload = store.upload("a.jpg", b"x")
    preview, painting = finished(store, "preview"), finished(store)
    clean(store.library, time.time() + PREVIEWS_FOR / 2)
    assert len(store.queue.jobs()) == 2
    clean(store.library, time.time() + PREVIEWS_FOR + 1)
    assert [job.id for job in store.queue.jobs()] == [painting.id]
    assert store.library.path(upload).exists() and store.results(preview) == []
    assert len(list(store.library.files.iterdir())) == 2


def test_a_training_that_is_resumed_while_its_old_folder_is_deleted_gets_a_new_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.queue.submit("train", "train", {}, [])
    store.queue.cancel(job.id)
    (store.library.work / job.id).mkdir()
    kept = resumed_before_deletion(store, job, monkeypatch)
    clean(store.library, time.time() + LEFT_FOR + 1)
    assert kept.exists() and list(store.library.work.iterdir()) == [kept.parent]


def test_what_a_killed_process_had_set_aside_is_deleted(store: Store) -> None:
    job = store.queue.submit("train", "train", {}, [])
    (store.library.work / job.id).mkdir()
    aside = store.library.set_aside(job.id)
    assert aside.is_dir()
    store.queue.cancel(job.id)
    clean(store.library, time.time() + LEFT_FOR + 1)
    assert not aside.exists()


#: Dies while it adds a file: before or after the entry is in the database.
DIES = """
import os, sys
from pathlib import Path
from impasto.serving.database import Database
from impasto.serving.library import Library
from impasto.serving.limits import Limits
folder, url, moment = sys.argv[1:]
library = Library(Path(folder), Database(url), Limits())
die = lambda *_: os._exit(9)
if moment == "before":
    library.database.write = die
else:
    library.settle = die
path = library.work / "tmp_x.upload"
path.write_bytes(b"x")
library.add("a.jpg", path, kind="upload")
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_dies_while_it_adds_a_file_leaves_a_whole_file_or_nothing(store: Store, moment: str) -> None:
    command = [sys.executable, "-c", DIES, str(store.library.folder), store.url, moment]
    assert subprocess.run(command, check=False).returncode == 9
    assert len(list(store.library.incoming.iterdir())) == 1
    settle(store.library, time.time())
    (file,) = store.library.browse() if moment == "after" else [None]
    if file is not None:
        assert store.library.path(file).read_bytes() == b"x"
    else:
        assert len(list(store.library.incoming.iterdir())) == 1  # it may still be on its way
        settle(store.library, time.time() + LEFT_FOR + 60)
    assert list(store.library.incoming.iterdir()) == []


def test_only_what_is_ours_is_deleted(store: Store) -> None:
    library = store.library
    stranger = "a" * 32
    kept = [
        library.files / f"{stranger}.jpg",  # of another database, perhaps
        library.incoming / "notes.txt",
        library.incoming / f"{stranger}.jpg.bak",
        library.work / "my.txt",
        library.runs / stranger,
        library.folder / f"{stranger}.jpg",
    ]
    gone = [library.incoming / f"{stranger}.jpg", library.incoming / f"{stranger}.thumbnail.jpg"]
    gone += [library.work / "tmpab12_x.upload"]
    for path in (*kept, *gone):
        path.write_bytes(b"x")
    clean(with_limits(store, keep_days=1.0).library, time.time())
    assert all(path.exists() for path in (*kept, *gone))  # not old enough
    clean(with_limits(store, keep_days=1.0).library, time.time() + LEFT_FOR + 60)
    assert all(path.exists() for path in kept) and not any(path.exists() for path in gone)


def test_working_folders_of_ended_jobs_go_and_those_of_others_stay(store: Store) -> None:
    ended = finished(store)
    waiting = store.queue.submit("paint", "paint", {}, [])
    for job in (ended.id, waiting.id, "b" * 32):
        (store.library.work / job).mkdir()
        (store.library.work / job / "x").write_bytes(b"x")
    (store.library.work / ("c" * 32)).symlink_to(store.library.styles)
    clean(store.library, time.time() + LEFT_FOR + 60)
    assert (store.library.work / waiting.id / "x").exists()
    assert not any((store.library.work / job).exists() for job in (ended.id, "b" * 32))
    assert store.library.styles.exists()
