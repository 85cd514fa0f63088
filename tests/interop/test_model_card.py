from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard

from fixtures.noise_style import style as noise_style
from fixtures.translators import translator
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.interop.model_card import SIDE, model_card, preview
from impasto.metrics.results import Scores, Value
from impasto.style import Card, Style


@pytest.mark.parametrize(
    ("style", "task", "command"),
    [
        (translator(-1), "image-to-image", "impasto paint photo.jpg --style me/name --out painted"),
        (noise_style(), "unconditional-image-generation", "impasto generate me/name --count 16 --out paintings"),
    ],
)
def test_the_model_card_has_front_matter_commands_and_training(style: Style, task: str, command: str) -> None:
    card = style.card
    _, front, text = model_card(card, "me/name").split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["library_name"] == "impasto" and about["pipeline_tag"] == task
    assert about.get("license", "") == card.license.lower()
    assert card.domains in text and command in text and "paintings.jpg" in text
    assert about["widget"] == [{"text": card.domains, "output": {"url": "paintings.jpg"}}]
    assert f"{card.steps:,} steps" in text


def metadata(card: Card) -> Any:
    """Return the metadata of a model card as the Hub's client reads it."""
    return ModelCard(model_card(card, "me/name")).data


def test_the_metadata_names_data_sets_results_and_the_base_model() -> None:
    style = noise_style()
    value = Value(value=0.0123, error=0.001)
    scores = Scores(network="vgg", size=64, fakes=10, reals=20, values={"KID": value, "FD": value})
    data = style.card.target_data | {"spec": "hf:artists/monet/train@main#image"}
    card = style.card.model_copy(update={"start": "me/base", "target_data": data, "scores": [scores]})
    about = metadata(card)
    assert about.datasets == ["artists/monet"] and about.base_model == "me/base" and about.metrics == ["kid", "fd"]
    assert [(each.dataset_type, each.metric_name, each.metric_value) for each in about.eval_results] == [
        ("artists/monet", "KID[vgg] 10 v 20", 0.0123),
        ("artists/monet", "FD[vgg] 10 v 20", 0.0123),
    ]
    local = card.model_copy(update={"start": "run", "target_data": data | {"spec": "/home/ann/Monet Photos"}})
    about = metadata(local)
    assert about.datasets is None and about.base_model is None
    assert {each.dataset_type for each in about.eval_results} == {"monet-photos"}


@pytest.mark.parametrize(
    ("license", "expected"),
    [
        ("Apache-2.0; the paintings are in the public domain", ("apache-2.0", None, None)),
        ("Free for artists", ("other", "free-for-artists", "LICENSE")),
        (
            "Ann's (https://ann.example/license)",
            ("other", "ann-s-https-ann.example-license", "https://ann.example/license"),
        ),
        ("", (None, None, None)),
    ],
)
def test_a_license_that_is_no_identifier_has_a_name_and_a_link(license: str, expected: tuple[str | None, ...]) -> None:
    card = noise_style().card.model_copy(update={"license": license})
    about = metadata(card)
    assert (about.license, about.license_name, about.license_link) == expected


def test_the_preview_and_command_of_a_painting_to_photo_style_begin_with_paintings() -> None:
    style = translator()
    recipe = style.recipe.replace(["direction=painting-to-photo"])
    reversed_style = replace(
        style,
        card=style.card.model_copy(
            update={"recipe": recipe.values(), "source": recipe.source, "target": recipe.target}
        ),
    )
    assert "impasto paint painting.jpg --style someone/back --out photos" in model_card(
        reversed_style.card, "someone/back"
    )
    both_ways = replace(style, reverse=translator(1).network).reversed()  # of which the recipe is that of the paintings
    assert "impasto paint painting.jpg" in model_card(both_ways.card, "someone/back")
    assert np.array_equal(
        np.asarray(preview(both_ways))[:SIDE, :SIDE], np.asarray(preview(reversed_style))[:SIDE, :SIDE]
    )
    shown, usual = (np.asarray(preview(each)) for each in (reversed_style, style))
    with open_source("sample:paintings") as source:
        first = decode(next(iter(source.entries())).read()).image.resize((SIDE, SIDE))
    assert np.abs(shown[:SIDE, :SIDE].astype(float) - np.asarray(first)).mean() < 1
    assert np.abs(shown[:SIDE, :SIDE].astype(float) - usual[:SIDE, :SIDE]).mean() > 10
