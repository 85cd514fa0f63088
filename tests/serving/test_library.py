"""The files of the studio: names, quota, browsing, and the deletion of what is ours."""

import os
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from fixtures.store import Store, open_store, photo, with_limits
from impasto.errors import ImpastoError
from impasto.serving.library import MAX_NAME, FullError, NotFoundError, display_name
from impasto.serving.tables import Job, StoredFile


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "studio", styles={})
    yield opened
    opened.library.database.close()


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("a.jpg", "a.jpg"),
        ("../../x.png", "x.png"),
        ("/etc/passwd", "passwd"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("/", "file"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("C:", "file"),
        ("\\\\server\\share\\a.jpg", "a.jpg"),
        ("a\0b.jpg", "ab.jpg"),
        ("Köln 🎨.jpg", "Köln 🎨.jpg"),
        ("a\u202egpj.exe", "a�gpj.exe"),
    ],
)
def test_names_are_no_paths(given_name: str, shown: str) -> None:
    assert display_name(given_name) == shown


@given(st.text(max_size=50) | st.text(st.sampled_from("./\\:\0 aC"), max_size=50))
def test_any_name_is_printable_and_no_path(name: str) -> None:
    shown = display_name(name)
    assert shown.isprintable() and 0 < len(shown) <= MAX_NAME
    assert not {"/", "\\", "\0"} & set(shown) and shown not in (".", "..")


@pytest.mark.parametrize(
    "name", ["../../x", "a\0.png", "x" * 10_000 + ".jpg", "C:\\a.png", "con.jpg", "\n.png", "a.php", "a.html", "a.PNG"]
)
def test_bytes_lie_in_the_folder_under_a_random_name(store: Store, name: str) -> None:
    file = store.upload(name, b"bytes")
    path = store.library.path(file)
    assert path.parent == store.library.files and path.read_bytes() == b"bytes"
    assert path.stem == file.id and set(file.id) <= set(string.hexdigits) and len(file.id) == 32
    assert path.suffix in ("", ".jpg", ".png") and len(file.name) <= MAX_NAME
    assert file.media in ("image/jpeg", "image/png", "application/octet-stream")
    assert list(store.library.incoming.iterdir()) == []


def test_the_quota_counts_files_and_bytes(store: Store) -> None:
    small = with_limits(store, stored_bytes=10, stored_files=2)
    small.library.require_space(10)
    first = small.upload("a.jpg", b"12345678")
    small.library.require_space(2)
    with pytest.raises(FullError):
        small.library.require_space(3)
    small.upload("b.jpg", b"1")
    with pytest.raises(FullError):
        small.library.require_space()
    small.library.delete(first.id)
    small.library.require_space(9)


def test_files_are_browsed_newest_first_and_searched(store: Store) -> None:
    made = [store.upload(f"{name}.jpg", b"x") for name in ("Ant", "50%_bee", "cat")]
    store.library.mark(made[0].id, favourite=True)
    names = [file.name for file in store.library.browse()]
    assert names == ["cat.jpg", "50%_bee.jpg", "Ant.jpg"]
    assert [file.name for file in store.library.browse(query="ANT")] == ["Ant.jpg"]
    assert [file.name for file in store.library.browse(query="%_")] == ["50%_bee.jpg"]
    assert [file.name for file in store.library.browse(favourite=True)] == ["Ant.jpg"]
    assert store.library.browse(kind="result") == []


def test_a_search_folds_all_letters_and_reads_no_keys_of_settings(store: Store) -> None:
    job = finished(store)
    (result,) = store.results(job)
    settings = {"style": "Ukiyo-É", "photo": "STRASSE.png", "strength": 0.5}
    with store.library.database.write() as session:
        session.execute(update(StoredFile).where(StoredFile.id == result.id).values(settings=settings))
    store.upload("ÄPFEL.jpg", b"x")
    found = {
        query: [f.name for f in store.library.browse(query=query)]
        for query in ("äpfel", "é", "strass", "streng", "style")
    }
    assert found == {"äpfel": ["ÄPFEL.jpg"], "é": [result.name], "strass": [result.name], "streng": [], "style": []}


def test_large_folders_are_deleted_outside_of_the_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    job, other = finished(store), store.upload("a.jpg", b"x")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: store.library.mark(other.id, favourite=True))
    monkeypatch.setattr("impasto.serving.database.TIMEOUT", 1)
    store.library.delete_job(job.id)
    assert store.library.file(other.id).favourite


