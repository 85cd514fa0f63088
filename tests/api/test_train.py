"""Training and fine-tuning by whole commands: a CUT, and a CycleGAN with its two directions."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import impasto as package
from fixtures.command import QUICK, Impasto, begin, end_of, log_of, one_line, run_here, train_and_kill
from fixtures.parameters import mostly_long
from fixtures.translators import mirror, translator
from impasto.api.train import train
from impasto.cli.app import app
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.inference.translator import Translator
from impasto.metrics.results import Evaluation
from impasto.style import REVERSE, Style

#: A CUT that trains in seconds.
SETTINGS = (
    *("size=32", "batch=2", "contrast.patches=8", "generator.width=4", "generator.blocks=1", "identity=1"),
    *("discriminator.width=4", "discriminator.max_width=8", "discriminator.layers=1"),
)
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
PICTURES = ["--paintings", "sample:paintings", "--photos", "sample:photos", "--precision", "fp32"]
TRAIN = ["train", "cut", *SMALL, *PICTURES]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run."""
    folder = tmp_path_factory.mktemp("trained")
    said = run_here(*TRAIN, "--out", "run", "--budget", "40steps", folder=folder).stdout
    assert "impasto paint PHOTO… --style run --out paintings" in said
    return folder / "run"


def first_of(run: Path) -> dict[str, Any]:
    """The state before the first step."""
    state: dict[str, Any] = torch.load(run / "checkpoints" / "step-00000000.pt", weights_only=True)
    return state


def same(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_contains_styles_samples_checkpoints_and_report(trained: Path) -> None:
    there = {path.name for path in trained.iterdir()}
    promised = {"recipe.yaml", "log.jsonl", "samples", "checkpoints", "best.safetensors", "last.safetensors"}
    assert promised | {"report.html", "paintings.jpg"} <= there
    assert {"real.jpg", "photos.jpg", "step-00000000.jpg"} <= {path.name for path in (trained / "samples").iterdir()}
    card = Style.load(trained).card
    assert card.domains == "photos → paintings" and card.source_data is not None
    assert (card.target_data["spec"], card.source_data["spec"]) == ("sample:paintings", "sample:photos")
    assert card.scores and card.content is not None
    assert {"loss_contrast", "loss_identity", "loss_generator"} <= log_of(trained)[-1].keys()


def test_a_run_of_another_recipe_or_seed_is_not_resumed_in_its_place(trained: Path) -> None:
    for settings, seed in (([*SETTINGS, "identity=2"], 0), (SETTINGS, 1)):
        with pytest.raises(ImpastoError, match="a run of another recipe, settings or seed"):
            train(
                "cut",
                "sample:paintings",
                trained,
                photos="sample:photos",
                settings=settings,
                seed=seed,
                resume=True,
            )


def test_a_killed_run_that_is_resumed_equals_an_uninterrupted_one(
    trained: Path, impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    train_and_kill([*QUICK, *TRAIN, "--out", "run", "--budget", "40steps"], tmp_path / "run", 3)
    assert end_of(tmp_path / "run")["step"] < 40
    said = impasto("train", "--resume", "run", "--photos", "sample:photos").stdout
    assert "Resuming from step" in said and "impasto paint" in said
    uninterrupted, resumed = end_of(trained), end_of(tmp_path / "run")
    assert uninterrupted["step"] == resumed["step"] == 40
    for name, weights in uninterrupted["networks"].items():
        assert same(weights, resumed["networks"][name]), name
    assert log_of(trained) == log_of(tmp_path / "run")


def test_other_photos_than_the_run_began_with_are_refused(trained: Path) -> None:
    before = (trained / "run.json").read_bytes()
    said = refusal(["train", "--resume", str(trained), "--photos", "sample:paintings"])
    assert "does not hold the images" in said and "--photos" in said
    assert (trained / "run.json").read_bytes() == before


def test_fine_tuning_a_style_file_starts_a_new_discriminator(trained: Path, impasto: Impasto, tmp_path: Path) -> None:
    style = trained / "last.safetensors"
    other = ["--paintings", "sample:photos", "--photos", "sample:paintings", "--budget", "2steps"]
    impasto("train", "--from", style, *other, "--precision", "fp32", "--out", "fine")
    begun, weights = first_of(tmp_path / "fine"), Style.load(style).network.state_dict()
    assert same(begun["networks"]["generator"], weights) and same(begun["ema"], weights)
    assert not same(begun["networks"]["discriminator"], end_of(trained)["networks"]["discriminator"])
    card = Style.load(tmp_path / "fine").card
    assert card.start == style.name and card.recipe == Style.load(style).card.recipe
    assert not same(Style.load(tmp_path / "fine" / "last.safetensors").network.state_dict(), weights)


@pytest.mark.long
def test_the_other_direction_is_trained_with_the_same_options(impasto: Impasto, tmp_path: Path) -> None:
    turned = ["--set", "direction=painting-to-photo", "--set", "size=16"]
    said = impasto(*TRAIN, *turned, "--out", "turned", "--budget", "2steps").stdout
    assert "Turn paintings into photos: impasto paint PAINTING… --style turned --out photos" in said
    card = Style.load(tmp_path / "turned").card
    assert card.domains == "paintings → photos" and card.source_data is not None
    assert card.content is None  # 16 pixels are too small for it
    assert (card.target_data["spec"], card.source_data["spec"]) == ("sample:photos", "sample:paintings")
    samples = tmp_path / "turned" / "samples"
    with Image.open(samples / "photos.jpg") as inputs, Image.open(samples / "real.jpg") as real:
        assert inputs.height > real.height  # sixteen paintings are its inputs; of photos there are five


@pytest.mark.long
def test_fine_tuning_a_run_keeps_its_discriminator_even_if_killed_at_once(
    trained: Path, impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    """Killed before its first checkpoint and resumed, it still starts from those weights."""
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


def test_weights_of_other_networks_are_refused_before_a_folder_is_created(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for start, settings in (
        (trained / "best.safetensors", [*SMALL, "--set", "generator.width=8"]),
        (trained / "best.safetensors", []),
        (trained, [*SMALL, "--set", "discriminator.layers=2"]),
    ):
        arguments = ["train", "cut", *settings, "--from", str(start), *PICTURES, "--out", "fine"]
        assert "omit the recipe" in refusal(arguments)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "cut", "--paintings", "sample:paintings", "--out", "r"], "--photos"),
        (["train", "dcgan-64", *PICTURES, "--out", "r"], "takes no photos; remove --photos"),
        ([*TRAIN, "--photos", "nowhere", "--out", "r"], "nowhere"),
        (["train", "--from", "nowhere", *PICTURES, "--out", "r"], "no style nowhere"),
        (["train", *PICTURES, "--out", "r"], "--from STYLE"),
        (["train", "--resume", "r", "--from", "nowhere"], "only --budget"),
        ([*TRAIN, "--set", "generator.network=unet", "--out", "r"], "cut has no generator 'unet'"),
    ],
)
def test_wrong_options_are_refused_in_one_line_before_a_folder_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refusal(arguments)
    assert list(tmp_path.iterdir()) == []


