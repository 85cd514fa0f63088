import shlex

from fixtures.noise_style import style
from fixtures.translators import translator
from impasto.config.recipe import Recipe
from impasto.metrics.formatting import SPACE
from impasto.metrics.results import Content, Value
from impasto.reports.styles import describe, training_command


def test_a_description_states_task_data_recipe_and_scores() -> None:
    content = Content(pairs=50, size=256, values={"SSIM": Value(value=0.71, error=0.01)})
    told = {"content": content, "scores": style().card.scores, "checkerboard": Value(value=0.4, error=0.1, floor=0.22)}
    card = translator().card.model_copy(update=told)
    lines = describe(card, 4_200_000)
    assert "photos → paintings" in lines[0] and "270 paintings and 6,328 photos" in lines[0]
    assert "tiny" in lines[0] and "1.5 hours" in lines[0] and "16×16" in lines[0]
    assert lines[1].startswith("KID[invented] 0.25")
    assert "SSIM 0.71" in lines[2] and "50 photos" in lines[2]
    assert lines[3] == f"checkerboard artefacts 0.40{SPACE}±{SPACE}0.10 dB (reals: 0.220 dB)"
    assert lines[4] == "CC0-1.0, 4.2 MB"
    assert lines[5] == "impasto train tiny.yaml --paintings monets --photos photos --budget 1steps --out run"


def test_unknown_facts_are_left_out() -> None:
    lines = describe(style().card)
    assert "noise → paintings" in lines[0] and "300 images" in lines[0] and len(lines) == 3
    assert all(lines)


def test_the_training_command_gives_the_same_recipe() -> None:
    """Read as the shell does, its settings make the same recipe."""
    settings = ["half=0.6", "direction=painting-to-photo", "augment.scale=[0.5, 1.0]", "generator.betas=[0.5, 0.9]"]
    trained = Recipe.load("monet").replace(settings)
    card = translator().card.model_copy(
        update={
            "recipe": trained.values(),
            "start": "my style",
            "seed": 3,
            "steps": 1234,
            "source": trained.source,
            "target": trained.target,
        }
    )
    words = shlex.split(str(training_command(card)))
    assert words[:3] == ["impasto", "train", "monet"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert (given["--paintings"], given["--photos"]) == ("photos", "monets")  # it learned to make the photos of monets
    assert (given["--from"], given["--seed"], given["--budget"]) == ("my style", "3", "1234steps")
    timed = card.model_copy(update={"budget": "2h"})
    assert "--budget 2h" in str(training_command(timed))
    assert "--budget 900+300steps" in str(training_command(timed.model_copy(update={"plan": "900+300steps"})))
    told = [value for option, value in zip(words[3::2], words[4::2], strict=True) if option == "--set"]
    assert Recipe.load("monet").replace(told).values() == trained.values() and len(told) == len(settings)


def test_there_is_no_command_if_the_bundled_recipe_has_changed() -> None:
    recipe = Recipe.load("cut").values() | {"name": "monet"}
    card = translator().card.model_copy(update={"recipe": recipe})
    assert training_command(card) is None and not any("impasto train" in line for line in describe(card))


def test_images_of_the_other_direction_are_counted_by_domain() -> None:
    recipe = Recipe.load("monet").replace(["direction=painting-to-photo"])
    card = translator().card.model_copy(
        update={"recipe": recipe.values(), "source": recipe.source, "target": recipe.target}
    )
    assert "paintings → photos" in describe(card)[0] and "6,328 paintings and 270 photos" in describe(card)[0]
