"""Exported styles compute the same images in ONNX Runtime."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from fixtures.command import Impasto
from fixtures.noise_style import style as noise_style
from fixtures.untrained import RECIPES, untrained
from impasto.interop.export import export
from impasto.style import Card


def run_onnx(path: Path, **inputs: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0]
    return found


#: Recipes whose export takes half a minute.
LONG = ("decoder", "painter", "resnet", "unet")


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


@pytest.mark.long
def test_half_precision_halves_the_file_and_hardly_changes_the_output(tmp_path: Path) -> None:
    style = untrained("cnn")
    style.save(tmp_path / "style.safetensors")
    whole = export(tmp_path / "style.safetensors", tmp_path / "whole.onnx")
    half = export(tmp_path / "style.safetensors", tmp_path / "half.onnx", precision="float16")
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


@pytest.mark.long
def test_int8_quantises_all_convolutions_but_the_last(tmp_path: Path) -> None:
    style = untrained("cnn")
    style.save(tmp_path / "style.safetensors")
    whole = export(tmp_path / "style.safetensors", tmp_path / "whole.onnx")
    small = export(tmp_path / "style.safetensors", tmp_path / "small.onnx", precision="int8")
    assert small.megabytes < 0.4 * whole.megabytes and 0 < small.mean < 3
    model = onnx.load(tmp_path / "small.onnx")
    kinds = [node.op_type for node in model.graph.node if node.op_type in ("Conv", "ConvInteger")]
    assert kinds == ["ConvInteger"] * (len(kinds) - 1) + ["Conv"]
    assert model.producer_name == "impasto"
