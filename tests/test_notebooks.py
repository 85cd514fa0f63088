"""The notebooks: their files, and their cells in a kernel, on the bundled sample and on a simulated Kaggle machine."""

import ast
import inspect
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image

import impasto
from fixtures.command import ROOT, log_of
from fixtures.notebooks import NOTEBOOKS, execute, kernel_manager
from impasto.data.sources import open_source
from impasto.interop.kaggle_submission import FEWEST, check_submission

#: Largest file in bytes.
LARGEST = 600_000

#: A DCGAN and a translator that train in seconds.
DCGAN = "batch=8 generator.width=8 generator.max_width=16 discriminator.width=8 discriminator.max_width=16"
CNN = "size=32 batch=2 generator.width=4 generator.depth=3 generator.init_std=0.2"
CNN += " discriminator.width=4 discriminator.depth=2 discriminator.init_std=0.2"

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path: Path) -> str:
    """Return the code of a notebook as Python, without IPython's own syntax."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(TransformerManager().transform_cell(each.source) for each in cells if each.cell_type == "code")


def test_there_are_four_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} == {"colab-your-own", "folder-to-style", "kaggle-dcgan", "kaggle-monet"}


@notebooks
def test_a_notebook_is_valid_small_and_of_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len(text) < LARGEST
    assert not re.search(r"/(home|root|tmp|work|Users|var)/|[A-Z]:\\\\", text)
    runs = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "parameters" in runs[0].metadata.tags
    assert all(cell.execution_count for cell in runs), "without outputs"
    assert not any(output.output_type == "error" for cell in runs for output in cell.outputs)


@notebooks
def test_the_cells_parse_and_use_the_public_api(path: Path) -> None:
    tree = ast.parse(code(path))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"impasto", "logging", "os", "sys", "tempfile"} and modules <= {"importlib.util", "pathlib"}
    called = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    verbs = [node for node in called if isinstance(node.func.value, ast.Name) and node.func.value.id == "impasto"]  # type: ignore[attr-defined]
    assert {"explore", "train", "load"} <= {node.func.attr for node in verbs}  # type: ignore[attr-defined]

    for node in verbs:
        verb = getattr(impasto, node.func.attr)  # type: ignore[attr-defined]
        assert node.func.attr in impasto.__all__  # type: ignore[attr-defined]
        inspect.signature(verb).bind(*node.args, **{each.arg: each for each in node.keywords if each.arg})


def test_the_kernel_metadata_is_of_the_competition() -> None:
    metadata = json.loads((ROOT / "notebooks" / "kernel-metadata.json").read_text(encoding="utf-8"))
    assert metadata["competition_sources"] == ["gan-getting-started"]
    assert metadata["enable_gpu"] and (ROOT / "notebooks" / metadata["code_file"]).is_file()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("colab-your-own", {"IMPASTO_SETTINGS": "batch=1 half=0", "IMPASTO_BUDGET": "2steps"}),
        ("folder-to-style", {"IMPASTO_RECIPE": "dcgan-64", "IMPASTO_SETTINGS": DCGAN, "IMPASTO_BUDGET": "20steps"}),
    ],
)
def test_a_notebook_runs_on_the_bundled_sample(
    name: str, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    executed = execute(ROOT / "notebooks" / f"{name}.ipynb", tmp_path)
    assert (tmp_path / "run" / "report.html").is_file() and (tmp_path / "exploration" / "exploration.html").is_file()
    assert len(nbformat.writes(executed)) < LARGEST
    shown = [
        output.data.get("text/html", "")
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    for expected in ("exploring", "Exploration of", "Finished: ", "Style: ", "Training curves"):
        assert any(expected in html for html in shown), expected


@pytest.mark.long
def test_an_interrupted_cell_saves_a_checkpoint_and_resumes_when_it_is_run_again(tmp_path: Path) -> None:
    settings = ["size=16", *DCGAN.split()]
    train = (
        "import impasto\n"
        "trained = impasto.train('dcgan-64', paintings='sample:paintings', out='run', budget={budget!r}, "
        f"settings={settings!r}, resume=True)\n"
        "print(trained.finished, trained.signal, impasto.load('run').card.steps)"
    )
    with kernel_manager() as manager:
        manager.start_kernel(cwd=str(tmp_path))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=120)
            first = _run(client, train.format(budget="100000steps"), lambda: _steps(tmp_path) > 20, manager)
            assert first.startswith("False 2 "), first
            made = int(first.split()[2])
            second = _run(client, train.format(budget=f"{made + 50}steps"))
            assert second.startswith("True None "), second
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    steps = [row["step"] for row in log_of(tmp_path / "run") if "step" in row]
    assert steps == sorted(set(steps)) and steps[-1] == made + 50  # none is made twice


def _steps(folder: Path) -> int:
    log = folder / "run" / "log.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0


def _run(client: Any, source: str, interrupt_when: Any = None, manager: Any = None) -> str:
    """Execute code, interrupted once by the kernel's menu command, and return what it prints last."""
    printed: list[str] = []
    request = client.execute(source)
    while True:
        if interrupt_when is not None and interrupt_when():
            manager.interrupt_kernel()
            interrupt_when = None
        try:
            message = client.get_iopub_msg(timeout=0.5)
        except Exception as error:
            assert type(error).__name__ == "Empty", error
            time.sleep(0.1)
            continue
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        assert message["msg_type"] != "error", content
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            printed.append(content["text"])
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return "".join(printed).strip().splitlines()[-1]