def test_pages_follow_each_other_without_gaps_or_repetitions(store: Store) -> None:
    made = [store.upload(f"{number}.jpg", b"x").id for number in range(7)]
    found, before = list[str](), None
    while page := store.library.browse(before=before, limit=2):
        found += [file.id for file in page]
        before = float(f"{page[-1].created:.6f}"), page[-1].id  # as the API writes it
    assert sorted(found) == sorted(made) and len(found) == 7


def finished(store: Store, *inputs: StoredFile, results: int = 1) -> Job:
    store.queue.submit("paint", "paint", {}, [file.id for file in inputs])
    job = store.claim()
    for number in range(results):
        data, small = store.library.work / "r.png", store.library.work / "t.jpg"
        data.write_bytes(photo())
        small.write_bytes(b"small")
        store.library.add(f"{number}.png", data, kind="result", job=job, thumbnail=small)
    store.queue.finish(job, "done")
    return store.queue.job(job.id)


def test_a_file_that_an_unfinished_job_reads_is_kept(store: Store) -> None:
    file = store.upload("a.jpg", b"x")
    job = store.queue.submit("paint", "paint", {}, [file.id])
    with pytest.raises(ImpastoError, match=r"a\.jpg is read by a job"):
        store.library.delete(file.id)
    assert store.library.path(file).exists()
    store.queue.cancel(job.id)
    store.library.delete(file.id)
    assert not store.library.path(file).exists()
    with pytest.raises(NotFoundError):
        store.library.file(file.id)
    assert store.queue.files(job.id) == ([], [])


def test_deleting_a_job_deletes_its_results_and_keeps_uploads(store: Store) -> None:
    only, shared = (store.upload(f"{name}.jpg", b"x") for name in ("only", "shared"))
    job = finished(store, only, shared, results=2)
    other = finished(store, shared)
    for folder in (store.library.work, store.library.runs):
        (folder / job.id).mkdir()
        (folder / job.id / "x").write_bytes(b"x")
    results = store.results(job)
    store.library.delete_job(job.id)
    assert not any(store.library.path(file).exists() for file in results)
    assert not any(store.library.thumbnail(file).exists() for file in results)
    assert all(store.library.path(file).exists() for file in (only, shared, *store.results(other)))
    assert not any(folder.exists() for folder in (store.library.work / job.id, store.library.runs / job.id))
    with pytest.raises(NotFoundError):
        store.queue.job(job.id)


def test_a_job_is_not_deleted_before_it_ends_or_while_another_reads_its_results(store: Store) -> None:
    job = finished(store)
    reader = store.queue.submit("paint", "paint", {}, [store.results(job)[0].id])
    for each, why in ((reader, "has not ended"), (job, "read by a job")):
        with pytest.raises(ImpastoError, match=why):
            store.library.delete_job(each.id)
    assert all(store.library.path(file).exists() for file in store.results(job))


@pytest.mark.parametrize("name", ["../../precious", "..", ".", "", "/etc", "0" * 32])
def test_what_is_no_job_of_ours_is_not_deleted(store: Store, name: str) -> None:
    precious = store.library.folder.parent / "precious"
    precious.mkdir()
    own = store.upload("a.jpg", b"x")
    with pytest.raises(NotFoundError):
        store.library.delete_job(name)
    with pytest.raises(NotFoundError):
        store.library.delete(name)
    assert precious.exists() and store.library.path(own).exists() and store.library.work.exists()


def test_a_file_whose_bytes_are_gone_can_be_deleted(store: Store) -> None:
    file = store.upload("a.jpg", b"x")
    store.library.path(file).unlink()
    store.library.delete(file.id)
    assert store.library.browse() == []


def test_paths_are_hidden_in_texts(store: Store) -> None:
    file = store.upload("holiday.jpg", b"x")
    library, path = store.library, store.library.path(file)
    text = f"{path} and {library.folder}/runs/x, {os.path.realpath(library.folder)}: {library.folder}"
    shown = library.hide_paths(text, [file])
    assert shown.startswith("holiday.jpg and runs/x, ") and str(library.folder) not in shown
    assert library.hide_paths("https://example.org/a/b <b>x</b>") == "https://example.org/a/b <b>x</b>"
