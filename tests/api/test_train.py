"""Learning to paint photos, with whole commands as a user's shell runs them."""

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from fixtures.command import QUICK, Impasto, begin, end_of, log_of, wait_for_step
from impasto.cli.app import app
from impasto.errors import ImpastoError
from impasto.style import Style

#: A CUT that learns in seconds, and how it is kept small.
SETTINGS = (
    *("size=32", "batch=2", "contrast.patches=8", "generator.width=4", "generator.blocks=1", "identity=1"),
    *("discriminator.width=4", "discriminator.max_width=8", "discriminator.layers=1"),
)
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
PICTURES = ["--paintings", "sample:paintings", "--photos", "sample:photos", "--precision", "fp32"]
TRAIN = ["train", "cut", *SMALL, *PICTURES]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, impasto_command: list[str]) -> Path:
    """A small finished run."""
    folder = tmp_path_factory.mktemp("trained")
    command = [*QUICK, *TRAIN, "--out", "run", "--budget", "40steps"]
    said = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert "impasto paint PHOTO… --style run --out paintings" in said
    return folder / "run"


def first_of(run: Path) -> dict[str, Any]:
    """The state before the first step."""
    state: dict[str, Any] = torch.load(run / "checkpoints" / "step-00000000.pt", weights_only=True)
    return state


def same(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_holds_what_it_promises(trained: Path) -> None:
    there = {path.name for path in trained.iterdir()}
    promised = {"recipe.yaml", "log.jsonl", "samples", "checkpoints", "best.safetensors", "last.safetensors"}
    assert promised | {"report.html", "paintings.jpg"} <= there
    assert {"real.jpg", "photos.jpg", "step-00000000.jpg"} <= {path.name for path in (trained / "samples").iterdir()}
    card = Style.load(trained).card
    assert card.domains == "photos → paintings" and card.source_data is not None
    assert (card.target_data["spec"], card.source_data["spec"]) == ("sample:paintings", "sample:photos")
    assert card.scores and card.content is not None
    assert {"loss_contrast", "loss_identity", "loss_generator"} <= log_of(trained)[-1].keys()


def test_a_killed_run_that_is_resumed_equals_an_uninterrupted_one(
    trained: Path, impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    process = begin([*QUICK, *TRAIN, "--out", "run", "--budget", "40steps"], tmp_path)
    wait_for_step(tmp_path / "run", 3)
    process.kill()
    process.communicate(timeout=60)
    assert end_of(tmp_path / "run")["step"] < 40
    said = impasto("train", "--resume", "run", "--photos", "sample:photos").stdout
    assert "Going on from step" in said and "impasto paint" in said
    whole, cut = end_of(trained), end_of(tmp_path / "run")
    assert whole["step"] == cut["step"] == 40
    for name, weights in whole["networks"].items():
        assert same(weights, cut["networks"][name]), name
    assert log_of(trained) == log_of(tmp_path / "run")


def test_other_photos_than_the_run_began_with_are_refused(trained: Path) -> None:
    before = (trained / "run.json").read_bytes()
    said = refusal(["train", "--resume", str(trained), "--photos", "sample:paintings"])
    assert "does not hold the pictures" in said and "--photos" in said
    assert (trained / "run.json").read_bytes() == before


def test_a_style_goes_on_learning_from_other_pictures(trained: Path, impasto: Impasto, tmp_path: Path) -> None:
    """From the style file its painter alone; the discriminator is new."""
    style = trained / "last.safetensors"
    other = ["--paintings", "sample:photos", "--photos", "sample:paintings", "--budget", "2steps"]
    impasto("train", "--from", style, *other, "--precision", "fp32", "--out", "fine")
    begun, weights = first_of(tmp_path / "fine"), Style.load(style).network.state_dict()
    assert same(begun["networks"]["generator"], weights) and same(begun["ema"], weights)
    assert not same(begun["networks"]["discriminator"], end_of(trained)["networks"]["discriminator"])
    card = Style.load(tmp_path / "fine").card
    assert card.start == style.name and card.recipe == Style.load(style).card.recipe
    assert not same(Style.load(tmp_path / "fine" / "last.safetensors").network.state_dict(), weights)


def test_the_other_direction_is_trained_with_the_same_options(impasto: Impasto, tmp_path: Path) -> None:
    """What is exchanged is which of both are the inputs, everywhere."""
    turned = ["--set", "direction=painting-to-photo"]
    said = impasto(*TRAIN, *turned, "--out", "turned", "--budget", "2steps").stdout
    assert "Photos of paintings: impasto paint PAINTING… --style turned --out photos" in said
    card = Style.load(tmp_path / "turned").card
    assert card.domains == "paintings → photos" and card.source_data is not None
    assert (card.target_data["spec"], card.source_data["spec"]) == ("sample:photos", "sample:paintings")
    samples = tmp_path / "turned" / "samples"
    with Image.open(samples / "photos.jpg") as inputs, Image.open(samples / "real.jpg") as real:
        assert inputs.height > real.height  # sixteen paintings are its inputs; of photos there are five


def test_a_run_goes_on_learning_with_its_discriminator_even_if_killed_at_once(
    trained: Path, impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    """Killed before its first checkpoint, and resumed, it still begins with those weights."""
    command = [*QUICK, "train", "--from", str(trained), *PICTURES, "--seed", "7", "--out", "fine"]
    process = begin([*command, "--budget", "2steps"], tmp_path)
    while not (tmp_path / "fine" / "run.json").exists() and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert not list((tmp_path / "fine" / "checkpoints").iterdir())
    impasto("train", "--resume", "fine")
    begun, before = first_of(tmp_path / "fine"), end_of(trained)
    for name, weights in before["networks"].items():
        assert same(begun["networks"][name], weights), name
    assert same(begun["ema"], before["ema"])
    assert json.loads((tmp_path / "fine" / "run.json").read_text())["start"] == str(trained)


def test_weights_of_other_networks_are_refused_and_leave_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another painter always; another discriminator where it would go on too."""
    monkeypatch.chdir(tmp_path)
    for start, settings in (
        (trained / "best.safetensors", [*SMALL, "--set", "generator.width=8"]),
        (trained / "best.safetensors", []),
        (trained, [*SMALL, "--set", "discriminator.layers=2"]),
    ):
        arguments = ["train", "cut", *settings, "--from", str(start), *PICTURES, "--out", "fine"]
        assert "leave the recipe out" in refusal(arguments)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "cut", "--paintings", "sample:paintings", "--out", "r"], "--photos"),
        (["train", "dcgan-64", *PICTURES, "--out", "r"], "leave out --photos"),
        ([*TRAIN, "--photos", "nowhere", "--out", "r"], "nowhere"),
        (["train", "--from", "nowhere", *PICTURES, "--out", "r"], "no style nowhere"),
        (["train", *PICTURES, "--out", "r"], "--from STYLE"),
        (["train", "--resume", "r", "--from", "nowhere"], "only --budget"),
        ([*TRAIN, "--set", "generator.network=unet", "--out", "r"], "cut has no generator 'unet'"),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refusal(arguments)
    assert list(tmp_path.iterdir()) == []


def refusal(arguments: list[str]) -> str:
    """What a person is told, in one line; without the start of a new process, which takes seconds."""
    with pytest.raises(ImpastoError) as error:
        app(arguments)
    assert "\n" not in str(error.value)
    return str(error.value)
