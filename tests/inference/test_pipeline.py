"""What samplers and translators share."""

import torch

from fixtures.noise_style import style
from fixtures.translators import translator
from impasto.inference.pipeline import Pipeline

CPU = torch.device("cpu")


def test_the_size_is_that_of_the_samples_of_a_training() -> None:
    assert Pipeline(style(), CPU).size == 16 and Pipeline(translator(), CPU).size == 32


def test_the_output_is_named_after_the_target_domain() -> None:
    forward = translator()
    card = forward.card.model_copy(update={"source": "paintings", "target": "photos"})
    assert Pipeline(forward, CPU).output_name == "painting"
    assert Pipeline(type(forward)(forward.network, card), CPU).output_name == "photo"