@pytest.mark.long
@pytest.mark.parametrize("name", ["kaggle-monet", "kaggle-dcgan"])
def test_a_simulated_kaggle_machine_makes_a_submission(name: str, tmp_path: Path) -> None:
    """Without network, and with a home folder that cannot be written to."""
    data, working, home = (tmp_path / part for part in ("input/gan-getting-started", "working", "home"))
    for folder in (data / "monet_jpg", working, home):
        folder.mkdir(parents=True)
    with open_source("sample:paintings") as paintings:
        for number, entry in enumerate(paintings.entries()):
            (data / "monet_jpg" / f"{number}.jpg").write_bytes(entry.read())
    environment = os.environ | {
        "HOME": str(home),
        "TMPDIR": str(tmp_path),
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        "IMPASTO_INPUT": str(tmp_path / "input"),
        "IMPASTO_WORKING": str(working),
        "IMPASTO_FIRST_STYLE": "",
        "IMPASTO_BUDGET": "60steps",
        "IMPASTO_RECIPE": "cnn" if name == "kaggle-monet" else "dcgan-64",
        "IMPASTO_SETTINGS": CNN if name == "kaggle-monet" else DCGAN,
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    }
    environment.pop("IMPASTO_CACHE", None)
    if name == "kaggle-monet":
        write_photos(data / "photo_jpg", FEWEST + 20)
    command = [sys.executable, "-m", "fixtures.notebooks", str(ROOT / "notebooks" / f"{name}.ipynb"), str(working)]
    subprocess.run([*isolation(home), *command], env=environment, check=True)
    report = check_submission(working / "images.zip")
    assert report.ok and report.count >= FEWEST, report.problems
    assert list(home.iterdir()) == []


def isolation(home: Path) -> list[str]:
    """Return the beginning of a command that has no network and cannot write to a folder; empty where the system
    refuses that, and the proxies alone keep it from the network."""
    script = 'mount -t tmpfs -o ro none "$0" && exec "$@"'
    command = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", script, str(home)]
    if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
        return command
    return []


def write_photos(folder: Path, count: int) -> None:
    """Write small photos, all different: parts of the bundled ones."""
    folder.mkdir()
    with open_source("sample:photos") as source:
        photos = [Image.open(io.BytesIO(entry.read())).convert("RGB") for entry in source.entries()]
    rng = np.random.default_rng(0)
    for number in range(count):
        photo = photos[number % len(photos)]
        side = int(rng.integers(96, 400))
        left, top = (int(rng.integers(0, length - side)) for length in photo.size)
        photo.crop((left, top, left + side, top + side)).resize((64, 64)).save(folder / f"{number}.jpg")
