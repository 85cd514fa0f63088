"""An exported style paints the same without torch."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from fixtures import earlier_recipes as earlier
from fixtures.command import Impasto
from fixtures.noise_style import style as noise_style
from fixtures.translators import translator
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.interop import onnx as exporting
from impasto.interop.onnx import export
from impasto.networks import build_generator
from impasto.networks.feature_decoder import Generator
from impasto.style import Card, Style

RECIPES = {
    "painter": (earlier.monet(), ["generator.width=8", "generator.body=8", "generator.blocks=2"]),
    "decoder": (Recipe.load("monet"), ["generator.width=8", "generator.body=8", "generator.blocks=1"]),
    "resnet": (Recipe.load("cut"), ["generator.width=8", "generator.blocks=1"]),
    "unet": (Recipe.load("cyclegan-unet"), ["generator.width=8", "generator.max_width=16", "generator.depth=4"]),
    "cnn": (Recipe.load("cnn"), ["generator.width=32", "generator.depth=5"]),
}


def painted_by(path: Path, **given: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {name: tensor.numpy() for name, tensor in given.items()})[0]
    return found


def untrained(name: str) -> Style:
    shipped, settings = RECIPES[name]
    recipe = shipped.replace(settings)
    torch.manual_seed(0)
    card = translator(1).card.model_copy(update={"recipe": recipe.values()})
    network = build_generator(**recipe.generator_kwargs()).eval()
    if isinstance(network, Generator):
        with torch.no_grad():
            network.remember(network.statistics(torch.rand(4, 3, 64, 64) * 2 - 1))
            for head in (network.tone, network.at_2.film):
                torch.nn.init.normal_(head.weight, 0, 0.01)  # or no mood would count
    return Style(network, card)


@pytest.mark.parametrize("name", RECIPES)
def test_photos_of_any_size_and_number_become_the_same_paintings(name: str, tmp_path: Path) -> None:
    style = untrained(name)
    style.save(tmp_path / "style.safetensors")
    found = export(tmp_path / "style.safetensors", tmp_path / "style.onnx")
    assert found.largest < 1 and found.mean < 0.05
    for count, height, width in ((1, 64, 64), (2, 33, 70), (1, 129, 50)):
        photos = torch.rand(count, 3, height, width) * 2 - 1
        with torch.inference_mode():
            expected = style.network(photos).numpy()
        assert np.abs(painted_by(tmp_path / "style.onnx", photos=photos) - expected).max() < 1e-3
    session = onnxruntime.InferenceSession(tmp_path / "style.onnx", providers=["CPUExecutionProvider"])
    for value in (*session.get_inputs(), *session.get_outputs()):
        assert value.shape == ["batch", 3, "height", "width"]


def test_in_half_precision_it_is_half_as_large_and_paints_nearly_the_same(tmp_path: Path) -> None:
    style = untrained("cnn")
    style.save(tmp_path / "style.safetensors")
    whole = export(tmp_path / "style.safetensors", tmp_path / "whole.onnx")
    half = export(tmp_path / "style.safetensors", tmp_path / "half.onnx", fp16=True)
    assert half.megabytes < 0.8 * whole.megabytes and half.mean < 0.5
    assert painted_by(tmp_path / "half.onnx", photos=torch.zeros(1, 3, 40, 40)).dtype == np.float32


def test_noise_becomes_the_same_paintings_and_the_card_comes_along(impasto: Impasto, tmp_path: Path) -> None:
    style = noise_style()
    style.save(tmp_path / "style.safetensors")
    told = impasto("export", "style.safetensors", "--onnx", "style.onnx").stdout
    assert told.startswith("style.onnx: ") and "paints as torch does" in told
    latents = torch.randn(5, style.recipe.generator_kwargs()["latent"])
    with torch.inference_mode():
        expected = style.network(latents).numpy()
    assert np.abs(painted_by(tmp_path / "style.onnx", latents=latents) - expected).max() < 1e-4
    about = onnxruntime.InferenceSession(tmp_path / "style.onnx").get_modelmeta()
    assert Card.model_validate(json.loads(about.custom_metadata_map["impasto"])) == style.card
    assert about.producer_name == "impasto" and style.card.domains in about.description


def test_an_export_that_paints_something_else_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator(-1).save(tmp_path / "style.safetensors")
    monkeypatch.setattr(exporting, "FAR", -1.0)
    with pytest.raises(ImpastoError, match="grey levels away"):
        export(tmp_path / "style.safetensors", tmp_path / "style.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["style.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--onnx", "x.onnx"], "no style nowhere"),
        (["monet", "--onnx", "x.pb"], "end in .onnx"),
        (["monet", "--onnx", "taken.onnx"], "overwrite"),
    ],
)
def test_mistakes_are_told_in_one_line(impasto: Impasto, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "taken.onnx").touch()
    done = impasto("export", *arguments, check=False)
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1


def test_without_the_libraries_it_is_said_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name))
    with pytest.raises(ImpastoError, match="pip install onnx onnxruntime onnxscript"):
        export("monet", tmp_path / "monet.onnx")
    assert sys.modules.get("torchvision") is None
