"""The toy package adds one thing of each kind, installed beside impasto as pip would install it."""

import json
import shutil
import struct
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.command import QUICK, ROOT

TOY = ROOT / "tests" / "plugins" / "impasto_toy"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages with the toy package and its entry points."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(TOY / "impasto_toy", site / "impasto_toy", ignore=shutil.ignore_patterns("__pycache__"))
    project = tomllib.loads((TOY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = site / f"impasto_toy-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "\n".join(f"{n} = {v}" for n, v in points.items()) for group, points in groups]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


class Command:
    """Runs ``impasto`` in a folder, with the toy package installed and fewer images to score in training."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.site, self.folder = site, folder

    def __call__(self, *arguments: str) -> str:
        run = QUICK[-1] if arguments[0] == "train" else "from impasto.cli import main; main()"
        code = f"import sys; sys.path.insert(0, {str(self.site)!r}); {run}"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def toy(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command, in a folder with twelve paintings in the toy image format and a run that was trained on them."""
    command = Command(installed, tmp_path_factory.mktemp("work"))
    paintings = command.folder / "paintings"
    paintings.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        colours = rng.integers(0, 256, (4, 5, 3), np.uint8)
        image = Image.fromarray(colours).resize((40, 36), Image.Resampling.BICUBIC)
        data = b"TOYIMG" + struct.pack(">II", *image.size) + image.tobytes()
        (paintings / f"{number}.toyimg").write_bytes(data)
    command("train", "toy", "--paintings", "paintings", "--out", "run", "--budget", "3steps", "--log", "toy-csv")
    return command


def test_a_recipe_of_another_package_is_listed(toy: Command) -> None:
    listed = toy("recipes")
    assert "toy " in listed and "toy-translation" in listed
    assert "calm: 0.1" in toy("recipes", "toy") and "hidden: 3" in toy("recipes", "toy")


def test_its_method_networks_loss_image_format_and_logger_train(toy: Command) -> None:
    run = toy.folder / "run"
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all({"loss_calm", "loss_generator", "loss_discriminator"} <= row.keys() for row in rows)
    lines = [line.split(",") for line in (run / "log.csv").read_text().splitlines()]
    assert [(int(step), float(loss)) for step, loss, _ in lines] == [
        (row["step"], row["loss_discriminator"]) for row in rows
    ]
    assert len(json.loads((run / "pictures.json").read_text())["pictures"]) == 12
    toy("generate", "run", "--count", "2", "--out", "made")
    assert len(list((toy.folder / "made").glob("*.png"))) == 2


@pytest.mark.long
def test_its_metric_and_feature_extractor_score(toy: Command) -> None:
    shown = toy("evaluate", "run", "--against", "paintings", "--network", "toy-colours", "--count", "12")
    found = json.loads((toy.folder / "evaluation" / "evaluation.json").read_text())
    (scores,) = found["scores"]
    assert scores["network"] == "toy-colours" and -1 <= scores["values"]["toy-cosine"]["value"] <= 1
    assert "toy-cosine" in shown
    page = (toy.folder / "evaluation" / "evaluation.html").read_text()
    assert "cosine between the mean features of fakes and reals; higher is better" in page


@pytest.mark.long
def test_its_generator_paints_photos_of_any_size_although_tiling_does_not_know_its_operations(toy: Command) -> None:
    rng = np.random.default_rng(1)
    photos = toy.folder / "photos"
    photos.mkdir()
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)).save(photos / f"{number}.png")
    data = ("--paintings", "paintings", "--photos", "photos")
    toy("train", "toy-translation", *data, "--out", "translation", "--budget", "2steps")
    Image.fromarray(rng.integers(0, 256, (901, 701, 3), np.uint8)).save(toy.folder / "large.png")
    toy("paint", "large.png", "--style", "translation", "--out", "painted.png")
    with Image.open(toy.folder / "painted.png") as painted:
        assert painted.size == (701, 901)


def test_a_plugin_that_cannot_be_loaded_is_reported_and_stops_nothing_else(tmp_path: Path) -> None:
    about = tmp_path / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    groups = ("losses", "image_formats", "recipes")
    (about / "entry_points.txt").write_text("".join(f"[impasto.{group}]\nbroken = not_there\n" for group in groups))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from impasto.cli import main; main()"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    shown = run("recipes", "dcgan-64")
    assert shown.returncode == 0 and shown.stdout.startswith("name: dcgan-64")
    assert set(shown.stderr.splitlines()) == {
        "The plugin broken cannot be loaded (not_there: No module named 'not_there'): update or uninstall it."
    }
    refused = run("train", "dcgan-64", "--set", "loss=missing", "--paintings", "sample:paintings", "--out", "run")
    assert refused.returncode == 1 and "loss = 'missing'" in refused.stderr
