"""U-Nets of pytorch-CycleGAN-and-pix2pix compute the same images as there."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.peer_checkpoints import batch, checkpoint, instance, none, random_weights, require_same
from fixtures.peers import Unet
from impasto.interop.checkpoints import import_style


@pytest.mark.parametrize("depth", [7, 8])
@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", [instance, batch])
def test_an_imported_unet_computes_the_same_images(tmp_path: Path, depth: int, dropout: bool, norm: Any) -> None:
    theirs = random_weights(Unet(4, depth, norm, norm is instance, dropout))
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    assert found == f"a U-Net for {1 << depth} pixels, 4 channels, {norm.__name__} norm"
    require_same(theirs, style, (1 << depth, 1 << depth))


def test_a_unet_without_normalisation_is_recognised(tmp_path: Path) -> None:
    theirs = random_weights(Unet(4, 5, none, False, False))
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    assert found == "a U-Net for 32 pixels, 4 channels, no norm"
    require_same(theirs, style, (32, 32))
