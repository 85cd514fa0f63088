"""Exported styles compute the same images in ONNX Runtime."""

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


def run_onnx(path: Path, **inputs: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0]
    return found


def untrained(name: str) -> Style:
    shipped, settings = RECIPES[name]
    recipe = shipped.replace(settings)
    torch.manual_seed(0)
    card = translator(1).card.model_copy(update={"recipe": recipe.values()})
    network = build_generator(**recipe.generator_kwargs()).eval()
    if isinstance(network, Generator):
        with torch.no_grad():
            network.set_moods(network.statistics(torch.rand(4, 3, 64, 64) * 2 - 1))
            for head in (network.tone, network.at_2.film):
                torch.nn.init.normal_(head.weight, 0, 0.01)  # so that moods have an effect
    return Style(network, card)


#: Recipes whose export takes half a minute.
LONG = ("decoder", "painter", "unet")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in RECIPES]
)
def test_batches_of_any_image_size_give_the_same_output_as_pytorch(name: str, tmp_path: Path) -> None:
    style = untrained(name)
    style.save(tmp_path / "style.safetensors")
    found = export(tmp_path / "style.safetensors", tmp_path / "style.onnx")
    assert found.largest < 1 and found.mean < 0.05
    for count, height, width in ((1, 64, 64), (2, 33, 70), (1, 129, 50)):
        photos = torch.rand(count, 3, height, width) * 2 - 1
        with torch.inference_mode():
            expected = style.network(photos).numpy()
        assert np.abs(run_onnx(tmp_path / "style.onnx", photos=photos) - expected).max() < 1e-3
    session = onnxruntime.InferenceSession(tmp_path / "style.onnx", providers=["CPUExecutionProvider"])
    for value in (*session.get_inputs(), *session.get_outputs()):
        assert value.shape == ["batch", 3, "height", "width"]


def test_half_precision_halves_the_file_and_hardly_changes_the_output(tmp_path: Path) -> None:
    style = untrained("cnn")
    style.save(tmp_path / "style.safetensors")
    whole = export(tmp_path / "style.safetensors", tmp_path / "whole.onnx")
    half = export(tmp_path / "style.safetensors", tmp_path / "half.onnx", fp16=True)
    assert half.megabytes < 0.8 * whole.megabytes and half.mean < 0.5
    assert run_onnx(tmp_path / "half.onnx", photos=torch.zeros(1, 3, 40, 40)).dtype == np.float32


def test_an_exported_generator_keeps_its_output_and_its_card(impasto: Impasto, tmp_path: Path) -> None:
    style = noise_style()
    style.save(tmp_path / "style.safetensors")
    printed = impasto("export", "style.safetensors", "--onnx", "style.onnx").stdout
    assert printed.startswith("style.onnx: ") and "differs from PyTorch by at most" in printed
    latents = torch.randn(5, style.recipe.generator_kwargs()["latent"])
    with torch.inference_mode():
        expected = style.network(latents).numpy()
    assert np.abs(run_onnx(tmp_path / "style.onnx", latents=latents) - expected).max() < 1e-4
    about = onnxruntime.InferenceSession(tmp_path / "style.onnx").get_modelmeta()
    assert Card.model_validate(json.loads(about.custom_metadata_map["impasto"])) == style.card
    assert about.producer_name == "impasto" and style.card.domains in about.description


def test_an_export_with_a_different_output_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator(-1).save(tmp_path / "style.safetensors")
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(ImpastoError, match="differs from PyTorch"):
        export(tmp_path / "style.safetensors", tmp_path / "style.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["style.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--onnx", "x.onnx"], "no style nowhere"),
        (["monet", "--onnx", "x.pb"], "end in .onnx"),
        (["monet", "--onnx", "taken.onnx"], "overwrite"),
    ],
)
def test_errors_are_one_line(impasto: Impasto, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "taken.onnx").touch()
    done = impasto("export", *arguments, check=False)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImpastoError, match=r"onnxscript is not installed; run: pip install 'impasto\[onnx\]'"):
        export("monet", tmp_path / "monet.onnx")
    assert sys.modules.get("torchvision") is None
