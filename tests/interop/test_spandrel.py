"""Spandrel's own loader loads the translators of bundled recipes, and they paint as in impasto."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fixtures.noise_style import style as noise_style
from fixtures.translators import translator
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.networks import build_generator
from impasto.style import Style, find_style


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two other architectures of spandrel import functions of torchvision, which styles do not need."""
    functions = ModuleType("torchvision.transforms.functional")
    for name in ("InterpolationMode", "rotate", "normalize"):
        setattr(functions, name, None)
    for name in ("torchvision", "torchvision.transforms", functions.__name__):
        monkeypatch.setitem(sys.modules, name, functions)
    pytest.importorskip("spandrel", reason="spandrel is not installed: make setup")
    from impasto.interop.spandrel import register

    register()
    register()  # again does nothing


def untrained(name: str) -> Style:
    recipe = Recipe.load(name)
    card = translator(1).card.model_copy(update={"recipe": recipe.values()})
    torch.manual_seed(0)
    forward, reverse = (build_generator(**recipe.generator_kwargs()).eval() for _ in range(2))
    return Style(forward, card, reverse)


@pytest.mark.parametrize("name", ["monet", "cnn"])
def test_a_style_paints_the_same_pixels(name: str, tmp_path: Path) -> None:
    from spandrel import ImageModelDescriptor, ModelLoader

    path = find_style(name)
    if not path.exists():
        path = tmp_path / "style.safetensors"
        untrained(name).save(path)
    model = ModelLoader().load_from_file(path)
    assert isinstance(model, ImageModelDescriptor)
    assert model.architecture.id == "impasto" and model.tags == [name] and model.scale == 1

    photos = torch.rand(1, 3, 50, 71)
    with torch.inference_mode():
        expected = (Style.load(path).network(photos * 2 - 1) + 1) / 2
    torch.testing.assert_close(model(photos), expected.clamp(0, 1))


def test_a_style_with_settings_that_leave_no_tensors_is_loaded_by_its_card(tmp_path: Path) -> None:
    from impasto.interop.spandrel import load

    style = untrained("cnn")
    recipe = style.recipe.replace(["generator.activation=leaky"])
    card = style.card.model_copy(update={"recipe": recipe.values()})
    Style(style.network, card).save(tmp_path / "style.safetensors")
    photos = torch.rand(1, 3, 20, 31)
    with torch.inference_mode():
        expected = (Style.load(tmp_path / "style.safetensors").network(photos * 2 - 1) + 1) / 2
        other = (style.network(photos * 2 - 1) + 1) / 2
    painted = load(tmp_path / "style.safetensors")(photos)
    torch.testing.assert_close(painted, expected.clamp(0, 1))
    assert not torch.allclose(painted, other.clamp(0, 1))


def test_a_style_that_generates_from_noise_is_refused(tmp_path: Path) -> None:
    from impasto.interop.spandrel import load

    noise_style().save(tmp_path / "style.safetensors")
    with pytest.raises(ImpastoError, match="generates from noise"):
        load(tmp_path / "style.safetensors")


def test_tensors_of_no_bundled_recipe_are_left_to_others() -> None:
    import spandrel

    weights = untrained("cnn").network.state_dict()
    name = next(iter(weights))
    for changed in ({name: weights[name]}, {**weights, name: weights[name][:1]}, {**weights, "more": weights[name]}):
        with pytest.raises(spandrel.UnsupportedModelError):
            spandrel.ModelLoader().load_from_state_dict(changed)
