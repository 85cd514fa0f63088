"""Exports are compared with PyTorch before they appear, and errors are one line."""

import sys
from pathlib import Path

import pytest
import torch

import impasto
from fixtures.command import Impasto
from fixtures.parameters import mostly_long
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.interop.export import TOLERANCES, export


@pytest.mark.parametrize("name", mostly_long(["style.pt2", "style.onnx"], "style.onnx"))
def test_an_export_with_a_different_output_leaves_no_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator(-1).save(tmp_path / "style.safetensors")
    monkeypatch.setitem(TOLERANCES, "float32", -1.0)
    with pytest.raises(ImpastoError, match="differs from PyTorch"):
        export(tmp_path / "style.safetensors", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["style.safetensors"]


@pytest.mark.parametrize("suffix", mostly_long([".onnx", ".pt2", ".xml"], ".onnx"))
def test_exports_contain_no_paths_of_this_computer(suffix: str, tmp_path: Path) -> None:
    translator(1).save(tmp_path / "style.safetensors")
    export(tmp_path / "style.safetensors", tmp_path / f"export{suffix}")
    files = b"".join(path.read_bytes() for path in tmp_path.glob("export*"))
    for place in (tmp_path, Path(impasto.__file__).parents[1], Path(torch.__file__).parents[1]):
        assert str(place).encode() not in files


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--out", "x.onnx"], "no style nowhere"),
        (["monet", "--out", "x.pb"], "must end in .onnx"),
        (["monet", "--out", "taken.onnx"], "overwrite"),
        (["monet", "--out", "x.pt2", "--precision", "int8"], "not written in int8"),
        (["monet"], "--out FILE or --web FOLDER"),
        (["monet", "--out", "x.onnx", "--fp16", "--precision", "int8"], "contradict each other"),
        (["monet", "--out", "x.onnx", "--runtime", "x.tgz"], "--runtime belongs to --web"),
        (["monet", "--web", "page", "--precision", "int8"], "A web page has float16"),
    ],
)
def test_errors_are_one_line(impasto: Impasto, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "taken.onnx").touch()
    done = impasto("export", *arguments, check=False)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImpastoError, match=r"onnxscript is not installed; run: pip install 'impasto\[onnx\]'"):
        export("monet", tmp_path / "monet.onnx")
    assert sys.modules.get("torchvision") is None
