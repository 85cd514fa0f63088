import sys
from pathlib import Path

import pytest

from impasto.errors import MAX_MESSAGE, ImpastoError, require, shorten


def test_require_returns_an_installed_module() -> None:
    assert require("json.decoder", "train") is sys.modules["json.decoder"]


@pytest.mark.parametrize("module", ["impasto_absent", "impasto_absent.part"])
def test_require_names_the_missing_package_and_the_command_that_installs_it(module: str) -> None:
    with pytest.raises(ImpastoError) as raised:
        require(module, "train")
    assert str(raised.value) == "The package impasto_absent is not installed; run: pip install 'impasto[train]'"


def test_require_names_a_missing_dependency_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "impasto_partly.py").write_text("import impasto_absent\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImpastoError, match=r"impasto_absent \(needed by impasto_partly\) is not installed"):
        require("impasto_partly", "onnx")


def test_require_lets_other_import_errors_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "impasto_broken.py").write_text("from json import absent_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="absent_name"):
        require("impasto_broken", "train")


def test_a_message_is_one_printable_line_of_limited_length() -> None:
    assert str(ImpastoError("café.jpg\n\x1b[2J is 50 % 梅")) == "café.jpg��[2J is 50 % 梅"
    long = str(ImpastoError(f"There is no {'x' * 10_000}: check the name."))
    assert len(long) == MAX_MESSAGE and long.startswith("There is no x") and long.endswith(": check the name.")


@pytest.mark.parametrize("length", [9, 10])
def test_a_long_text_keeps_its_ends(length: int) -> None:
    assert shorten("0123456789abcdef", length) == ("0123 … ef" if length == 9 else "01234 … ef")
    assert shorten("0123456789"[:length], length) == "0123456789"[:length]
