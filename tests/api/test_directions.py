"""A CycleGAN's style translates in both directions: whole commands, as a user's shell runs them."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import impasto as package
from fixtures.command import QUICK, Impasto, begin, end_of, log_of, one_line, wait_for_step
from fixtures.translators import mirror, translator
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.metrics.results import Evaluation
from impasto.style import REVERSE, Style

#: A CycleGAN that trains in seconds; enough paintings are held out to be translated and scored.
SETTINGS = (
    *("size=32", "batch=2", "pool=4", "heldout=0.4", "ema.halflife=8", "generator.width=4", "generator.blocks=1"),
    *("discriminator.width=4", "discriminator.max_width=8", "discriminator.layers=1"),
)
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
PICTURES = ["--paintings", "sample:paintings", "--photos", "sample:photos", "--precision", "fp32"]
TRAIN = ["train", "cyclegan-resnet", *SMALL, *PICTURES]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run."""
    folder = tmp_path_factory.mktemp("trained")
    command = [*QUICK, *TRAIN, "--out", "run", "--budget", "30steps"]
    said = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert "In the reverse direction, photos of paintings, the " in said and "24 v 3" in said
    assert "impasto paint PAINTING… --style run --reverse --out photos" in said
    return folder / "run"


@pytest.fixture
def monet(tmp_path: Path) -> Path:
    """One painting, as a file."""
    with open_source("sample:paintings") as source:
        decode(next(iter(source.entries())).read()).image.save(tmp_path / "monet.png")
    return tmp_path / "monet.png"


