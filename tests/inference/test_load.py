"""A style opens as the pipeline of its task."""

from pathlib import Path

import pytest
import torch

from fixtures.noise_style import style
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.inference.load import for_task, load, load_sampler, load_translator
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator

CPU = torch.device("cpu")


@pytest.fixture
def unconditional(tmp_path: Path) -> Path:
    style().save(tmp_path / "unconditional.safetensors")
    return tmp_path / "unconditional.safetensors"


@pytest.fixture
def translation(tmp_path: Path) -> Path:
    translator().save(tmp_path / "translation.safetensors")
    return tmp_path / "translation.safetensors"


def test_the_task_of_a_style_selects_the_pipeline(unconditional: Path, translation: Path) -> None:
    assert isinstance(load(unconditional), Sampler) and isinstance(load(translation), Translator)
    assert isinstance(for_task(style(), CPU), Sampler) and isinstance(for_task(translator(), CPU), Translator)
    assert load_sampler(unconditional).size == 16 and load_translator(translation).size == 32


def test_a_style_of_the_other_task_is_refused_in_one_line(unconditional: Path, translation: Path) -> None:
    with pytest.raises(ImpastoError, match=r"unconditional model .*cannot stylise photos: choose a translation style"):
        load_translator(unconditional)
    with pytest.raises(ImpastoError, match=r"translation model .*cannot generate from noise: use impasto paint"):
        load_sampler(translation)
    with pytest.raises(ImpastoError, match="unconditional"):
        Translator(style(), CPU)
    with pytest.raises(ImpastoError, match="cannot generate"):
        Sampler(translator(), CPU)


def test_a_style_of_one_direction_has_no_reverse(translation: Path) -> None:
    with pytest.raises(ImpastoError, match="only the direction photos → paintings"):
        load_translator(translation, reverse=True)
