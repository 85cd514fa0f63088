"""Which styles there are."""

from pathlib import Path

import pytest

from impasto.style_files import available_styles


def test_styles_beside_an_installed_package_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders above the package is lib/python3.11, where styles/ would be another program's."""
    installed = tmp_path / "lib" / "site-packages" / "impasto"
    for folder in (installed / "styles", tmp_path / "lib" / "styles", tmp_path / "styles"):
        folder.mkdir(parents=True)
        (folder / "stray.safetensors").touch()
    monkeypatch.chdir(installed)
    monkeypatch.setattr("impasto.style_files.__file__", str(installed / "style_files.py"))
    assert set(available_styles().values()) == {installed / "styles" / "stray.safetensors"}
