"""Styles are imported, exported, pushed and pulled by a worker, and shown by an example."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fixtures import hub_server
from fixtures.hub_server import SIGNATURE, TOKEN, Hub, used
from fixtures.store import Store, open_store
from impasto.hub_styles import CONFIG, WEIGHTS
from impasto.networks.cnn import Generator
from impasto.serving.shelf import example_file, style_file, styles
from impasto.serving.tasks import TASKS
from impasto.serving.tasks.sharing import EXAMPLE
from impasto.serving.worker import UNEXPECTED, Worker


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


def test_a_push_is_to_no_revision() -> None:
    with pytest.raises(ValueError, match="pattern"):
        TASKS["push"].request.model_validate({"style": "x", "repository": "me/x@main"})


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a\0", "x" * 101, "-x"])
def test_names_of_styles_are_no_paths(name: str) -> None:
    with pytest.raises(ValueError):
        TASKS["import"].request.model_validate({"file": "0" * 32, "name": name})


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with used(monkeypatch, tmp_path / "token") as server:
        yield server


def failure(store: Store, caplog: pytest.LogCaptureFixture, kind: str, **settings: Any) -> str:
    """Run a job that fails; return the one sentence with which it does, which betrays nothing, as its log does not."""
    with caplog.at_level(logging.INFO):  # as a worker has it
        job = store.work(kind, **settings)
    error = job.error or ""
    assert job.state == "failed" and error != UNEXPECTED
    assert error.endswith((".", ")")) and error.count(". ") == 0 and "\n" not in error, "one sentence"
    for secret in (str(store.library.folder), tempfile.gettempdir(), TOKEN, "hf_wrong", SIGNATURE):
        assert secret not in error
    assert TOKEN not in caplog.text and "hf_wrong" not in caplog.text
    assert not (store.library.work / job.id).exists()
    return error


@pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # in the Hub's client
def test_a_pushed_style_is_pulled_unchanged_under_another_name(store: Store, hub: Hub) -> None:
    pushed = store.work("push", style="negative", repository="me/water")
    assert pushed.state == "done" and pushed.outcome == {"url": f"{hub.address}/me/water"}, pushed.error
    assert hub.repositories["me/water"].keys() == {WEIGHTS, CONFIG, "README.md", "paintings.jpg"}
    pulled = store.work("pull", repository="me/water@main", name="pulled")
    assert pulled.state == "done", pulled.error
    assert pulled.outcome == {"style": "pulled", "description": "photos → paintings"}
    assert style_file(store.library, "pulled").read_bytes() == hub.repositories["me/water"][WEIGHTS]
    assert example_size(store, "pulled") == EXAMPLE
    assert store.work("push", style="negative", repository="me/water").state == "done", "again, as a new commit"


def test_what_cannot_be_pulled_leaves_no_style(
    store: Store, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.repositories["me/empty"] = {"README.md": b"nothing"}
    hub.repositories["me/cut"] = {"cut.safetensors": style_file(store.library, "noise").read_bytes()[:200]}
    assert "There is no me/nowhere on the Hub" in failure(store, caplog, "pull", repository="me/nowhere", name="a")
    assert "There is no me/cut" in failure(store, caplog, "pull", repository="me/cut@never", name="a")
    assert "no safetensors file" in failure(store, caplog, "pull", repository="me/empty", name="a")
    assert "cut.safetensors of me/cut cannot be" in failure(store, caplog, "pull", repository="me/cut", name="a")
    hub.revisions.clear()
    assert "already" in failure(store, caplog, "pull", repository="me/cut", name="negative")
    assert hub.revisions == [], "a name is taken before anything is downloaded"
    hub_server.unreachable(monkeypatch)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client retries with growing delays
    assert "cannot be reached" in failure(store, caplog, "pull", repository="me/unseen", name="a")
    assert not (store.library.styles / "a.safetensors").exists()


@pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")
def test_what_may_not_be_pushed_is_said_in_a_sentence(
    store: Store, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.uploads = 400
    assert "The Hub refused me/b" in failure(store, caplog, "push", style="noise", repository="me/b")
    hub.repositories.clear()
    assert "denies access to others/a" in failure(store, caplog, "push", style="noise", repository="others/a")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "denies access to me/a" in failure(store, caplog, "push", style="noise", repository="me/a")
    monkeypatch.delenv("HF_TOKEN")
    assert "log in (hf auth login) or set HF_TOKEN" in failure(store, caplog, "push", style="noise", repository="me/a")
    assert hub.repositories == {}


def test_a_style_is_exported_as_onnx(store: Store) -> None:
    job = store.work("export", style="noise")
    assert job.state == "done" and job.outcome is not None, job.error
    assert 0 <= job.outcome["difference"]["mean"] <= job.outcome["difference"]["largest"] < 1
    (result,) = store.results(job)
    assert (result.name, result.suffix, result.shown) == ("noise.onnx", ".onnx", False)
    session = onnxruntime.InferenceSession(store.library.path(result), providers=["CPUExecutionProvider"])
    (images,) = session.run(None, {"latents": np.zeros((2, 10), np.float32)})
    assert images.shape == (2, 3, 16, 16)


def test_a_network_that_onnx_cannot_express_is_said_in_a_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def depends_on_values(self: nn.Module, images: Tensor) -> Tensor:
        return images if images.sum() > 0 else -images

    monkeypatch.setattr(Generator, "forward", depends_on_values)
    error = failure(store, caplog, "export", style="negative")
    assert error == "The network of this style cannot be exported to ONNX."
