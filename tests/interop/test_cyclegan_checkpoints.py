"""Imported generators compute the same images as in the tool that trained them."""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from fixtures.command import Impasto
from fixtures.peers import Resnet, Unet
from impasto.data.augment import to_float, to_pixels
from impasto.errors import ImpastoError
from impasto.interop.cyclegan_checkpoints import import_style
from impasto.style import Style


def instance(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels)


def batch(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels)


def random_weights(network: nn.Module) -> nn.Module:
    """Set random weights, biases and running statistics."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point() and not name.endswith("filt"):
                tensor.normal_(0, 0.1 if tensor.ndim == 4 else 0.3)
    return network.eval()


def checkpoint(network: nn.Module, folder: Path) -> Path:
    path = folder / "latest_net_G.pth"
    torch.save(network.state_dict(), path)
    return path


def require_same(theirs: nn.Module, style: Path, *sizes: tuple[int, int]) -> None:
    ours = Style.load(style).network
    for number, (height, width) in enumerate(sizes):
        pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(number)) * 2 - 1
        with torch.inference_mode():
            expected = theirs(pictures)
            assert (ours(pictures) - expected).abs().max() < 1e-4
        assert expected.std() > 0.1


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


def wrapped(state: dict[str, Any]) -> dict[str, Any]:
    return {"epoch": 200, "netG": OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())}


def test_every_file_format_is_read(tmp_path: Path) -> None:
    theirs = random_weights(Resnet(8, 6, instance, True, False, False, False))
    state = theirs.state_dict()
    once = {**state, "model.2.running_mean": torch.zeros(8), "model.2.running_var": torch.ones(8)}
    torch.save(wrapped(state), tmp_path / "wrapped.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(once, tmp_path / "older.pth")
    save_file(state, tmp_path / "safe.safetensors")
    for name in ("wrapped.pth", "old.pth", "older.pth", "safe.safetensors"):
        style, _ = import_style(tmp_path / name, tmp_path / "style.safetensors", overwrite=True)
        require_same(theirs, style, (32, 32))


class Trap:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("trapped"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda path: torch.save({"model": Trap()}, path), "pickled objects"),
        (lambda path: path.write_bytes(pickle.dumps({"a": Trap()})), "pickled objects"),
        (
            lambda path: torch.save(nn.Sequential(nn.Conv2d(3, 64, 4), nn.Conv2d(64, 1, 4)).state_dict(), path),
            "discrim",
        ),
        (lambda path: torch.save({"layer.weight": torch.zeros(3, 3)}, path), "no supported generator"),
        (lambda path: torch.save([1, 2], path), "no state dict"),
        (lambda path: path.write_text("hello"), "not a PyTorch checkpoint"),
        (lambda path: path.write_bytes(b""), "not a PyTorch checkpoint"),
        (lambda path: None, "does not exist"),
        (lambda path: cut_short(path), "damaged"),
        (lambda path: torch.save(grey(), path), "channels"),
        (lambda path: torch.save({"netG_A": grey(), "netG_B": grey()}, path), "two generators"),
        (lambda path: torch.save({"model_state_dict": {"layer.weight": torch.full((3,), torch.nan)}}, path), "NaN"),
        (lambda path: path.mkdir(), "is a folder"),
    ],
)
def test_unsupported_files_are_one_line_errors_and_run_no_code(
    impasto: Impasto, tmp_path: Path, content: Any, message: str
) -> None:
    content(tmp_path / "file.pth")
    before = sorted(tmp_path.iterdir())
    done = impasto("import", "file.pth", check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "file.pth" in done.stderr and message in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def cut_short(path: Path) -> None:
    torch.save(Resnet(8, 6, instance, True, False, False, False).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-5000])


def grey() -> dict[str, Any]:
    state = Resnet(8, 6, instance, True, False, False, False).state_dict()
    state["model.1.weight"] = state["model.1.weight"][:, :1]
    return dict(state)


def test_an_imported_style_is_found_by_name_and_paints_as_its_source(impasto: Impasto, tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "monet").mkdir(parents=True)
    theirs = random_weights(Resnet(8, 9, instance, True, True, False, False))
    path = checkpoint(theirs, tmp_path / "checkpoints" / "monet")
    # not the name of a bundled style
    path = path.rename(tmp_path / "checkpoints" / "horses.pth")
    done = impasto("import", path, "--source", "horses", "--target", "zebras", "--license", "CC0-1.0")
    assert "horses.safetensors: a ResNet of 9 blocks, 8 channels, instance norm, 0.7 MB" in done.stdout
    photo = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    impasto("paint", "photo.png", "--style", "horses", "--out", "painted")
    with torch.inference_mode():
        expected = to_pixels(theirs(to_float(torch.from_numpy(photo)[None])))[0].numpy()
    painted = np.asarray(Image.open(tmp_path / "painted" / "photo.png"))
    assert np.abs(painted.astype(int) - expected).mean() < 3  # in bfloat16, with random weights
    listed = " ".join(impasto("styles").stdout.split())
    assert "horses → zebras" in listed and "horses.pth" in listed and "CC0-1.0" in listed
    assert "overwrite" in impasto("import", path, check=False).stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        folder = tmp_path / "checkpoints" / "zebras"
        folder.mkdir()
        assert import_style(checkpoint(theirs, folder))[0] == Path("styles") / "zebras.safetensors"


def test_names_of_bundled_styles_and_keras_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "monet").mkdir()
    path = checkpoint(random_weights(Resnet(8, 6, instance, True, False, False, False)), tmp_path / "monet")
    with pytest.raises(ImpastoError, match="monet is the name of a bundled style"):
        import_style(path)
    (tmp_path / "some.h5").touch()
    with pytest.raises(ImpastoError, match="a Keras file"):
        import_style(tmp_path / "some.h5")
