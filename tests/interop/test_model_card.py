from dataclasses import replace

import numpy as np
import pytest
import yaml

from fixtures.noise_style import style as noise_style
from fixtures.translators import translator
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.interop.model_card import SIDE, model_card, preview
from impasto.style import Style


@pytest.mark.parametrize(
    ("style", "task", "command"),
    [
        (translator(-1), "image-to-image", "impasto paint photo.jpg --style name --out painted"),
        (noise_style(), "unconditional-image-generation", "impasto generate name --count 16 --out paintings"),
    ],
)
def test_the_model_card_has_front_matter_commands_and_training(style: Style, task: str, command: str) -> None:
    card = style.card
    _, front, text = model_card(card, "me/name").split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["library_name"] == "impasto" and about["pipeline_tag"] == task
    assert about.get("license", "") == card.license.lower()
    assert card.domains in text and "impasto pull me/name" in text and command in text and "paintings.jpg" in text
    assert f"{card.steps:,} steps" in text


def test_the_preview_and_command_of_a_painting_to_photo_style_begin_with_paintings() -> None:
    style = translator()
    recipe = style.recipe.replace(["direction=painting-to-photo"])
    reversed_style = replace(
        style,
        card=style.card.model_copy(
            update={"recipe": recipe.values(), "source": recipe.source, "target": recipe.target}
        ),
    )
    assert "impasto paint painting.jpg --style back --out photos" in model_card(reversed_style.card, "someone/back")
    shown, usual = (np.asarray(preview(each)) for each in (reversed_style, style))
    with open_source("sample:paintings") as source:
        first = decode(next(iter(source.entries())).read()).image.resize((SIDE, SIDE))
    assert np.abs(shown[:SIDE, :SIDE].astype(float) - np.asarray(first)).mean() < 1
    assert np.abs(shown[:SIDE, :SIDE].astype(float) - usual[:SIDE, :SIDE]).mean() > 10
