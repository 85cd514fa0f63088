"""The styles of a studio: found by name, never replaced by another one."""

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.noise_style import style as noise_style
from fixtures.store import Store, open_store
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.serving.library import NotFoundError
from impasto.serving.shelf import add_style, example_file, new_style_file, remove_style, style_file, styles
from impasto.style import bundled_styles


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path)


def test_bundled_styles_come_first_and_damaged_ones_are_left_out(store: Store) -> None:
    (store.library.styles / "damaged.safetensors").write_bytes(b"no")
    found = styles(store.library)
    assert [style.name for style in found] == [*sorted(bundled_styles()), "negative", "noise"]
    assert {style.origin for style in found[:-2]} == {"bundled"} and found[-1].origin == "trained"
    monet = next(style for style in found if style.name == "monet")
    assert monet.moods > 0 and not monet.reverse and monet.lines


def test_a_style_is_added_once(store: Store, tmp_path: Path) -> None:
    made = tmp_path / "made.safetensors"
    translator().save(made)
    add_style(store.library, "new", made)
    assert style_file(store.library, "new").read_bytes() == made.read_bytes()
    for taken in ("new", "monet"):
        with pytest.raises(ImpastoError, match="already"):
            add_style(store.library, taken, made)
        with pytest.raises(ImpastoError, match="already"):
            new_style_file(store.library, taken)


def test_a_style_that_appears_meanwhile_is_not_replaced(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made.safetensors"
    translator().save(made)
    before = style_file(store.library, "noise").read_bytes()
    monkeypatch.setattr("impasto.serving.shelf.style_files", lambda library: {})  # it was not there a moment ago
    with pytest.raises(ImpastoError, match="already"):
        add_style(store.library, "noise", made)
    assert (store.library.styles / "noise.safetensors").read_bytes() == before


def test_only_styles_of_the_studio_are_removed_with_their_example(store: Store) -> None:
    example = example_file(store.library, "negative")
    example.parent.mkdir()
    example.write_bytes(b"x")
    remove_style(store.library, "negative")
    assert not example.exists()
    with pytest.raises(NotFoundError):
        style_file(store.library, "negative")
    with pytest.raises(ImpastoError, match="bundled"):
        remove_style(store.library, "monet")
    assert bundled_styles()["monet"].exists()
    for name in ("../x", "..", ""):
        with pytest.raises(NotFoundError):
            remove_style(store.library, name)


def test_a_style_that_replaces_a_deleted_one_is_described_anew(store: Store) -> None:
    def reverses() -> bool:
        return next(style for style in styles(store.library) if style.name == "noise").reverse

    assert not reverses()
    remove_style(store.library, "noise")
    replace(noise_style(), reverse=noise_style(1).network).save(store.library.styles / "noise.safetensors")
    assert reverses()
