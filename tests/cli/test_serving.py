"""The command ``studio`` as a process with its workers."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from fixtures.command import Impasto
from fixtures.http_studio import furnish
from impasto.style import bundled_styles

PATIENCE = 120


@contextmanager
def process(folder: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run ``impasto studio``; yield the process and its address."""
    arguments = ["studio", "--folder", str(folder), "--port", "0", "--no-browser", "--device", "cpu", *options]
    command = [sys.executable, "-c", "from impasto.cli import main; main()", *arguments]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        found = re.fullmatch(r"impasto studio: (http://\S+)  \(Ctrl-C stops it\)\n", line)
        assert found, line + started.stdout.read()
        yield started, found[1]
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


def wait(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)


def workers(parent: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(parent).children() if "impasto.serving.worker" in child.cmdline()]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def order(client: httpx.Client) -> str:
    """Order more images than are made before the process is stopped."""
    answer = client.post("/v1/generate", json={"style": "noise", "count": 500})
    assert answer.status_code == 202
    return str(answer.json()["id"])


def is_begun(client: httpx.Client, job: str) -> bool:
    found = client.get(f"/v1/jobs/{job}").json()
    assert found["state"] in ("queued", "running"), found
    return found["state"] == "running" and bool(found["done"])


@pytest.mark.long
@pytest.mark.usefixtures("default_signals")
def test_a_studio_is_stopped_killed_and_goes_on(tmp_path: Path, impasto: Impasto) -> None:
    folder = tmp_path / "studio"
    furnish(folder)
    for name in bundled_styles():
        (folder / "examples" / f"{name}.jpg").touch()

    with process(folder) as (server, address), httpx.Client(base_url=address, timeout=PATIENCE) as client:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        refused = impasto("studio", "--folder", folder, "--port", "0", "--no-browser", check=False)
        assert (refused.returncode, refused.stderr) == (1, f"impasto: Another studio serves {folder}.\n")
        wait(lambda: client.get("/v1/ready").status_code == 200)
        job = order(client)
        wait(lambda: is_begun(client, job))
        children = workers(server.pid)
        assert len(children) == 2
        with client.stream("GET", "/v1/events") as events:  # does not keep the server from ending
            next(events.iter_lines())
            server.send_signal(signal.SIGTERM)
            output, _ = server.communicate(timeout=PATIENCE)
        assert server.returncode == 128 + signal.SIGTERM, output
        assert output == "impasto: stopped by SIGTERM.\n"
        assert gone(children)

    with process(folder, "--host", "::1") as (server, address), httpx.Client(base_url=address) as client:
        assert address.startswith("http://[::1]:")
        wait(lambda: is_begun(client, job))
        children = workers(server.pid)
        os.kill(server.pid, signal.SIGKILL)
        wait(lambda: gone(children))

    with process(folder, "--host", "0.0.0.0") as (server, address):
        found = re.fullmatch(r"http://[^/]+:(\d+)/\?token=(\S{32,})", address)
        assert found
        local = f"http://127.0.0.1:{found[1]}"
        with httpx.Client(base_url=local) as client:
            assert client.get("/v1/jobs").status_code == 401
            assert client.get("/").status_code == 401
        with httpx.Client(base_url=local, headers={"authorization": f"Bearer {found[2]}"}, timeout=PATIENCE) as client:
            wait(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done")
            numbers = [file["settings"]["number"] for file in client.get("/v1/files?limit=500").json()["files"]]
            assert numbers
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=PATIENCE)
        assert server.returncode == 130, output
        assert found[2] not in output, "the token is printed once"
