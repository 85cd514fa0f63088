"""Loading by the public API."""

from impasto.api.load import load


def test_a_loaded_style_can_be_shown_in_a_notebook() -> None:
    assert "noise → paintings" in (load("chinese-landscape-64", "cpu").style._repr_html_() or "")
