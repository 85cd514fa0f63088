"""The card of a style that is trained."""

from pathlib import Path

import pytest

from fixtures.trainers import trainer, translator
from impasto.training.trained_style import trained_style


def test_the_card_of_a_translation_style_names_both_data_sets(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", budget="2steps")
    card = t.style().card
    assert (card.domains, card.source_data, card.start) == ("photos → paintings", {"spec": "colours"}, None)


def test_the_card_has_the_license_of_the_run_and_no_folder_of_this_machine(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run")
    t.run.note(paintings={"spec": "/home/somebody/monets.zip"}, start="/home/somebody/run")
    card = trained_style(t.run, t.state, seconds=1.26, candidate=None).card
    assert (card.license, card.target_data["spec"], card.start) == ("CC0-1.0", "monets.zip", "run")
    assert (card.seconds, card.scores, card.task, card.plan) == (1.3, [], "generation", "")


@pytest.mark.parametrize(
    ("spec", "published"),
    [
        ("sample:paintings", "sample:paintings"),
        ("hf:huggan/monet2photo@main", "hf:huggan/monet2photo@main"),
        ("~/clients/acme", "acme"),
        ("../acme", "acme"),
        ("file:///home/ann/acme", "acme"),
        ("s3://acme-private/pack", "pack"),
        ("https://ann:word@host/private/pack?Signature=abc", "pack"),
    ],
)
def test_the_card_names_a_data_set_but_not_its_place(spec: str, published: str, tmp_path: Path) -> None:
    t = trainer(tmp_path / "run")
    t.run.note(paintings={"spec": spec})
    assert trained_style(t.run, t.state, seconds=1, candidate=None).card.target_data["spec"] == published


def test_the_card_has_the_plan_that_repeats_the_training(tmp_path: Path) -> None:
    t = trainer(tmp_path / "run", budget="2epochs")
    t.train()
    assert (t.style().card.budget, t.style().card.plan) == ("2epochs", "6steps")
