"""Keras files are read without TensorFlow, and their networks compute what they do in Keras."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from fixtures import keras_files
from fixtures.command import Impasto
from fixtures.keras_files import DEPTH, SIZE, outputs, weights, write
from impasto.errors import ImpastoError
from impasto.interop import keras_files as reader
from impasto.interop.architectures.base import Options
from impasto.interop.checkpoints import import_style
from impasto.style import Style


def photos(*size: int) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def generated(style: Path, images: Tensor) -> Tensor:
    with torch.inference_mode():
        result: Tensor = Style.load(style).network(images)
    return result


@pytest.mark.parametrize("name", ("unet.h5", "unet.keras"))
def test_a_unet_in_a_keras_file_computes_what_keras_does(tmp_path: Path, name: str) -> None:
    blocks = weights()
    write(tmp_path / name, blocks)
    style, description = import_style(tmp_path / name, tmp_path / "style.safetensors")
    assert description == f"a Keras U-Net for {SIZE} pixels, 4 channels, instance-affine norm"
    for size in ((SIZE, SIZE), (2 * SIZE, 5 * SIZE)):
        expected = outputs(photos(*size), blocks)
        assert expected.std() > 0.1 and (generated(style, photos(*size)) - expected).abs().max() < 1e-4


def test_a_file_of_weights_says_nothing_of_the_slope_which_is_assumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "impasto")
    write(tmp_path / "unet.weights.h5", weights())
    style, _ = import_style(tmp_path / "unet.weights.h5", tmp_path / "style.safetensors")
    assert any("slope 0.3" in message for message in caplog.messages)
    assert any("epsilon 0.001" in message for message in caplog.messages)
    monkeypatch.setattr(keras_files, "SLOPE", 0.3)
    monkeypatch.setattr(keras_files, "EPSILON", 1e-3)
    assert (generated(style, photos(SIZE, SIZE)) - outputs(photos(SIZE, SIZE), weights())).abs().max() < 1e-4


def test_one_of_two_generators_in_a_model_is_chosen_by_its_key(tmp_path: Path) -> None:
    path = tmp_path / "cycle.weights.h5"
    for number, prefix in enumerate(("m_gen/", "p_gen/")):
        write(path, weights(number), prefix)
    with pytest.raises(ImpastoError, match=r"two generators \(m_gen, p_gen\): choose one with --key"):
        import_style(path, tmp_path / "style.safetensors")
    one, _ = import_style(path, tmp_path / "one.safetensors", key="m_gen")
    other, _ = import_style(path, tmp_path / "other.safetensors", key="p_gen")
    assert not generated(one, photos(SIZE, SIZE)).allclose(generated(other, photos(SIZE, SIZE)), atol=0.1)


def damaged(path: Path) -> None:
    write(path, weights())
    path.write_bytes(path.read_bytes()[:3000])


def linked(path: Path) -> None:
    """A file whose weights are in another file."""
    write(path.with_name("unet.h5"), weights())
    with h5py.File(path, "w") as file:
        file["model_weights"] = h5py.ExternalLink("unet.h5", "model_weights")


def outside(path: Path) -> None:
    """A file whose weights are bytes of another file, which are not read."""
    path.with_name("secret").write_bytes(bytes(1000))
    with h5py.File(path, "w") as file:
        file.create_dataset("conv2d/kernel:0", (4, 4, 3, 4), "f", external=[("secret", 0, 768)])


def circular(path: Path) -> None:
    """A file with a group in itself, under four names: some 4¹⁶ paths."""
    with h5py.File(path, "w") as file:
        group = file.create_group("group")
        for name in "abcd":
            group[name] = group


def huge(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("conv2d/kernel:0", (10**6, 10**6), "f", compression="gzip", chunks=(1000, 1000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("hello"), "not a Keras file"),
        (lambda path: path.write_text("<!DOCTYPE html><html>Quota</html>"), "a web page"),
        (damaged, "damaged"),
        (linked, "no supported generator"),
        (outside, "no supported generator"),
        (circular, "no supported generator"),
        (huge, "larger than 8 GB"),
        (lambda path: write(path, [*weights()[:-1], [np.zeros((4, 4, 1, 8), "f"), np.zeros(1, "f")]]), "no supported"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "file.h5")
    with pytest.raises(ImpastoError, match=message) as error:
        import_style(tmp_path / "file.h5", tmp_path / "style.safetensors")
    assert "file.h5" in str(error.value) and not (tmp_path / "style.safetensors").exists()


def test_the_optimizer_is_no_part_of_the_network(tmp_path: Path) -> None:
    write(tmp_path / "unet.h5", weights())
    tensors, _ = reader.read_keras(tmp_path / "unet.h5", Options())
    assert len(tensors) == 2 * DEPTH + 2 * (2 * DEPTH - 2) + 1
    assert not any("adam" in name for name in tensors)


def test_pickles_and_saved_models_are_refused_with_what_to_do(impasto: Impasto, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    for name, reason in (("model.pkl", "may run any code"), ("saved", ".weights.h5")):
        done = impasto("import", name, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and reason in done.stderr


@pytest.mark.long  # imports Keras
@pytest.mark.parametrize("name", ["unet.h5", "unet.keras"])
def test_a_network_that_keras_saved_computes_the_same(tmp_path: Path, name: str) -> None:
    subprocess.run([sys.executable, keras_files.__file__, tmp_path], check=True, capture_output=True)
    style, _ = import_style(tmp_path / name, tmp_path / "style.safetensors")
    arrays = np.load(tmp_path / "io.npz")
    found = generated(style, torch.from_numpy(arrays["inputs"]).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert arrays["outputs"].std() > 0.1 and np.abs(found - arrays["outputs"]).max() < 1e-4
