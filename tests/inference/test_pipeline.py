"""What samplers and translators share."""

import pytest
import torch

from fixtures.noise_style import style
from fixtures.translators import translator
from impasto.inference.pipeline import Pipeline
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator

CPU = torch.device("cpu")


def test_the_size_is_that_of_the_samples_of_a_training() -> None:
    assert Pipeline(style(), CPU).size == 16 and Pipeline(translator(), CPU).size == 32


def test_the_output_is_named_after_the_target_domain() -> None:
    forward = translator()
    card = forward.card.model_copy(update={"source": "paintings", "target": "photos"})
    assert Pipeline(forward, CPU).output_name == "painting"
    assert Pipeline(type(forward)(forward.network, card), CPU).output_name == "photo"


def test_a_method_of_the_other_pipeline_is_answered_with_the_right_one() -> None:
    with pytest.raises(AttributeError, match=r"Translator has no attribute 'generate'.*use paint\(photo\)"):
        Translator(translator(), CPU).generate  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"Sampler has no attribute 'paint'.*use generate\(count\)"):
        Sampler(style(), CPU).paint  # type: ignore[attr-defined]  # noqa: B018
