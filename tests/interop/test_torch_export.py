"""Programs of torch.export compute the same images without impasto, and carry the card."""

import json
from pathlib import Path

import pytest
import torch

from fixtures.parameters import mostly_long
from fixtures.untrained import untrained
from impasto.interop.export import export
from impasto.style import Card

#: Networks that take many seconds to trace.
SLOW = ("resnet", "painter", "decoder")


@pytest.mark.filterwarnings("ignore")  # of torch itself, about its own formats
@pytest.mark.parametrize("name", mostly_long(["cnn", "unet", *SLOW], "cnn"))
def test_a_program_paints_photos_of_any_size_and_keeps_the_card(name: str, tmp_path: Path) -> None:
    style = untrained(name)
    style.save(tmp_path / "style.safetensors")
    found = export(tmp_path / "style.safetensors", tmp_path / "style.pt2")
    assert found.largest < 0.01
    extra = {"impasto.json": ""}
    network = torch.export.load(tmp_path / "style.pt2", extra_files=extra).module()
    for size in ((33, 70), (64, 64), (64, 70)):  # of which some need no padding
        photos = torch.rand(2, 3, *size) * 2 - 1
        with torch.inference_mode():
            torch.testing.assert_close(network(photos), style.network(photos))
    assert Card.model_validate(json.loads(extra["impasto.json"])) == style.card
