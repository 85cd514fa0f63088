import copy
import itertools
import pickle
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fixtures import earlier_recipes as earlier
from fixtures.foreign import JSON, result_or_one_line
from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.config.setting_paths import flatten, setting_names
from impasto.errors import ImpastoError
from impasto.methods.gan import GanRecipe
from impasto.metrics.feature_extractors import FEATURE_EXTRACTORS
from impasto.networks import build_discriminator, build_generator

every_recipe = pytest.mark.parametrize("name", bundled_recipes())


def gan(name: str = "dcgan-64") -> GanRecipe:
    recipe = Recipe.load(name)
    assert isinstance(recipe, GanRecipe)
    return recipe


@every_recipe
def test_a_bundled_recipe_equals_itself_after_yaml_and_json(name: str, tmp_path: Path) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name and type(recipe) is METHODS[recipe.method].recipe_class
    file = tmp_path / "again.yaml"
    file.write_text(recipe.to_yaml(), encoding="utf-8")
    assert Recipe.load(file) == recipe
    assert Recipe.of(recipe.model_dump(mode="json")) == recipe  # as a style's card holds it


@every_recipe
def test_a_bundled_recipe_names_its_paper_in_a_comment(name: str) -> None:
    """A paper, or another recipe that does."""
    text = (resources.files("impasto") / "config" / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
    comment = " ".join(line.removeprefix("#") for line in text.splitlines() if line.startswith("#"))
    assert "arXiv:" in comment
    assert text.startswith("# ") and all(len(line) <= 240 for line in text.splitlines())


@every_recipe
def test_every_setting_can_be_set_by_its_dotted_name(name: str) -> None:
    recipe = Recipe.load(name).without_search()
    values = recipe.values()
    dotted = list(setting_names(values))
    assert {"generator.lr", "penalty.r1", "diffaugment.target", "schedule.shape"} <= set(dotted)
    assert (
        recipe.replace([f"{each}={yaml.safe_dump(_at(values, each), default_flow_style=True)}" for each in dotted])
        == recipe
    )


def _at(values: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        values = values[part]
    return values


@every_recipe
def test_its_networks_can_be_built(name: str) -> None:
    """Small ones of the same kind: with these setting_names and settings, none lacking."""
    recipe = Recipe.load(name).replace(["generator.width=4", "discriminator.width=4"])
    generator, discriminator = (
        build_generator(**recipe.generator_kwargs()),
        build_discriminator(**recipe.discriminator_kwargs()),
    )
    assert any(True for _ in generator.parameters()) and any(True for _ in discriminator.parameters())


@every_recipe
def test_translation_samples_have_the_size_of_the_stored_images(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.translates == (recipe.method not in {"gan", "progressive"})
    assert (
        recipe.stored_size * recipe.augment.scale[0] >= recipe.size > (recipe.stored_size - 1) * recipe.augment.scale[0]
    )
    assert recipe.sample_size == (recipe.stored_size if recipe.translates else recipe.size)


@every_recipe
def test_the_scoring_network_is_of_another_family_than_those_trained_with(name: str) -> None:
    recipe = Recipe.load(name)
    against_efficientnet = recipe.discriminator.network == "projected" or recipe.method == "fsesim"
    assert recipe.scoring_network == ("alexnet" if against_efficientnet else "efficientnet-lite0")
    assert FEATURE_EXTRACTORS[recipe.scoring_network].family not in recipe.feature_families


@pytest.mark.parametrize("size", [64, 128, 256])
def test_dcgan_is_as_in_the_paper(size: int) -> None:
    recipe = gan(f"dcgan-{size}")
    assert (recipe.size, recipe.latent, recipe.batch, recipe.loss) == (size, 100, 128, "bce")
    for network in (recipe.generator, recipe.discriminator):
        assert (network.lr, network.betas[0], network.architecture()["init_std"]) == (2e-4, 0.5, 0.02)


def test_setting_one_name_changes_nothing_else() -> None:
    recipe = gan()
    wide = recipe.replace(["generator.width=96", "generator.betas=[0.0, 0.99]"])
    assert wide.generator.architecture()["width"] == 96 and wide.generator.betas == (0.0, 0.99)
    assert (
        wide.replace(["generator.width=64", "generator.betas=[0.5,0.999]"]).without_search() == recipe.without_search()
    )


@every_recipe
def test_the_search_space_is_valid_and_contains_the_recipe(name: str) -> None:
    recipe = Recipe.load(name)
    recipe.require_valid_search_space()
    assert len(recipe.tune) >= 8 and {"generator.lr", "discriminator.lr"} <= set(recipe.tune)
    assert Recipe.of(recipe.values()) == recipe


def test_a_setting_that_is_set_is_not_searched() -> None:
    recipe = Recipe.load("dcgan-64")
    fixed = recipe.replace(["batch=16"])
    assert set(recipe.tune) - set(fixed.tune) == {"batch"} and "tune" not in recipe.without_search().to_yaml()


@pytest.mark.parametrize(
    ("tune", "said"),
    [
        ({"generator.widht": {"low": 1, "high": 2}}, "did you mean 'generator.width'"),
        ({"generator.lr": {"low": 1e-4, "high": 1e-5}}, "low must be below high"),
        ({"generator.lr": {"low": 0.0, "high": 1e-3, "log": True}}, "must begin above 0"),
        ({"generator.lr": {"low": 1e-3, "high": 1e-2}}, "outside its search space"),
        ({"loss": {"choices": ["bce", "sgan"]}}, "loss = 'sgan'"),
        ({"loss": {"choices": ["bce"]}}, "tune.loss.choices"),
        ({"generator.lr": 5}, "tune.generator.lr"),
        ({"diffaugment.target": {"low": 0.3, "high": 0.9}}, "there is nothing to adapt"),
        ({"size": {"choices": [64, 100]}}, "power of two"),
    ],
)
def test_an_invalid_search_space_is_refused_in_one_line(tune: dict[str, Any], said: str) -> None:
    with pytest.raises(ImpastoError) as error:
        Recipe.of(Recipe.load("dcgan-64").values() | {"tune": tune}).require_valid_search_space()
    assert said in str(error.value) and "\n" not in str(error.value)


def test_1e_4_is_a_number() -> None:
    assert Recipe.load("dcgan-64").replace(["generator.lr=1e-4"]).generator.lr == 1e-4


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("dcgan-64", "generator.widht=96", "did you mean 'generator.width'"),
        ("dcgan-64", "latnet=96", "did you mean 'latent'"),
        ("dcgan-64", "lr=0.1", "did you mean 'generator.lr' or 'discriminator.lr'"),
        ("dcgan-64", "betas=[0.5,0.9]", "betas'"),
        ("dcgan-64", "generator=5", "There is no setting 'generator'"),
        ("dcgan-64", "generator.width=many", "generator.width = 'many'"),
        ("dcgan-64", "size=100", "size = 100: must be a power of two"),
        ("dcgan-64", "heldout=1.5", "heldout = 1.5"),
        ("dcgan-64", "generator.lr=-1", "generator.lr = -1"),
        ("dcgan-64", "augment.scale=[1.0,0.5]", "smaller scale comes first"),
        ("dcgan-64", "width", "name=value"),
        ("dcgan-64", "name=[", "not YAML"),
        ("dcgan-64", "batch=1", "batch = 1"),
        ("dcgan-64", "method=cyclgan", "no method 'cyclgan'; did you mean 'cyclegan'?"),
        ("dcgan-64", "method=[gan]", "There is no method"),
        ("dcgan-64", "generator.network=resnet", "gan has no generator 'resnet': there are dcgan, fastgan, r3gan."),
        ("dcgan-64", "discriminator.network=patch", "lacks 'discriminator.layers'"),
        ("cut", "method=gan", "gan has no generator 'resnet'"),
        ("cut", "generator.network=resent", "cut has no generator 'resent'; did you mean 'resnet'?"),
        ("cut", "generator.network=unet", "cut has no generator 'unet'"),
        ("cut", "discriminator.network=5", "there are cnn, dcgan, fastgan, patchgan, projected, r3gan."),
        ("fastgan-128", "size=16", "size = 16: the discriminator fastgan takes 32 at least."),
        ("projected-64", "size=16", "size = 16: the discriminator projected takes 32 at least."),
        ("monet", "size=32", "size = 32: must be a multiple of 64"),
        ("dcgan-64", "penalty.r1=1", "penalty.r1 = 1: must be 0, as the discriminator dcgan normalises over the batch"),
        ("dcgan-progressive", "penalty.r2=1", "penalty.r2 = 1: must be 0, as the discriminator progressive normalises"),
        ("fastgan-128", "penalty.gradient=10", "penalty.gradient = 10: must be 0, as the discriminator fastgan"),
        ("cut", "generator.dropout=0.5", "There is no setting 'generator.dropout'"),
        ("cut", "discriminator.pixels=32", "There is no setting 'discriminator.pixels'"),
        ("cyclegan-unet", "generator.blocks=9", "There is no setting 'generator.blocks'"),
        ("cyclegan-unet", "contrast.weight=9", "There is no setting 'contrast.weight'"),
        ("monet", "generator.norm=batch", "There is no setting 'generator.norm'"),
        ("cut", "generator.norm=layer", "generator.norm = 'layer': input should be 'none', 'batch'"),
        ("cut", "contrast.patches=1", "contrast.patches = 1"),
        ("cut", "loss=minimax", "loss = 'minimax'"),
        ("monet", "generator.network=painter", "fsesim has no generator 'edsr': there are feature-decoder."),
        ("monet", "contrast.patches=8", "There is no setting 'contrast.patches'"),
        ("monet", "half=1", "half = 1: "),
        (
            "monet",
            "size=96",
            "size = 96: must be a multiple of 64, as the first part of the training is at half the size",
        ),
        ("monet", "identity=1", "identity = 1: the method fsesim has no identity loss"),
        ("cyclegan-resnet", "direction=painting-to-photo", "a CycleGAN trains both directions"),
        ("cut", "direction=there", "direction = 'there'"),
        ("cut", "generator.network=feature-decoder", "cut has no generator 'feature-decoder'"),
        ("cnn", "generator.network=feature-decoder", "unconstrained has no generator 'feature-decoder'"),
        ("monet", "structure.places=1", "structure.places = 1"),
        ("monet", "structure.weight=0", "structure.weight = 0"),
        ("monet", "mood.nearest=1.1", "mood.nearest = 1.1"),
        ("monet", "generator.soften=0", "generator.soften = 0"),
        ("monet", "discriminator.backbones=[]", "discriminator.backbones = []"),
        ("monet", "discriminator.backbones=[lite1,lite9]", "discriminator.backbones.1 = 'lite9'"),
        ("monet", "smoothing=0.1", "smoothing = 0.1: only bce and lsgan have labels"),
        ("cnn-wgan", "smoothing=0.1", "smoothing = 0.1: only bce and lsgan have labels"),
        ("cnn-wgan", "discriminator.clip_weights=0", "discriminator.clip_weights = 0"),
        ("cyclegan-resnet", "pool=-1", "pool = -1"),
        ("cut", "diffaugment.target=0.6", "diffaugment.target = 0.6: there is nothing to adapt"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(name: str, setting: str, said: str) -> None:
    with pytest.raises(ImpastoError) as error:
        Recipe.load(name).replace([setting])
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["cnn", "cut"])
def test_gradient_penalties_are_refused_with_batch_norm_and_in_its_search_space(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.replace(["penalty.r1=1"]).penalty.r1 == 1
    with pytest.raises(ImpastoError, match=r"penalty\.r1 = 1\.0: must be 0, as the discriminator .* normalises"):
        recipe.replace(["discriminator.norm=none", "penalty.r1=1"]).replace(["discriminator.norm=batch"])
    batch_norm = recipe.replace(["discriminator.norm=batch"]).values()
    tune = {"penalty.r1": {"choices": [0.0, 0.1]}}
    with pytest.raises(ImpastoError, match=r"tune: penalty\.r1 = 0\.1: must be 0"):
        Recipe.of(batch_norm | {"tune": tune}).require_valid_search_space()


def test_a_training_that_an_earlier_version_allowed_can_still_be_read() -> None:
    values = Recipe.load("dcgan-64").without_search().values() | {"tune": {"penalty.r1": {"choices": [0.0, 0.1]}}}
    values["penalty"]["r1"] = 0.1
    with pytest.raises(ImpastoError, match="normalises over the batch"):
        Recipe.of(values)
    recorded = Recipe.of(values, recorded=True)
    assert recorded.penalty.r1 == 0.1 and recorded.tune == {} and pickle.loads(pickle.dumps(recorded)) == recorded


def test_half_the_size_needs_a_discriminator_that_takes_it() -> None:
    values = Recipe.load("monet").values()
    values["discriminator"] = Recipe.load("r3gan-256").values()["discriminator"]
    with pytest.raises(ImpastoError, match=r"half = 0\.3: must be 0 with the discriminator r3gan"):
        Recipe.of(values | {"tune": {}})


def test_a_network_is_replaced_together_with_its_settings() -> None:
    values = Recipe.load("cut").model_dump(mode="json")
    learning = {name: values["generator"][name] for name in ("lr", "betas")}
    values["generator"] = {"network": "edsr", "width": 8, "body": 16, "blocks": 2, **learning}
    assert Recipe.of(values).generator_kwargs() == {"network": "edsr", "width": 8, "body": 16, "blocks": 2}
    values["generator"] = learning | {"width": 8}
    with pytest.raises(ImpastoError, match=r"lacks 'generator\.network'"):
        Recipe.of(values)


def test_a_recipe_without_backbones_has_the_default_one() -> None:
    recipe = earlier.monet()
    assert "backbones" not in earlier.MONET["discriminator"]
    assert recipe.discriminator_kwargs() == {"network": "projected", "width": 64, "pixels": 32, "backbones": ("lite1",)}
    assert recipe.replace(["discriminator.backbones=[lite0, lite1]"]).discriminator_kwargs()["backbones"] == (
        "lite0",
        "lite1",
    )


def test_training_at_half_size_first_changes_the_speed_then() -> None:
    monet = Recipe.load("monet")
    assert monet.speed_changes == (monet.value("half"),) and 0 < monet.value("half") < 1
    assert monet.replace(["half=0"]).speed_changes == ()


@pytest.mark.parametrize("loss", ["bce", "lsgan"])
def test_label_smoothing_is_allowed_for_losses_with_labels(loss: str) -> None:
    assert Recipe.load("cut").replace([f"loss={loss}", "smoothing=0.1"]).smoothing == 0.1


def test_the_size_is_a_multiple_of_the_generators_stride() -> None:
    assert Recipe.load("monet").replace(["half=0", "size=96"]).size == 96
    with pytest.raises(ImpastoError, match="size = 100: must be a multiple of 32"):
        Recipe.load("monet").replace(["half=0", "size=100"])


def test_translation_trains_at_any_size_unless_the_discriminator_has_a_fixed_one() -> None:
    assert Recipe.load("cut").replace(["size=100"]).size == 100
    values = Recipe.load("cut").model_dump(mode="json")
    values |= {"size": 100, "discriminator": Recipe.load("dcgan-64").model_dump(mode="json")["discriminator"]}
    with pytest.raises(ImpastoError, match="size = 100: must be a power of two"):
        Recipe.of(values)
    assert Recipe.of(values | {"size": 128}).discriminator_kwargs()["size"] == 128


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
    (tmp_path / "note.txt").write_text("milk")
    with pytest.raises(ImpastoError, match="is no recipe: recipe files end in"):
        Recipe.load(tmp_path / "note.txt")
    with pytest.raises(ImpastoError, match="There is no recipe file"):
        Recipe.load(tmp_path / "none.yaml")


def test_former_names_of_networks_can_be_set_with_their_settings() -> None:
    former = ["discriminator.network=patch", "discriminator.layers=3", "discriminator.norm=none"]
    recipe = Recipe.load("dcgan-64").replace([*former, "discriminator.spectral=true"])
    assert recipe.discriminator.network == "patchgan" and recipe.value("discriminator.layers") == 3


@every_recipe
def test_a_recipe_can_be_pickled(name: str) -> None:
    recipe = Recipe.load(name)
    assert pickle.loads(pickle.dumps(recipe)) == recipe == copy.deepcopy(recipe)


def test_infinity_is_refused_wherever_nan_is() -> None:
    for recipe in map(Recipe.load, bundled_recipes()):
        numbers = [name for name, value in flatten(recipe.values()) if isinstance(value, float) and "tune" not in name]
        assert {"generator.lr", "ema.halflife"} <= set(numbers)
        for setting, value in itertools.product(numbers, (".inf", "-.inf", ".nan")):
            with pytest.raises(ImpastoError, match=f"^{setting} = "):
                recipe.replace([f"{setting}={value}"])


@every_recipe
def test_every_integer_has_an_upper_bound(name: str) -> None:
    recipe = Recipe.load(name)
    whole = [setting for setting, value in flatten(recipe.without_search().values()) if type(value) is int]
    assert {"size", "batch", "penalty.every", "generator_every"} <= set(whole)
    for setting in whole:
        with pytest.raises(ImpastoError, match=f"^{setting} = 1000"):
            recipe.replace([f"{setting}={10**20}"])


def test_a_file_with_a_setting_twice_names_it(tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text(Recipe.load("dcgan-64").to_yaml() + "batch: 8\n", encoding="utf-8")
    with pytest.raises(ImpastoError, match=r"twice\.yaml is not valid: 'batch' is given twice, in line"):
        Recipe.load(tmp_path / "twice.yaml")


def test_json_that_is_nested_too_deeply_is_refused_in_one_line() -> None:
    nested: dict[str, Any] = {}
    for _ in range(900):
        nested = {"a": nested}
    with pytest.raises(ImpastoError, match=r"There is no setting 'generator\.a\.a\.a"):
        Recipe.of(Recipe.load("dcgan-64").values() | {"generator": nested})


#: Values of a recipe, some of them replaced or added.
MUTATED = st.builds(
    lambda name, changes: Recipe.load(name).values() | changes,
    st.sampled_from(["dcgan-64", "cyclegan-resnet", "monet"]),
    st.dictionaries(
        st.sampled_from(
            ["name", "method", "size", "loss", "generator", "penalty", "augment", "tune", "heldout", "new"]
        ),
        JSON | st.fixed_dictionaries({"network": JSON | st.sampled_from(["dcgan", "resnet"])}, optional={"lr": JSON}),
        min_size=1,
        max_size=3,
    ),
)


@given(MUTATED)
def test_any_values_are_a_recipe_or_refused_in_one_line(values: dict[str, Any]) -> None:
    recipe = result_or_one_line(lambda: Recipe.of(values))
    if recipe is not None:
        result_or_one_line(recipe.require_valid_search_space)


@given(
    st.sampled_from(["batch", "generator.lr", "generator.network", "generator.betas", "tune", "generator", "augment"])
    | st.text(max_size=10),
    st.sampled_from(["=", "", " = "]),
    st.text(max_size=10)
    | st.sampled_from(["[", "{a: 1}", "&a [*a]", "9" * 5000, "!!set {a}", "null", ".inf", "\ud800"]),
)
def test_any_setting_is_set_or_refused_in_one_line(name: str, equals: str, value: str) -> None:
    result_or_one_line(lambda: Recipe.load("dcgan-64").replace([f"{name}{equals}{value}"]))


def test_one_setting_need_not_be_in_a_list() -> None:
    recipe = Recipe.load("dcgan-64")
    assert recipe.replace("batch=4") == recipe.replace(["batch=4"]) != recipe