def refusal(arguments: list[str]) -> str:
    """Return the error of a command, one line."""
    with pytest.raises(ImpastoError) as error:
        app(arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


# Both directions of a CycleGAN.

#: A CycleGAN that trains in seconds; enough paintings are held out to be translated and scored.
CYCLEGAN_SETTINGS = (
    *("size=32", "batch=2", "pool=4", "heldout=0.4", "ema.halflife=8", "generator.width=4", "generator.blocks=1"),
    *("discriminator.width=4", "discriminator.max_width=8", "discriminator.layers=1"),
)
CYCLEGAN_SMALL = [part for setting in CYCLEGAN_SETTINGS for part in ("--set", setting)]
TRAIN_CYCLEGAN = ["train", "cyclegan-resnet", *CYCLEGAN_SMALL, *PICTURES]


@pytest.fixture(scope="module")
def cyclegan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run."""
    folder = tmp_path_factory.mktemp("cyclegan")
    said = run_here(*TRAIN_CYCLEGAN, "--out", "run", "--budget", "30steps", folder=folder).stdout
    assert "Reverse direction (painting → photo): KID" in said and "24 fakes v 3 reals" in said
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


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_style_has_the_averages_and_scores_of_both_generators(cyclegan: Path, impasto: Impasto) -> None:
    style, state = Style.load(cyclegan / "last.safetensors"), end_of(cyclegan)
    forward, reverse = weights(style)
    assert same(forward, state["ema"]) and same(reverse, state["ema_reverse"])
    assert not same(reverse, state["networks"]["back"]) and not same(reverse, forward)
    card = Style.load(cyclegan).card
    assert [each.network for each in card.scores] == [each.network for each in card.scores_reverse]
    there, back = card.scores[0], card.scores_reverse[0]
    assert (there.fakes, there.reals) == (5, 36) and (back.fakes, back.reals) == (24, 3)
    assert "KID" in back.values
    told = Evaluation.model_validate_json((cyclegan / "evaluation.json").read_text())
    assert told.scores_reverse == card.scores_reverse
    page = (cyclegan / "report.html").read_text(encoding="utf-8")
    assert "24 fakes v 3 reals, reverse direction" in " ".join(page.split())
    samples = {path.name for path in (cyclegan / "samples").iterdir()}
    assert {"step-00000030.jpg", "reverse-step-00000030.jpg"} <= samples
    Path("styles").mkdir()
    shutil.copy(cyclegan / "best.safetensors", "styles/both.safetensors")
    assert "reverse direction (--reverse): KID[" in impasto("styles").stdout


def test_paint_reverse_makes_photos_of_paintings_and_python_makes_the_same(
    cyclegan: Path, monet: Path, impasto: Impasto, tmp_path: Path
) -> None:
    assert "1 painting in there" in impasto("paint", monet, "--style", cyclegan, "--out", "there").stdout
    assert "1 photo in back" in impasto("paint", monet, "--style", cyclegan, "--reverse", "--out", "back").stdout
    there, back = pixels(tmp_path / "there" / "monet.png"), pixels(tmp_path / "back" / "monet.png")
    assert there.shape == back.shape and not np.array_equal(there, back)
    loaded = package.load(cyclegan, reverse=True)
    assert isinstance(loaded, Translator)
    assert loaded.card.domains == "paintings → photos"
    assert np.array_equal(np.asarray(loaded.paint(monet)), back)
    assert package.paint_all([monet], tmp_path / "one.png", style=cyclegan, reverse=True)
    assert np.array_equal(pixels(tmp_path / "one.png"), back)


def test_a_job_is_not_resumed_in_the_other_direction(cyclegan: Path, monet: Path, impasto: Impasto) -> None:
    paint = ("paint", monet, "--style", cyclegan, "--out", "out")
    impasto(*paint)
    assert "another style" in one_line(impasto(*paint, "--reverse", check=False))
    assert "0 paintings in out, and 1 there before" in impasto(*paint).stdout


@pytest.mark.long
def test_a_killed_run_resumes_with_the_same_average_of_the_reverse_generator(
    cyclegan: Path, impasto: Impasto, tmp_path: Path
) -> None:
    train_and_kill([*QUICK, *TRAIN_CYCLEGAN, "--out", "run", "--budget", "30steps"], tmp_path / "run", 3)
    assert end_of(tmp_path / "run")["step"] < 30
    impasto("train", "--resume", "run")
    uninterrupted, resumed = end_of(cyclegan), end_of(tmp_path / "run")
    assert uninterrupted["step"] == resumed["step"] == 30
    assert same(uninterrupted["ema_reverse"], resumed["ema_reverse"])
    assert same(uninterrupted["networks"]["back"], resumed["networks"]["back"])
    assert log_of(cyclegan) == log_of(tmp_path / "run")
    name = "samples/reverse-step-00000030.jpg"
    assert (cyclegan / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


@pytest.mark.long
def test_an_old_run_without_average_of_the_reverse_generator_is_resumed(
    cyclegan: Path, impasto: Impasto, tmp_path: Path
) -> None:
    shutil.copytree(cyclegan, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        del state["ema_reverse"]
        torch.save(state, path)
    assert "Resuming from step 30" in impasto("train", "--resume", "run", "--budget", "32steps").stdout
    _, reverse = weights(Style.load(tmp_path / "run" / "last.safetensors"))
    assert same(reverse, end_of(tmp_path / "run")["ema_reverse"])


@pytest.mark.parametrize("kind", mostly_long(["style", "run"], "run"))
def test_fine_tuning_starts_with_both_directions(cyclegan: Path, impasto: Impasto, tmp_path: Path, kind: str) -> None:
    start = cyclegan / "last.safetensors" if kind == "style" else cyclegan
    impasto("train", "--from", start, *PICTURES, "--budget", "2steps", "--out", "fine")
    begun = torch.load(tmp_path / "fine" / "checkpoints" / "step-00000000.pt", weights_only=True)
    forward, reverse = weights(Style.load(cyclegan / "last.safetensors"))
    assert same(begun["ema"], forward) and same(begun["ema_reverse"], reverse)
    before = reverse if kind == "style" else end_of(cyclegan)["networks"]["back"]
    assert same(begun["networks"]["back"], before)


def test_evaluate_scores_the_reverse_direction(cyclegan: Path, impasto: Impasto, tmp_path: Path) -> None:
    sides = ("--against", "sample:photos", "--photos", "sample:paintings", "--size", "48", "--count", "12")
    assert "12 fakes v 5 reals" in impasto("evaluate", cyclegan, "--reverse", *sides, "--out", "back").stdout
    impasto("evaluate", cyclegan, *sides, "--out", "there")
    back, there = (json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("back", "there"))
    assert (back["fakes"]["domains"], there["fakes"]["domains"]) == ("paintings → photos", "photos → paintings")
    assert back["scores"][0]["values"]["KID"] != there["scores"][0]["values"]["KID"]
    bare = ("evaluate", cyclegan, "--reverse", "--against", "sample:photos")
    assert "is a translation model (paintings → photos): give paintings to translate" in one_line(
        impasto(*bare, check=False)
    )
    none = ("evaluate", "sample:photos", "--reverse", "--against", "sample:photos")
    assert "sample:photos is not a style" in one_line(impasto(*none, check=False))


def test_an_old_style_file_has_one_direction(cyclegan: Path, monet: Path, impasto: Impasto) -> None:
    made = Style.load(cyclegan)
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


def test_both_directions_are_stored_in_float32_and_float16_and_can_be_exchanged() -> None:
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


def test_one_logger_need_not_be_in_a_list(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="There is no logger 'nosuchlogger'"):
        package.train("dcgan-64", "sample:paintings", tmp_path / "run", log="nosuchlogger")
    with pytest.raises(ImpastoError, match="There is no logger 'nosuchlogger'"):
        package.resume(trained, log="nosuchlogger")