def weights(style: Style) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Of both directions."""
    assert style.reverse is not None
    return style.network.state_dict(), style.reverse.state_dict()


def same(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_style_keeps_the_averages_of_both_generators_and_scores_of_both(trained: Path, impasto: Impasto) -> None:
    style, state = Style.load(trained / "last.safetensors"), end_of(trained)
    forward, reverse = weights(style)
    assert same(forward, state["ema"]) and same(reverse, state["ema_reverse"])
    assert not same(reverse, state["networks"]["back"]) and not same(reverse, forward)
    card = Style.load(trained).card
    assert [each.network for each in card.scores] == [each.network for each in card.scores_reverse]
    there, back = card.scores[0], card.scores_reverse[0]
    assert (there.fakes, there.reals) == (5, 36) and (back.fakes, back.reals) == (24, 3)
    assert "KID" in back.values
    told = Evaluation.model_validate_json((trained / "evaluation.json").read_text())
    assert told.scores_reverse == card.scores_reverse
    page = (trained / "report.html").read_text(encoding="utf-8")
    assert "24 v 3 against photos, in the reverse direction" in " ".join(page.split())
    samples = {path.name for path in (trained / "samples").iterdir()}
    assert {"step-00000030.jpg", "reverse-step-00000030.jpg"} <= samples
    Path("styles").mkdir()
    shutil.copy(trained / "best.safetensors", "styles/both.safetensors")
    assert "in the reverse direction (--reverse): KID[" in impasto("styles").stdout


def test_paint_reverse_makes_photos_of_paintings_and_python_makes_the_same(
    trained: Path, monet: Path, impasto: Impasto, tmp_path: Path
) -> None:
    assert "1 painting in there" in impasto("paint", monet, "--style", trained, "--out", "there").stdout
    assert "1 photo in back" in impasto("paint", monet, "--style", trained, "--reverse", "--out", "back").stdout
    there, back = pixels(tmp_path / "there" / "monet.png"), pixels(tmp_path / "back" / "monet.png")
    assert there.shape == back.shape and not np.array_equal(there, back)
    painter = package.load(trained, reverse=True)
    assert painter.card.domains == "paintings → photos"
    assert np.array_equal(np.asarray(painter.paint(monet)), back)
    assert package.paint_all([monet], tmp_path / "one.png", style=trained, reverse=True, say=str)
    assert np.array_equal(pixels(tmp_path / "one.png"), back)


def test_a_job_is_not_resumed_in_the_other_direction(trained: Path, monet: Path, impasto: Impasto) -> None:
    paint = ("paint", monet, "--style", trained, "--out", "out")
    impasto(*paint)
    assert "another style" in one_line(impasto(*paint, "--reverse", check=False))
    assert "0 paintings in out, and 1 there before" in impasto(*paint).stdout


def test_a_killed_run_resumes_with_the_same_average_of_the_reverse_generator(
    trained: Path, impasto: Impasto, tmp_path: Path
) -> None:
    process = begin([*QUICK, *TRAIN, "--out", "run", "--budget", "30steps"], tmp_path)
    wait_for_step(tmp_path / "run", 3)
    process.kill()
    process.communicate(timeout=60)
    assert end_of(tmp_path / "run")["step"] < 30
    impasto("train", "--resume", "run")
    whole, cut = end_of(trained), end_of(tmp_path / "run")
    assert whole["step"] == cut["step"] == 30
    assert same(whole["ema_reverse"], cut["ema_reverse"]) and same(whole["networks"]["back"], cut["networks"]["back"])
    assert log_of(trained) == log_of(tmp_path / "run")
    name = "samples/reverse-step-00000030.jpg"
    assert (trained / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_a_run_from_before_there_was_an_average_of_it_is_resumed(
    trained: Path, impasto: Impasto, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        del state["ema_reverse"]
        torch.save(state, path)
    assert "Going on from step 30" in impasto("train", "--resume", "run", "--budget", "32steps").stdout
    _, reverse = weights(Style.load(tmp_path / "run" / "last.safetensors"))
    assert same(reverse, end_of(tmp_path / "run")["ema_reverse"])


@pytest.mark.parametrize("kind", ["style", "run"])
def test_fine_tuning_begins_with_both_directions(trained: Path, impasto: Impasto, tmp_path: Path, kind: str) -> None:
    start = trained / "last.safetensors" if kind == "style" else trained
    impasto("train", "--from", start, *PICTURES, "--budget", "2steps", "--out", "fine")
    begun = torch.load(tmp_path / "fine" / "checkpoints" / "step-00000000.pt", weights_only=True)
    forward, reverse = weights(Style.load(trained / "last.safetensors"))
    assert same(begun["ema"], forward) and same(begun["ema_reverse"], reverse)
    before = reverse if kind == "style" else end_of(trained)["networks"]["back"]
    assert same(begun["networks"]["back"], before)


def test_evaluate_scores_the_reverse_direction(trained: Path, impasto: Impasto, tmp_path: Path) -> None:
    sides = ("--against", "sample:photos", "--photos", "sample:paintings", "--size", "48", "--count", "12")
    assert "12 v 5" in impasto("evaluate", trained, "--reverse", *sides, "--out", "back").stdout
    impasto("evaluate", trained, *sides, "--out", "there")
    back, there = (json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("back", "there"))
    assert (back["fakes"]["domains"], there["fakes"]["domains"]) == ("paintings → photos", "photos → paintings")
    assert back["scores"][0]["values"]["KID"] != there["scores"][0]["values"]["KID"]
    bare = ("evaluate", trained, "--reverse", "--against", "sample:photos")
    assert "turns paintings into photos: say which paintings" in one_line(impasto(*bare, check=False))
    none = ("evaluate", "sample:photos", "--reverse", "--against", "sample:photos")
    assert "sample:photos is not a style" in one_line(impasto(*none, check=False))


def test_a_style_file_from_before_loads_and_says_that_it_has_one_direction(
    trained: Path, monet: Path, impasto: Impasto
) -> None:
    made = Style.load(trained)
    Style(made.network, made.card.model_copy(update={"scores_reverse": []})).save(Path("old.safetensors"))
    assert not any(name.startswith(REVERSE) for name in load_file("old.safetensors"))
    assert Style.load("old.safetensors").reverse is None
    assert "1 painting in there" in impasto("paint", monet, "--style", "old.safetensors", "--out", "there").stdout
    for style, direction in (("old.safetensors", "photos → paintings"), ("monet-dream", "noise → paintings")):
        for command in (
            ["paint", monet],
            ["evaluate", style, "--against", "sample:photos", "--photos", "sample:photos"],
        ):
            given = [*command, "--reverse", "--out", "x"] + (["--style", style] if command[0] == "paint" else [])
            said = one_line(impasto(*given, check=False))
            assert f"has only the direction {direction}: choose another (impasto styles), or train a CycleGAN" in said
    assert not Path("x").exists()


def test_both_directions_are_kept_whole_and_halved_and_can_be_exchanged_back() -> None:
    both = Style(mirror(-1), translator().card, mirror(1))
    for dtype in (torch.float32, torch.float16):
        again = Style.from_bytes(both.to_bytes(dtype))
        assert all(same(one, two) for one, two in zip(weights(again), weights(both), strict=True))
        assert again.reverse is not None and not again.reverse.training
    back = both.reversed()
    assert back.card.domains == "paintings → photos" and back.network is both.reverse
    assert back.reversed().card == both.card and back.reversed().network is both.network
    sent = Style.from_bytes(back.to_bytes())
    assert sent.card == back.card and same(sent.network.state_dict(), mirror(1).state_dict())
