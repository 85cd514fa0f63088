"""OpenVINO IR computes the same images."""

import json
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch

from fixtures.untrained import untrained
from impasto.interop.export import export
from impasto.style import Card


@pytest.mark.parametrize("name", ["cnn", pytest.param("decoder", marks=pytest.mark.long)])
def test_both_files_paint_photos_of_any_size_and_keep_the_card(name: str, tmp_path: Path) -> None:
    style = untrained(name)
    style.save(tmp_path / "style.safetensors")
    found = export(tmp_path / "style.safetensors", tmp_path / "style.xml")
    assert found.largest < 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["style.bin", "style.safetensors", "style.xml"]
    model = openvino.Core().read_model(tmp_path / "style.xml")
    network = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    photos = torch.rand(2, 3, 33, 70) * 2 - 1
    with torch.inference_mode():
        expected = style.network(photos).numpy()
    assert np.abs(network(photos.numpy())[0] - expected).max() < 1e-3
    assert Card.model_validate(json.loads(model.get_rt_info("impasto").astype(str))) == style.card
