"""Spandrel's own loader loads the translators of bundled recipes, and they paint as in impasto."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fixtures.translators import translator
from impasto.config.recipe import Recipe
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


def test_tensors_of_no_bundled_recipe_are_left_to_others() -> None:
    import spandrel

    weights = untrained("cnn").network.state_dict()
    name = next(iter(weights))
    for changed in ({name: weights[name]}, {**weights, name: weights[name][:1]}, {**weights, "more": weights[name]}):
        with pytest.raises(spandrel.UnsupportedModelError):
            spandrel.ModelLoader().load_from_state_dict(changed)
