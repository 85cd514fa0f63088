"""Programs of torch.export compute the same images without impasto, and carry the card."""

import json
from pathlib import Path

import pytest
import torch

from fixtures.untrained import untrained
from impasto.interop.export import export
from impasto.style import Card


@pytest.mark.filterwarnings("ignore")  # of torch itself, about its own formats
def test_a_program_paints_photos_of_any_size_and_keeps_the_card(tmp_path: Path) -> None:
    style = untrained("cnn")
    style.save(tmp_path / "style.safetensors")
    found = export(tmp_path / "style.safetensors", tmp_path / "style.pt2")
    assert found.largest < 0.01
    extra = {"impasto.json": ""}
    network = torch.export.load(tmp_path / "style.pt2", extra_files=extra).module()
    photos = torch.rand(2, 3, 33, 70) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(network(photos), style.network(photos))
    assert Card.model_validate(json.loads(extra["impasto.json"])) == style.card
