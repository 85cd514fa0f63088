"""Generators are found in checkpoints of any layout, and nothing in these is run."""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from fixtures.command import Impasto
from fixtures.foreign import result_or_one_line
from fixtures.peer_checkpoints import batch, checkpoint, instance, random_weights, require_same, resnet
from fixtures.peers import Resnet, Unet
from impasto.data.augment import to_float, to_pixels
from impasto.errors import ImpastoError
from impasto.interop.checkpoints import import_style

Wrap = Callable[[dict[str, Any], dict[str, Any]], Any]


def prefixed(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


DISCRIMINATOR = nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 4)).state_dict()
#: Checkpoints with one generator, or its moving average beside another one.
HELD: dict[str, Wrap] = {
    "beside scalars": lambda g, _: {**g, "epoch": torch.tensor(7), "lr": 1e-4, "best": torch.tensor([1.0])},
    "nested, beside scalars": lambda g, _: {"epoch": torch.tensor(7), "model": g},
    "beside a discriminator": lambda g, _: {"netG": g, "netD": DISCRIMINATOR, "optimizer": {"state": {0: {"a": 1}}}},
    "of Lightning": lambda g, _: {
        "state_dict": prefixed("generator.", g) | prefixed("discriminator.", DISCRIMINATOR),
        "epoch": 3,
    },
    "of DataParallel": lambda g, _: prefixed("module.", g),
    "of torch.compile": lambda g, _: prefixed("_orig_mod.", g),
    "of both": lambda g, _: {"netG": prefixed("_orig_mod.module.", g)},
    "of Lightning and torch.compile": lambda g, _: {"state_dict": prefixed("netG._orig_mod.", g)},
    "average": lambda g, other: {"netG": other, "netG_ema": g},
    "average, params": lambda g, other: {"params_ema": g, "params": other},
    "average, flat": lambda g, other: prefixed("netG.", other) | prefixed("ema.", g),
    "twice the same": lambda g, _: {"netG": g, "state_dict": g},
    "beside linear layers": lambda g, _: {**g, **nn.Linear(4, 4).state_dict(prefix="mlp_0.")},
}


@pytest.mark.parametrize("held", HELD)
def test_a_generator_is_found_wherever_a_checkpoint_holds_it(tmp_path: Path, held: str) -> None:
    theirs, other = random_weights(resnet()), resnet(seed=1)
    torch.save(HELD[held](dict(theirs.state_dict()), dict(other.state_dict())), tmp_path / "file.pth")
    style, _ = import_style(tmp_path / "file.pth", tmp_path / "style.safetensors")
    require_same(theirs, style, (32, 32))


def test_the_average_is_said_to_be_imported(impasto: Impasto, tmp_path: Path) -> None:
    torch.save({"netG": small(), "netG_ema": small()}, tmp_path / "file.pth")
    assert "Imported: netG_ema, not netG (--key NAME chooses another)." in impasto("import", "file.pth").stdout


def test_one_of_several_generators_is_chosen_by_its_key(impasto: Impasto, tmp_path: Path) -> None:
    one, other = random_weights(resnet()), resnet(seed=1)
    content = {"netG_A2B": one.state_dict(), "netG_B2A": other.state_dict(), "netG_A2B_ema": other.state_dict(),
               "netG_B2A_ema": one.state_dict()}  # fmt: skip
    torch.save({"models": content}, tmp_path / "file.pth")
    refused = impasto("import", "file.pth", check=False).stderr
    assert "4 generators (models.netG_A2B, models.netG_B2A" in refused and "choose one with --key" in refused
    assert "but no netG_C" in impasto("import", "file.pth", "--key", "netG_C", check=False).stderr
    for key, theirs in (("netG_A2B", one), ("models.netG_B2A", other)):
        impasto("import", "file.pth", "--key", key, "--out", "s.safetensors", "--overwrite")
        require_same(theirs, tmp_path / "s.safetensors", (32, 32))


