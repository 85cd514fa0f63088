"""Styles are imported and exported by a worker, and shown by an example."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from fixtures.store import Store, open_store
from impasto.serving.shelf import example_file, style_file, styles
from impasto.serving.tasks import TASKS
from impasto.serving.tasks.sharing import EXAMPLE
from impasto.serving.worker import Worker


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("studio"))
    yield opened
    opened.library.database.close()


def example_size(store: Store, name: str) -> tuple[int, int]:
    with Image.open(example_file(store.library, name)) as image:
        return image.size


def test_a_style_file_is_imported_with_an_example(store: Store) -> None:
    data = style_file(store.library, "negative").read_bytes()
    job = store.work("import", file=store.upload("mine.safetensors", data).id, name="mine")
    assert job.state == "done", job.error
    assert job.outcome == {"style": "mine", "description": "photos → paintings"}
    imported, original = (load_file(style_file(store.library, name)) for name in ("mine", "negative"))
    assert all(torch.equal(imported[name], weight) for name, weight in original.items())
    assert example_size(store, "mine") == EXAMPLE
    assert "mine" in {style.name for style in styles(store.library)}


def test_a_taken_name_and_what_is_no_style_are_refused(store: Store) -> None:
    style = store.upload("a.safetensors", style_file(store.library, "noise").read_bytes())
    before = style_file(store.library, "negative").read_bytes()
    job = store.work("import", file=style.id, name="negative")
    assert job.state == "failed" and "already" in (job.error or "")
    assert style_file(store.library, "negative").read_bytes() == before
    for name, data in (("bad.safetensors", b"no"), ("bad.pth", b"\x80\x04no"), ("bad.jpg", b"no")):
        job = store.work("import", file=store.upload(name, data).id, name="bad")
        assert job.state == "failed" and str(store.library.folder) not in (job.error or ""), job.error
        assert "bad" not in {style.name for style in styles(store.library)}
    assert not (store.library.styles / "bad.safetensors").exists()


def test_a_style_with_damaged_weights_is_refused(store: Store, tmp_path: Path) -> None:
    from safetensors import safe_open

    source = style_file(store.library, "noise")
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    weights = {
        name: torch.full_like(weight, torch.nan)
        for name, weight in load_file(source).items()
        if weight.is_floating_point()
    } | {name: weight for name, weight in load_file(source).items() if not weight.is_floating_point()}
    save_file(weights, tmp_path / "nan.safetensors", metadata)
    upload = store.upload("nan.safetensors", (tmp_path / "nan.safetensors").read_bytes())
    job = store.work("import", file=upload.id, name="nan")
    assert job.state == "failed" and "NaN" in (job.error or "")
    assert str(store.library.folder) not in (job.error or "")


def test_a_style_that_a_killed_worker_had_added_is_not_refused(store: Store) -> None:
    data = style_file(store.library, "noise").read_bytes()
    job = store.begin("import", file=store.upload("a.safetensors", data).id, name="twice")
    store.claim(worker="first")
    folder = store.library.work / job.id
    folder.mkdir()
    shutil.copy(style_file(store.library, "noise"), folder / "style.safetensors")
    (store.library.styles / "twice.safetensors").hardlink_to(folder / "style.safetensors")
    store.queue.release("first")
    Worker(store.queue, store.library, "paint", "cpu").do(store.claim())
    assert store.queue.job(job.id).state == "done" and example_size(store, "twice") == EXAMPLE


def test_examples_are_made_once_and_last(store: Store) -> None:
    job = store.work("example", style="noise")
    assert job.state == "done" and job.priority < 0 and example_size(store, "noise") == EXAMPLE
    example_file(store.library, "noise").write_bytes(b"there")
    store.work("example", style="noise")
    assert example_file(store.library, "noise").read_bytes() == b"there"


@pytest.mark.parametrize("repository", ["../x", "a/b/c", "a", "a/..", "http://a/b", "a/b@../x", ""])
def test_repositories_are_no_paths(repository: str) -> None:
    for name, settings in (("pull", {"name": "x"}), ("push", {"style": "x"})):
        with pytest.raises(ValueError):
            TASKS[name].request.model_validate(settings | {"repository": repository})


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a\0", "x" * 101, "-x"])
def test_names_of_styles_are_no_paths(name: str) -> None:
    with pytest.raises(ValueError):
        TASKS["import"].request.model_validate({"file": "0" * 32, "name": name})
