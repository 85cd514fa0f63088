"""What tasks see of their job: files as data sets, progress, results and messages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy.exc import OperationalError

from fixtures.store import Store, open_store, photo, with_limits
from impasto.errors import ImpastoError
from impasto.serving.library import FullError, Library
from impasto.serving.tables import StoredFile
from impasto.serving.tasks import TASKS, Stopped, TaskContext
from impasto.serving.tasks.base import THUMBNAIL
from impasto.serving.tasks.models import Models


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, styles={})
    yield opened
    opened.library.database.close()


def begun(store: Store, worker: str = "tester") -> TaskContext:
    """Return the context of a new job."""
    store.queue.submit("paint", "paint", {}, [])
    return TaskContext(store.claim(worker=worker), store.library, store.queue, Models(store.library, "cpu"), "cpu")


def test_every_task_has_its_own_path() -> None:
    paths = [task.path for task in TASKS.values() if task.path]
    assert len(set(paths)) == len(paths) and all(path.startswith("/") for path in paths)
    assert {task.name for task in TASKS.values() if task.lane == "train"} == {"train"}


def test_a_data_set_is_a_folder_of_the_images_under_their_names(store: Store) -> None:
    names = ["a.png", "a.png", "🎨" * 100 + ".png", "../../b.png"]
    files = [store.upload(name, photo(number)) for number, name in enumerate(names)]
    context = begun(store)
    folder = context.folder_of("paintings", [file.id for file in files])
    found = sorted(folder.iterdir())
    assert folder.is_relative_to(store.library.work / context.job.id)
    assert [path.name[:7] for path in found][:2] == ["00000-a", "00001-a"] and len(found) == 4
    assert [path.read_bytes() for path in found] == [photo(number) for number in range(4)]
    assert context.folder_of("paintings", [file.id for file in files]) == folder


def test_a_zip_is_a_data_set_alone(store: Store) -> None:
    archive, image = store.upload("a.zip", b"zip"), store.upload("a.png", photo())
    assert begun(store).folder_of("paintings", [archive.id]) == store.library.path(archive)
    with pytest.raises(ImpastoError, match=r"a\.zip is a zip among other files"):
        begun(store).folder_of("paintings", [image.id, archive.id])


def test_a_data_set_needs_no_links(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise PermissionError(1, "not on this file system")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    file = store.upload("a.png", photo())
    (copy,) = begun(store).folder_of("paintings", [file.id]).iterdir()
    assert copy.read_bytes() == photo()


def test_a_worker_that_lost_its_job_takes_no_result_of_the_next_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = begun(store, worker="first")
    store.queue.release("first")
    held = TaskContext(store.claim(worker="second"), store.library, store.queue, lost.models, "cpu")
    add = Library.add

    def meanwhile(self: Library, *arguments: Any, **options: Any) -> StoredFile:
        monkeypatch.setattr(Library, "add", add)
        with pytest.raises(Stopped):
            lost.result("a.png", b"lost")
        return add(self, *arguments, **options)

    monkeypatch.setattr(Library, "add", meanwhile)
    stored = held.result("a.png", b"held")
    assert store.library.path(stored).read_bytes() == b"held"
    assert not list(store.library.incoming.iterdir())


def test_a_file_whose_bytes_are_gone_is_named(store: Store) -> None:
    file = store.upload("holiday.png", photo())
    store.library.path(file).unlink()
    with pytest.raises(ImpastoError, match=r"holiday\.png is gone"):
        begun(store).folder_of("paintings", [file.id])


def test_progress_is_seldom_written_and_its_end_always(store: Store) -> None:
    context, before = begun(store), store.queue.counts()
    for done in range(1, 101):
        context.progress(done, 100, "tiles", f"tile {done}\n\x1b[31m")
    job = store.queue.job(context.job.id)
    assert (job.done, job.total, job.unit) == (100, 100, "tiles")
    assert job.message.startswith("tile 100") and job.message.isprintable()
    assert store.queue.counts() == before


def test_a_job_that_gets_further_than_before_is_not_blamed_for_earlier_workers(store: Store) -> None:
    context = begun(store)
    context.progress(5, 5)
    store.queue.release("tester")
    again = TaskContext(store.claim(), store.library, store.queue, context.models, "cpu")
    again.progress(5, 5)
    assert store.queue.job(again.job.id).attempts == 1
    again.progress(6, 6)
    assert store.queue.job(again.job.id).attempts == 0


@pytest.mark.parametrize("way", ["report", "result", "check"])
def test_a_job_that_is_held_by_another_worker_stops(store: Store, way: str) -> None:
    context = begun(store)
    store.queue.release("tester")
    if way == "check":
        context.end("requeue")
        context.end("lost")  # counts more
    with pytest.raises(Stopped) as stopped:
        if way == "result":
            context.result("a.png", photo())
        else:
            context.progress(1, 1)
    assert stopped.value.wish == "lost"
    assert store.results(context.job) == []


def test_progress_survives_a_database_that_is_away_for_a_moment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("away"))

    context = begun(store)
    with monkeypatch.context() as patch:
        patch.setattr(store.queue, "report", away)
        context.progress(1, 1)
    context.progress(2, 2)
    assert store.queue.job(context.job.id).done == 2


def test_results_have_thumbnails_if_they_are_large(store: Store) -> None:
    context = begun(store)
    for side in (THUMBNAIL, 2 * THUMBNAIL):
        image = Image.new("RGB", (side, side // 2))
        context.result("a.png", photo(), size=image.size, image=image)
    small, large = store.results(context.job)
    assert not small.thumbnail and large.thumbnail and (large.width, large.height) == (960, 480)
    with Image.open(store.library.thumbnail(large)) as image:
        assert image.size == (480, 240)


def test_a_report_names_a_zip_as_people_do(store: Store, tmp_path: Path) -> None:
    archive = store.upload("Monet & co.zip", b"zip")
    store.queue.submit("evaluate", "paint", {}, [archive.id])
    context = TaskContext(store.claim(), store.library, store.queue, Models(store.library, "cpu"), "cpu")
    written = tmp_path / "report.html"
    written.write_text(f"noise v {archive.id}.zip, {store.library.path(archive)}")
    report = context.report_of(written)
    assert store.library.path(report).read_text() == "noise v Monet &amp; co.zip, files/Monet &amp; co.zip"
    assert report.media == "text/html" and not report.shown


def test_results_are_refused_if_the_studio_is_full(store: Store) -> None:
    context = begun(with_limits(store, stored_bytes=1))
    with pytest.raises(FullError):
        context.result("a.png", photo())


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("{file} cannot be painted: damaged.", "holiday.png cannot be painted: damaged."),
        ("[Errno 2] No such file: '/usr/lib/python3/x y.py'", "[Errno 2] No such file: 'x y.py'"),
        ("{work}/paintings/00000-a.png: empty", "paintings/00000-a.png: empty"),
        ("choose and/or https://example.org/a/b, 3/4", "choose and/or https://example.org/a/b, 3/4"),
    ],
)
def test_messages_name_files_and_no_folder_of_this_machine(store: Store, message: str, shown: str) -> None:
    file = store.upload("holiday.png", photo())
    store.queue.submit("paint", "paint", {}, [file.id])
    context = TaskContext(store.claim(), store.library, store.queue, Models(store.library, "cpu"), "cpu")
    text = message.format(file=store.library.path(file), work=store.library.work / context.job.id)
    assert context.explain(ImpastoError(text)) == shown
