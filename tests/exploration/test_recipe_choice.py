"""The recipe, its size and its settings follow from the images and the device."""

import pytest
import torch

from impasto.config.recipe import Recipe
from impasto.exploration.recipe_choice import ADAPTIVE, SMALL_SETTINGS, choose_recipe, largest_size

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_the_default_is_projected_without_photos_and_monet_with_photos() -> None:
    sides = [256] * 300
    assert choose_recipe(sides, False, CPU)[0] == Recipe.load("projected-64")
    assert choose_recipe(sides, True, CPU)[0].name == choose_recipe(sides, True, CUDA)[0].name == "monet"


def test_a_gpu_gets_the_largest_recipe_that_the_images_allow() -> None:
    names = [choose_recipe([side] * 300, False, CUDA)[0].name for side in (100, 200, 256, 512, 2000)]
    assert names == [f"projected-{size}" for size in (64, 128, 256, 256, 256)]
    few_large = [100] * 30 + [2000] * 270
    assert choose_recipe(few_large, False, CUDA)[0].name == "projected-64"


def test_a_dcgan_gets_small_batches_for_few_images_and_diffaugment_for_very_few() -> None:
    for count, settings in ((5_000, []), (300, [*SMALL_SETTINGS]), (60, [*SMALL_SETTINGS, *ADAPTIVE])):
        recipe, found = choose_recipe([256] * count, False, CPU, "dcgan-64")
        assert found == settings
        assert recipe == Recipe.load("dcgan-64").replace(settings)


def test_a_named_recipe_is_used() -> None:
    recipe, settings = choose_recipe([256] * 300, True, CPU, "cyclegan-resnet")
    assert recipe == Recipe.load("cyclegan-resnet") and not settings


def test_the_size_is_reduced_instead_of_enlarging_images() -> None:
    assert choose_recipe([40] * 5_000, False, CPU)[1] == ["size=32"]
    assert choose_recipe([100] * 5_000, True, CPU)[1] == ["size=64"]
    assert choose_recipe([3] * 5_000, True, CPU)[1] == ["size=64"]  # the minimum of monet, which starts at half of it


@pytest.mark.parametrize(("side", "size"), [(255, 128), (256, 256), (500, 256), (512, 512), (9000, 1024), (1, 1)])
def test_the_largest_size_is_one_that_95_percent_of_the_images_have(side: int, size: int) -> None:
    assert largest_size([side] * 300) == size
