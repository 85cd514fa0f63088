"""What is inferred of norms, and what is said of it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fixtures.peer_checkpoints import batch, checkpoint, instance, random_weights, require_same, resnet
from fixtures.peers import Unet
from impasto.errors import ImpastoError
from impasto.interop.architectures.base import ARCHITECTURES, Architecture, Inferred, Layer, Options, infer, supported
from impasto.interop.checkpoints import import_style
from impasto.style import Style


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


def test_an_outside_architecture_is_detected_and_named_in_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detect(layers: dict[str, Layer], options: Options) -> Inferred | None:
        return ARCHITECTURES["cyclegan-resnet"].detect({f"model.{n}": each for n, each in layers.items()}, options)

    monkeypatch.setitem(ARCHITECTURES._things, "toy", Architecture("toy generators", detect))
    assert "toy generators" in supported()
    theirs = random_weights(resnet())
    style, found = import_style(checkpoint(theirs, tmp_path), tmp_path / "style.safetensors")
    assert "ResNet of 2 blocks" in found and Style.load(style).card.imported == "latest_net_G.pth"


def test_every_architecture_leaves_other_networks_alone() -> None:
    layers: dict[str, Layer] = {"fc": {"weight": torch.zeros(3, 3), "bias": torch.zeros(3)}}
    assert all(each.detect(layers, Options()) is None for each in ARCHITECTURES.values())
    assert infer({"fc.weight": torch.zeros(3, 3)}, Options()) is None