@pytest.mark.parametrize("make", [resnet, lambda: Unet(4, 5, batch, False, False)])
@pytest.mark.parametrize("normalise", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
def test_spectral_norm_is_folded_into_the_weights(tmp_path: Path, make: Any, normalise: Any) -> None:
    theirs = random_weights(make())
    for module in theirs.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            normalise(module, n_power_iterations=5)
    theirs.train()(torch.rand(2, 3, 32, 32))  # estimates the singular vectors
    style, _ = import_style(checkpoint(theirs.eval(), tmp_path), tmp_path / "style.safetensors")
    require_same(theirs, style, (32, 32))


def test_a_checkpoint_that_contains_itself_or_is_nested_deeply_is_searched_once(tmp_path: Path) -> None:
    itself: dict[str, Any] = {"state_dict": {}, "netD": DISCRIMINATOR}
    itself["state_dict"]["state_dict"] = itself
    deep: dict[str, Any] = small()
    for _ in range(100):
        deep = {"model": deep, "also": deep}  # 2**100 ways to the same tensors
    for content in (itself, deep):
        torch.save(content, tmp_path / "file.pth")
        with pytest.raises(ImpastoError, match="holds no supported generator"):
            import_style(tmp_path / "file.pth", tmp_path / "style.safetensors")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: state | {"model.1.weight": state["model.1.weight"].to_sparse()}, "no supported"),
        (lambda state: state | {"model.1.weight": torch.zeros(1).expand(10**5, 3, 7, 7)}, "no supported"),
        (lambda state: state | {"model.1.weight": state["model.1.weight"] * float("nan")}, "NaN"),
        (lambda state: state | {"model.4.weight": state["model.4.weight"].double() * 1e300}, "NaN or Inf"),
        (lambda state: state | {"model.30.weight": torch.zeros(3, 3, 7, 7)}, "no supported generator: its"),
        (lambda state: state | {"model.30.weight": torch.zeros(3, 3)}, "no supported"),
        (lambda state: state | {"model.10.conv_block.0.weight": torch.zeros(32, 32, 3, 3)}, "differ|different ways"),
    ],
)
def test_a_checkpoint_that_is_not_quite_a_generator_is_refused(tmp_path: Path, change: Any, reason: str) -> None:
    torch.save(change(dict(resnet().state_dict())), tmp_path / "file.pth")
    with pytest.raises(ImpastoError, match=reason):
        import_style(tmp_path / "file.pth", tmp_path / "style.safetensors")


NAMES = st.sampled_from(["model", "netG", "netG_ema", "state_dict", "module.model", "1", "1.weight", "weight", "epoch"])
TENSORS = st.builds(torch.zeros, st.lists(st.integers(0, 4), max_size=5))


@given(
    st.recursive(
        TENSORS | st.integers() | st.none() | st.text(max_size=3) | st.just(resnet().state_dict()),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES | st.integers(0, 3), inner, max_size=3),
        max_leaves=5,
    ),
    st.sampled_from(["auto", "none", "instance-affine"]),
    st.sampled_from(["", "netG", "x"]),
)
def test_any_checkpoint_is_imported_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: Any, norm: Any, key: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    torch.save(content, folder / "any.pth")
    result_or_one_line(
        lambda: import_style(folder / "any.pth", folder / "any.safetensors", norm=norm, key=key, overwrite=True)
    )


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
        (lambda path: path.write_text("<!DOCTYPE html><html>Quota exceeded</html>"), "a web page"),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid"), "a Git LFS pointer"),
        (lambda path: torchscript(path), "TorchScript"),
        (lambda path: torch.save(nn.Conv2d(3, 3, 1), path), "pickled objects"),
        (lambda path: path.write_bytes(b""), "not a PyTorch checkpoint"),
        (lambda path: None, "does not exist"),
        (lambda path: cut_short(path), "damaged"),
        (lambda path: torch.save(grey(), path), "channels"),
        (lambda path: torch.save({"netG_A": small(), "netG_B": small()}, path), "two generators"),
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


def torchscript(path: Path) -> None:
    """Write what tells a TorchScript archive from a checkpoint."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py", "version"):
            archive.writestr(f"model/{name}", b"3")


def cut_short(path: Path) -> None:
    torch.save(Resnet(8, 6, instance, True, False, False, False).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-5000])


def small() -> dict[str, Any]:
    return dict(Resnet(8, 6, instance, True, False, False, False).state_dict())


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


def test_names_of_bundled_styles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "monet").mkdir()
    path = checkpoint(random_weights(Resnet(8, 6, instance, True, False, False, False)), tmp_path / "monet")
    with pytest.raises(ImpastoError, match="monet is the name of a bundled style"):
        import_style(path)


def test_the_checkpoint_itself_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_text("weights")
    with pytest.raises(ImpastoError, match="is an input of this command"):
        import_style(tmp_path / "net.safetensors", tmp_path / "net.safetensors", overwrite=True)
    assert (tmp_path / "net.safetensors").read_text() == "weights"
