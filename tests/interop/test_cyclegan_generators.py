"""Inferred generators compute the same images as in the tool that trained them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fixtures.peer_checkpoints import batch, checkpoint, instance, none, random_weights, require_same, resnet
from fixtures.peers import Resnet, Unet
from impasto.errors import ImpastoError
from impasto.interop.cyclegan_checkpoints import import_style
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


@pytest.mark.parametrize("depth", [7, 8])
@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", [instance, batch])
def test_an_imported_unet_computes_the_same_images(tmp_path: Path, depth: int, dropout: bool, norm: Any) -> None:
    theirs = random_weights(Unet(4, depth, norm, norm is instance, dropout))
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    assert found == f"a U-Net for {1 << depth} pixels, 4 channels, {norm.__name__} norm"
    require_same(theirs, style, (1 << depth, 1 << depth))


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


def test_a_unet_without_normalisation_is_recognised(tmp_path: Path) -> None:
    theirs = random_weights(Unet(4, 5, none, False, False))
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    assert found == "a U-Net for 32 pixels, 4 channels, no norm"
    require_same(theirs, style, (32, 32))


@pytest.mark.parametrize("make", [lambda: Unet(4, 5, batch, False, False), lambda: resnet(batch)])
def test_batch_norm_with_the_statistics_of_each_image_is_an_option_as_in_pix2pix(
    tmp_path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = random_weights(make())
    caplog.set_level("INFO", "impasto")
    import_style(checkpoint(theirs, tmp_path), tmp_path / "running.safetensors")
    assert any("add --norm instance-affine" in message for message in caplog.messages)
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors", norm="instance-affine")
    assert "instance-affine norm" in found and Style.load(style).recipe.value("generator.norm") == "instance-affine"
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        expected = theirs.train()(picture)
        running = Style.load(tmp_path / "running.safetensors").network(picture)
        assert (Style.load(style).network(picture) - expected).abs().max() < 1e-4
        assert (running - expected).abs().mean() > 0.05


def test_affine_instance_norm_is_an_option_where_norms_have_no_running_statistics(tmp_path: Path) -> None:
    theirs = random_weights(resnet(lambda channels: nn.InstanceNorm2d(channels, affine=True)))
    with pytest.raises(ImpastoError, match="if they are instance norms, add --norm instance-affine"):
        import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    style, _ = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors", norm="instance-affine")
    require_same(theirs, style, (64, 64))


@pytest.mark.parametrize(
    ("norm", "option", "reason"),
    [(instance, "batch", "no tensors of norms"), (batch, "none", "has tensors of norms")],
)
def test_a_norm_that_the_tensors_contradict_is_refused(tmp_path: Path, norm: Any, option: Any, reason: str) -> None:
    with pytest.raises(ImpastoError, match=reason):
        import_style(checkpoint(resnet(norm), tmp_path), tmp_path / "style.safetensors", norm=option)
