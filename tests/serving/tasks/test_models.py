"""Styles are loaded once, and the last few stay in memory."""

from pathlib import Path

import pytest
import torch

from fixtures.noise_style import style as noise_style
from fixtures.store import open_store
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.serving.library import NotFoundError
from impasto.serving.tasks.models import MODELS, Models


def test_styles_are_kept_until_others_or_newer_ones_take_their_place(tmp_path: Path) -> None:
    made = {f"s{number}": noise_style for number in range(MODELS + 1)}
    store = open_store(tmp_path, styles=made)
    models = Models(store.library, "cpu")
    first = models.load("s0")
    assert models.load("s0") is first
    for number in range(1, MODELS + 1):
        models.load(f"s{number}")
    again = models.load("s0")
    assert again is not first
    noise_style(1).save(store.library.styles / "s0.safetensors")
    assert models.load("s0") is not again


def test_each_task_gets_its_kind_of_style(tmp_path: Path) -> None:
    models = Models(open_store(tmp_path).library, "cpu")
    assert models.sampler("noise").size == 16 and models.translator("negative").moods == 0
    with pytest.raises(ImpastoError, match="choose a translation style"):
        models.translator("noise")
    with pytest.raises(ImpastoError, match="choose an unconditional style"):
        models.sampler("negative")
    with pytest.raises(ImpastoError, match="only the direction"):
        models.translator("negative", reverse=True)
    with pytest.raises(NotFoundError):
        models.load("none")


def test_a_style_that_a_single_thread_loads_paints_large_photos_on_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path, styles={"negative": translator})
    torch.set_num_threads(3)
    try:
        models = Models(store.library, "cpu")
        torch.set_num_threads(1)
        with models.translator("negative").limit_large(1 << 30):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)
