"""ResNets of pytorch-CycleGAN-and-pix2pix and CUT compute the same images as there."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.peer_checkpoints import batch, checkpoint, instance, none, random_weights, require_same
from fixtures.peers import Resnet
from impasto.interop.checkpoints import import_style
from impasto.style import Style


@pytest.mark.parametrize("soft", [(False, False), (True, True), (True, False), (False, True)])
@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", [instance, batch])
def test_an_imported_resnet_computes_the_same_images(
    tmp_path: Path, soft: tuple[bool, bool], dropout: bool, norm: Any
) -> None:
    theirs = random_weights(Resnet(8, 6, norm, norm is instance, dropout, *soft))
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    assert f"ResNet of 6 blocks, 8 channels, {norm.__name__} norm" in found
    assert found.startswith("an antialiased" if any(soft) else "a ResNet")
    require_same(theirs, style, (64, 64), (32, 80))


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", [instance, batch, none])
@pytest.mark.parametrize("padding", ["reflect", "replicate", "zero"])
def test_padding_by_zeros_is_recognised_and_by_replication_is_an_option(
    tmp_path: Path, padding: str, norm: Any, dropout: bool, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = random_weights(Resnet(8, 6, norm, norm is instance, dropout, False, False, padding))
    caplog.set_level("INFO", "impasto")
    given: Any = "replicate" if padding == "replicate" else "auto"
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors", padding=given)
    assert (f"{padding} padding" in found) == (padding != "reflect")
    assert any("add --padding replicate" in message for message in caplog.messages) == (padding == "reflect")
    assert Style.load(style).recipe.value("generator.padding") == padding
    require_same(theirs, style, (64, 64), (32, 80))


@pytest.mark.parametrize("soft", [False, True])
def test_a_resnet_without_normalisation_is_recognised(tmp_path: Path, soft: bool) -> None:
    """Its convolutions have no bias but the last, as those before batch norm."""
    theirs = random_weights(Resnet(8, 4, none, False, False, soft, soft))
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    assert "8 channels, no norm" in found
    require_same(theirs, style, (64, 64), (32, 80))
