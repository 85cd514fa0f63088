"""docs/studio.md: every call is made as it is written, on a running studio, and every option exists."""

import inspect
import json
import os
import re
import shlex
import subprocess
import zipfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from fixtures import invented_runs, noise_style
from fixtures.command import ROOT
from fixtures.http_studio import UNHURRIED, HttpStudio, serving
from impasto.cli.serving import studio as studio_command
from impasto.serving import worker
from impasto.serving.jobs import LEASE
from impasto.serving.limits import Limits

DOCUMENT = (ROOT / "docs" / "studio.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
LINES = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
CURL = [line for line in LINES if line.startswith("curl ")]
#: Calls whose jobs are only queued here: they take long, or need the network. Their tasks have tests of their own.
QUEUED = ("explore", "evaluate", "train", "import", "pull", "export", "push")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    Image.effect_noise((48, 32), 60).convert("RGB").save(folder / "photo.jpg")
    with zipfile.ZipFile(folder / "holiday.zip", "w") as archive:
        archive.write(folder / "photo.jpg", "beach.jpg")
    (folder / "my-paintings").mkdir()
    for number in range(4):
        Image.effect_noise((64, 64), 60).convert("RGB").save(folder / "my-paintings" / f"{number}.jpg")
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    with serving(tmp_path_factory.mktemp("studio"), Limits(**UNHURRIED), work=True) as found:
        yield found


def path_of(command: str, document: dict[str, Any]) -> str:
    """Return method and path of a curl command as the OpenAPI document writes them: ``GET /v1/files/{file}``."""
    words = shlex.split(command, comments=True)
    sends = {"--json", "--data-binary"} & set(words)
    method = words[words.index("-X") + 1] if "-X" in words else ("POST" if sends else "GET")
    path = urlsplit(next(word for word in words if word.startswith("$STUDIO")).removeprefix("$STUDIO")).path
    fitting = [
        each for each, operations in document["paths"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", re.escape(each).replace(r"\{", "{").replace(r"\}", "}")), path)
        and method.lower() in operations
    ]  # fmt: skip
    return f"{method} {min(fitting, key=lambda each: each.count('{'), default=path)}"


def keep_run(running: HttpStudio, run: str, paintings: Path) -> None:
    """Leave what a training leaves."""
    folder = invented_runs.finish(running.library.runs / run, paintings, samples=4, count=2)
    noise_style.style().save(folder / "best.safetensors")


def test_every_call_is_made_as_it_is_written(running: HttpStudio, inputs: Path) -> None:
    shell = 'curl() { command curl -sS --fail-with-body --noproxy "*" --max-time 30 "$@"; }; '
    values = {"STUDIO": running.address}
    assert len(CURL) > 35
    for command in CURL:
        if any(f'/{task}" --json' in command for task in QUEUED):
            running.worker.stop()
        if "$RUN" in command and "RUN" not in values:
            values["RUN"] = next(job.id for job in running.queue.jobs(kind="train"))
            keep_run(running, values["RUN"], inputs / "my-paintings")
            running.queue.cancel(values["RUN"])
        if "mine/example" in command:
            Image.new("RGB", (8, 8)).save(running.library.folder / "examples" / "mine.jpg")
        limited = command.replace("--max-time 60", "--max-time 1 ")
        done = subprocess.run(
            ["bash", "-c", shell + limited], cwd=inputs, env=os.environ | values, capture_output=True, check=False
        )
        endless = "--max-time" in command
        assert done.returncode == (28 if endless else 0), (command, done.stdout, done.stderr)
        if "/events" in command:
            assert b"event: job\n" in done.stdout, command
        elif "-o" in shlex.split(command):
            assert done.stdout == b""
        elif done.stdout[:1] == b"{":
            answer = json.loads(done.stdout)
            if "state" in answer:
                values["JOB"] = answer["id"]
            elif "bytes" in answer and answer.get("kind") == "upload":
                values["FILE"] = answer["id"]
            for file in answer.get("results", []):
                values["RESULT"] = file["id"]
    with Image.open(inputs / "painting.jpg") as painting:
        assert painting.size == (48, 32)
    assert zipfile.ZipFile(inputs / "results.zip").namelist() == ["photo.jpg"]


def test_every_call_of_the_api_is_in_the_document(running: HttpStudio) -> None:
    address = urlsplit(running.address)
    connection = HTTPConnection(address.hostname or "", address.port)
    connection.request("GET", "/v1/openapi.json")
    document = json.loads(connection.getresponse().read())
    connection.close()
    calls = {f"{method.upper()} {path}" for path, each in document["paths"].items() for method in each}
    assert {path_of(command, document) for command in CURL} == calls | {"GET /metrics"}


def test_the_python_of_the_document_runs(inputs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(inputs)
    (text,) = (text for language, text in BLOCKS if language == "python")
    with serving(tmp_path, Limits(**UNHURRIED), work=True) as running:
        exec(compile(text.replace("http://127.0.0.1:7860", running.address), "docs/studio.md", "exec"), {})
    assert (inputs / "painting.png").exists() and (inputs / "painted" / "beach.jpg").exists()
    assert len(zipfile.ZipFile(inputs / "generated.zip").namelist()) == 4


def test_every_option_of_a_command_exists() -> None:
    ours = {f"--{name.replace('_', '-')}" for name in inspect.signature(studio_command).parameters} | {"--no-browser"}
    theirs = set(re.findall(r'"(--[\w-]+)"', inspect.getsource(worker.main)))
    found = 0
    for line in LINES:
        for command, options in (("impasto studio", ours), ("impasto.serving.worker", theirs)):
            if command in line:
                used = set(re.findall(r"--[\w-]+", line.partition(command)[2]))
                assert used <= options, line
                found += 1
    assert found >= 4


def test_the_numbers_of_the_document_are_those_of_the_code() -> None:
    limits = Limits()
    assert f"up to {limits.stored_bytes // 10**9} GB" in DOCUMENT
    assert "after three workers" in DOCUMENT and limits.attempts == 3
    assert "within a\nminute" in DOCUMENT and LEASE < 60
