from pathlib import Path

import pytest

from impasto.errors import ImpastoError
from impasto.recipe import Recipe, Schedule, shipped


@pytest.mark.parametrize("name", shipped())
def test_shipped_recipes_load_say_their_source_and_survive_yaml(name: str, tmp_path: Path) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    file = tmp_path / "again.yaml"
    file.write_text(recipe.to_yaml(), encoding="utf-8")
    assert Recipe.load(file) == recipe


@pytest.mark.parametrize("size", [64, 128, 256])
def test_dcgan_is_as_in_the_paper(size: int) -> None:
    recipe = Recipe.load(f"dcgan-{size}")
    assert (recipe.size, recipe.latent, recipe.batch, recipe.loss) == (size, 100, 128, "bce")
    for network in (recipe.generator, recipe.discriminator):
        assert (network.lr, network.betas[0], network.init_std) == (2e-4, 0.5, 0.02)


def test_a_setting_is_changed_by_its_dotted_name_and_nothing_else_is() -> None:
    recipe = Recipe.load("dcgan-64")
    wide = recipe.replace(["generator.width=96", "generator.betas=[0.0, 0.99]"])
    assert wide.generator.width == 96 and wide.generator.betas == (0.0, 0.99)
    assert wide.replace(["generator.width=64", "generator.betas=[0.5,0.999]"]) == recipe


def test_a_number_in_scientific_notation_without_a_point_is_a_number() -> None:
    assert Recipe.load("dcgan-64").replace(["generator.lr=1e-4"]).generator.lr == 1e-4


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("generator.widht=96", "did you mean 'generator.width'"),
        ("latnet=96", "did you mean 'latent'"),
        ("betas=[0.5,0.9]", "betas'"),
        ("generator=5", "There is no setting 'generator'"),
        ("generator.width=many", "generator.width = 'many'"),
        ("size=100", "power of two"),
        ("heldout=1.5", "heldout = 1.5"),
        ("generator.lr=-1", "generator.lr = -1"),
        ("augment.scale=[1.0,0.5]", "smaller scale comes first"),
        ("width", "name=value"),
        ("name=[", "not YAML"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_helps(setting: str, said: str) -> None:
    with pytest.raises(ImpastoError) as error:
        Recipe.load("dcgan-64").replace([setting])
    assert said in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_recipe_is_refused_with_the_nearest() -> None:
    with pytest.raises(ImpastoError, match="did you mean 'dcgan-128'"):
        Recipe.load("dcgan128")


def test_a_recipe_file_with_a_missing_or_unknown_setting_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = Recipe.load("dcgan-64").to_yaml()
    file.write_text(text.replace("batch: 128\n", ""), encoding="utf-8")
    with pytest.raises(ImpastoError, match="lacks 'batch'"):
        Recipe.load(file)
    file.write_text(text + "colour: red\n", encoding="utf-8")
    with pytest.raises(ImpastoError, match="There is no setting 'colour'"):
        Recipe.load(file)
    with pytest.raises(ImpastoError, match="There is no recipe file"):
        Recipe.load(tmp_path / "none.yaml")


def test_a_schedule_is_constant_and_then_falls_to_nothing() -> None:
    falling = Schedule(decay_from=0.5)
    assert [falling.factor(p) for p in (0, 0.5, 0.75, 1)] == [1, 1, 0.5, 0]
    assert all(Schedule(decay_from=1).factor(p / 10) == 1 for p in range(11))
