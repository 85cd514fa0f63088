"""Checkpoints of other people are read without running code, and searched within limits."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fixtures.foreign import result_or_one_line
from impasto.errors import ImpastoError
from impasto.networks import checkpoint_reader
from impasto.networks.checkpoint_reader import fold_spectral_norm, named_tensors, read_checkpoint


def test_tensors_are_named_by_their_place_without_wrappers() -> None:
    one, two = torch.ones(1), torch.ones(2)
    content = {"epoch": 3, "net": {"module._orig_mod.a.weight": one, "list": [two]}, "opt": {0: {"b": two}}}
    found = named_tensors(content)
    assert found.keys() == {"net.a.weight", "opt.0.b"} and torch.equal(found["net.a.weight"], one)
    assert named_tensors([one]) == {}


def test_tensors_that_are_no_plain_numbers_in_memory_are_left_out() -> None:
    values = {
        "sparse": torch.eye(2).to_sparse(),
        "meta": torch.ones(2, device="meta"),
        "complex": torch.ones(2, dtype=torch.complex64),
        "repeated": torch.ones(1).expand(10**6, 10**6),
        "empty": torch.ones(10**13, 0, 3),
        "long" * 300: torch.ones(2),
        "part": torch.ones(4)[1:3],
        "half": torch.ones(2).half(),
    }
    assert named_tensors(values).keys() == {"part", "half"}


@pytest.mark.parametrize("normalise", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
@pytest.mark.parametrize(
    ("kind", "sizes", "shape"),
    [
        (nn.Conv2d, (4, 4, 3), (1, 4, 5, 5)),
        (nn.ConvTranspose2d, (4, 4, 3), (1, 4, 5, 5)),
        (nn.ConvTranspose2d, (4, 2, 3), (1, 4, 5, 5)),
        (nn.Linear, (4, 3), (1, 4)),
    ],
)
def test_spectral_norm_is_folded_as_torch_computes_it(normalise: Any, kind: Any, sizes: Any, shape: Any) -> None:
    torch.manual_seed(0)
    theirs, ours, maps = normalise(kind(*sizes), n_power_iterations=10), kind(*sizes), torch.rand(shape)
    theirs.train()(maps)  # estimates the singular vectors
    folded = fold_spectral_norm(theirs.eval().state_dict())
    assert folded.keys() == {"weight", "bias"}
    ours.load_state_dict(folded)
    with torch.inference_mode():
        assert torch.allclose(ours(maps), theirs(maps), atol=1e-6)


def test_a_vector_is_not_spectrally_normalised() -> None:
    values = {"a.weight_orig": torch.ones(3), "a.weight_u": torch.ones(3), "a.weight_v": torch.ones(3)}
    assert fold_spectral_norm(values) == {}


def test_a_file_without_permission_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "x.pth")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(ImpastoError, match=r"x\.pth cannot be read \(Permission denied\)"):
        read_checkpoint(tmp_path / "x.pth")


def test_an_archive_that_unpacks_to_too_much_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data/0", bytes(10**6))
    monkeypatch.setattr(checkpoint_reader, "MAX_BYTES", 10**5)
    assert (tmp_path / "x.pth").stat().st_size < 10**4
    with pytest.raises(ImpastoError, match="larger than"):
        read_checkpoint(tmp_path / "x.pth")


@given(st.binary(max_size=30), st.integers(0, 1500))
def test_any_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    torch.save({"a.weight": torch.zeros(2, 2)}, folder / "whole.pth")
    data = bytearray((folder / "whole.pth").read_bytes())
    data[place : place + len(noise)] = noise
    for name, content in (("damaged.pth", bytes(data)), ("noise.pth", noise), ("noise.safetensors", noise)):
        path = folder / name
        path.write_bytes(content)
        result_or_one_line(lambda path=path: named_tensors(read_checkpoint(path)))  # type: ignore[misc]
