"""Recommendations follow from the results, and their commands are valid."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
import typer

from fixtures.invented_sets import about, domain, frames, squares
from fixtures.parameters import mostly_long
from impasto.cli import app
from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.exploration.recipe_choice import choose_recipe, short_sides
from impasto.exploration.recommendations import recommend
from impasto.exploration.results import Domain, DomainGap, Recommendation
from impasto.exploration.speed import SpeedEstimate
from impasto.metrics.results import Value
from impasto.training.budget import Budget

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
GIGABYTE = 10**9
QUICK = SpeedEstimate(0.276, 16, GIGABYTE // 2, 8 * GIGABYTE)


def given(
    paintings: Domain,
    photos: Domain | None = None,
    gap: DomainGap | None = None,
    speed: SpeedEstimate | None = QUICK,
    named: str | None = None,
    device: torch.device = CPU,
) -> list[Recommendation]:
    """Return the recommendations for the chosen recipe."""
    sides = [picture.short_side for picture in paintings.inventory.pictures]
    recipe, settings = choose_recipe(sides, photos is not None, device, named)
    speeds = {} if speed is None else {recipe.name: speed}
    return recommend(paintings, photos, gap, speeds, recipe, settings=settings, named=named)


def training(recommendations: Sequence[Recommendation]) -> str:
    """Return the training command."""
    (command,) = (each.command for each in recommendations if each.action.startswith("Train "))
    return command


def typed(command: str) -> tuple[str, Recipe, dict[str, Any]]:
    """Parse a command: verb, recipe with its settings, all options."""
    name, verb, *rest = shlex.split(command)
    assert name == "impasto"
    verbs = typer.main.get_command(app)
    assert isinstance(verbs, typer.core.TyperGroup)
    options = verbs.commands[verb].make_context(verb, rest).params
    return verb, Recipe.load(options["recipe"]).replace(options["setting"] or ()), options


def kid(value: float, differences: Sequence[str] = ()) -> DomainGap:
    distance = Value(value=value, error=0.002, floor=0.0005)
    return DomainGap(
        network="efficientnet-lite0", counts="1,000 v 300", distance=distance, differences=list(differences)
    )


def test_common_frames_are_cropped() -> None:
    recommendations = given(domain(squares(100, 400), frames=frames(range(65))))
    crop = about(recommendations, "--crop-frames")
    assert crop is not None and "65 of the 100 paintings" in crop.reason
    assert typed(training(recommendations))[2]["crop_frames"]


def test_rare_frames_have_to_be_checked_first() -> None:
    recommendations = given(domain(squares(100), frames=frames([7, 30])))
    look = about(recommendations, "before you crop")
    assert look is not None and "2 of the 100" in look.reason and "7.jpg and 30.jpg" in look.reason
    assert not typed(training(recommendations))[2]["crop_frames"]


def test_framed_photos_do_not_crop_the_paintings() -> None:
    recommendations = given(domain(squares(300)), domain(squares(500), "photos", frames=frames(range(50))))
    assert about(recommendations, "photos that may have a border") is not None
    assert not typed(training(recommendations))[2]["crop_frames"]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "Find more paintings."),
        (30, "or expect"),
        (300, None),
        (3_000, None),
        (9_000, "Collect no more"),
    ],
)
def test_few_images_are_memorised_and_very_many_are_not_needed(count: int, said: str | None) -> None:
    recommendations = given(domain(squares(count)))
    found = [each for each in recommendations if each.action.startswith(("Find more", "Collect"))]
    assert [each.action for each in found if said and said in each.action] == [each.action for each in found]
    assert len(found) == (said is not None)
    assert all(f"{count:,} painting" in each.reason for each in found)


def test_two_images_are_too_few_for_any_command() -> None:
    assert all(not each.command for each in given(domain(squares(2))))
    assert not any(each.command for each in given(domain([])))
    assert about(given(domain(squares(2))), "preview") is None


@pytest.mark.parametrize("named", mostly_long([None, *bundled_recipes()], None, "dcgan-64", "cut"))
def test_every_command_is_valid(named: str | None) -> None:
    photos = domain(squares(20), "photos")
    for count, side, device in ((3, 40, CPU), (60, 1024, CUDA), (300, 256, CPU), (1_001, 40, CUDA)):
        for recipe, settings in (choose_recipe([side] * count, given, device, named) for given in (False, True)):
            paintings = domain(squares(count, side), frames=frames([0]))
            recommendations = recommend(paintings, photos, kid(0.06), {recipe.name: QUICK}, recipe, settings=settings)
            for command in filter(None, (each.command for each in recommendations)):
                _, again, options = typed(command)
                assert again.name == recipe.name and options["paintings"] == "my paintings"
                assert (options["photos"] is not None) == recipe.translates
                assert Budget.parse(options["budget"]).unit == "seconds"
            assert typed(training(recommendations))[1] == recipe


def test_a_recipe_file_is_not_changed(tmp_path: Any) -> None:
    file = tmp_path / "my own.yaml"
    file.write_text(Recipe.load("dcgan-64").to_yaml(), encoding="utf-8")
    recipe, settings = choose_recipe([20] * 60, False, CPU, str(file))
    assert recipe == Recipe.load("dcgan-64") and not settings
    command = training(given(domain(squares(300)), named=str(file)))
    assert shlex.split(command)[2] == str(file)


def test_images_of_256_pixels_allow_training_at_256() -> None:
    recommendations = given(domain(squares(300)))
    size = about(recommendations, "allow up to")
    assert size is not None and "allow up to 256" in size.action
    assert not any("512" in each.action + each.reason + each.command for each in recommendations)


def test_a_size_that_most_images_lack_is_reported() -> None:
    recipe = Recipe.load("dcgan-256")
    size = about(recommend(domain(squares(300, 100)), None, None, {}, recipe), "Train at 64")
    assert size is not None and "300 have to be enlarged" in size.reason


def test_images_too_small_for_any_size_have_to_be_replaced() -> None:
    size = about(given(domain(squares(14, 1))), "Find larger paintings.")
    assert size is not None and "side is 1 pixel" in size.reason and "14 have to be enlarged" in size.reason


def packed(folder: Path, size: int, count: int = 300, role: Literal["paintings", "photos"] = "paintings") -> Domain:
    """Return the domain of a pack whose images had 256 pixels, half of them with a frame."""
    folder.mkdir()
    (folder / "pixels.npy").touch()
    found = domain(squares(count), role, frames=frames(range(count // 2)))
    inventory = found.inventory.model_copy(update={"source": str(folder), "size": size})
    return found.model_copy(update={"inventory": inventory})


def test_recommendations_for_a_pack_can_be_followed(tmp_path: Path) -> None:
    paintings = packed(tmp_path / "pack", 64)
    assert short_sides(paintings) == [64] * 300
    recipe, settings = choose_recipe([64] * 300, True, CPU, packed=64)
    assert recipe.name == "monet" and recipe.stored_size <= 64
    recommendations = recommend(paintings, domain(squares(500), "photos"), None, {}, recipe, settings=settings)
    _, again, options = typed(training(recommendations))
    assert again.stored_size <= 64 and not options["crop_frames"]
    assert about(recommendations, "Pack the paintings again with --crop-frames.") is not None
    larger = about(recommendations, "Pack the paintings again with --size 256")
    assert larger is not None and "packed at 64" in larger.reason
    assert about(recommendations, "Crop the frames") is None


def test_a_large_enough_pack_does_not_change_the_recipe(tmp_path: Path) -> None:
    for named, size in (("monet", 256), ("dcgan-64", 64), ("dcgan-128", 128)):
        recipe, settings = choose_recipe([size] * 3_000, named == "monet", CPU, named, packed=size)
        assert recipe == Recipe.load(named) and not settings
        recommendations = recommend(packed(tmp_path / named, size, 3_000), None, None, {}, recipe, settings=settings)
        assert about(recommendations, "--size") is about(recommendations, "allow up to") is None


def test_a_pack_of_photos_that_is_too_small_has_to_be_packed_again(tmp_path: Path) -> None:
    recipe, settings = choose_recipe([256] * 300, True, CPU, packed=128)
    photos = packed(tmp_path / "pack", 128, 500, "photos")
    recommendations = recommend(domain(squares(300)), photos, None, {}, recipe, settings=settings)
    assert about(recommendations, "Pack the photos again with --size 256") is not None
    assert typed(training(recommendations))[1].stored_size == 128


def test_cropped_frames_are_cropped_in_training_and_not_reported() -> None:
    found = domain(squares(100, 400), frames=frames(range(65)))
    pictures = [replace(each, frame=(40, 40, 360, 360)) for each in found.inventory.pictures]
    inventory = found.inventory.model_copy(update={"pictures": pictures})
    recommendations = given(found.model_copy(update={"inventory": inventory}))
    assert not any("frames" in each.action for each in recommendations)
    assert typed(training(recommendations))[2]["crop_frames"]


def test_a_very_small_or_large_domain_gap_is_reported() -> None:
    pair = domain(squares(300)), domain(squares(500), "photos")
    assert about(given(*pair, kid(0.003)), "same kind") is not None
    far = about(given(*pair, kid(0.3, ["The photos are brighter."])), "the paintings show")
    assert far is not None and "is 0.300, 1,000 v 300" in far.reason and far.reason.endswith("The photos are brighter.")
    usual = given(*pair, kid(0.058))
    assert about(usual, "same kind") is about(usual, "the paintings show") is None


def test_more_photos_than_paintings_are_all_used() -> None:
    balance = about(given(domain(squares(300)), domain(squares(7_028), "photos")), "Use all photos")
    assert balance is not None and "7,028 photos" in balance.reason and "23 times" in balance.reason
    assert about(given(domain(squares(300)), domain(squares(20), "photos")), "Find more photos") is not None


def test_augmentation_of_few_images_depends_on_the_recipe() -> None:
    vary = about(given(domain(squares(300)), named="dcgan-64"), "If the discriminator memorises")
    assert vary is not None and "flips and crops of 80% to 100%" in vary.reason and "30 are held out" in vary.reason
    assert typed(vary.command)[1].diffaugment.target == 0.6
    assert about(given(domain(squares(300)), domain(squares(500), "photos")), "Add no further augmentation") is not None
    assert about(given(domain(squares(60)), named="dcgan-64"), "Add no further augmentation") is not None
    assert not any("ugment" in each.action or "memorises" in each.action for each in given(domain(squares(3_000))))


def test_the_budget_lasts_until_convergence_at_the_measured_speed() -> None:
    recommendations = given(domain(squares(300)), named="dcgan-64")
    time = about(recommendations, "preview")
    assert time is not None and "about 9 minutes" in time.action and "about 45 minutes" in time.action
    assert "8,700" in time.reason and "0.5 GB" in time.reason and "8.0 GB" in time.reason
    assert typed(training(recommendations))[2]["budget"] == "45m"
    twice = given(domain(squares(300)), named="dcgan-64", speed=SpeedEstimate(2 * 0.276, 16, 1))
    assert typed(training(twice))[2]["budget"] == "90m"


def test_a_training_of_weeks_has_an_alternative() -> None:
    recommendations = given(
        domain(squares(300)), domain(squares(7_028), "photos"), speed=SpeedEstimate(6, 1, 1), named="cyclegan-resnet"
    )
    time = about(recommendations, "preview")
    assert time is not None and "weeks" in time.action and "monet" in time.action
    assert typed(training(recommendations))[2]["budget"] == "8h"


def test_no_duration_is_given_without_a_measured_speed() -> None:
    recommendations = given(domain(squares(300)), speed=None)
    assert about(recommendations, "preview") is None and typed(training(recommendations))[2]["budget"] == "30m"


def test_a_batch_size_that_does_not_fit_is_reduced() -> None:
    recommendations = given(domain(squares(300)), speed=SpeedEstimate(0.1, 6, 9 * GIGABYTE, 4 * GIGABYTE, 6))
    assert (
        "batch size to 6" in recommendations[0].action
        and "9.0 GB" in recommendations[0].reason
        and "4.0 GB" in recommendations[0].reason
    )
    assert typed(training(recommendations))[1].batch == 6


def test_a_smaller_recipe_is_recommended_if_no_batch_size_fits() -> None:
    recommendations = given(domain(squares(300)), speed=SpeedEstimate(math.inf, 16, 9 * GIGABYTE, GIGABYTE))
    assert "smaller" in recommendations[0].action
    assert about(recommendations, "preview") is None


def test_the_order_is_fixes_then_training_then_improvements() -> None:
    flawed = domain(
        [*squares(30, 400), (1, 1)], frames=frames(range(20)), inventory={"near_duplicates": [("0.jpg", "1.jpg")]}
    )
    recommendations = given(flawed, speed=SpeedEstimate(0.1, 6, 9 * GIGABYTE, 4 * GIGABYTE, 6))
    order = ["batch size", "Find more", "--crop-frames", "too small", "near-duplicate", "preview", "Train"]
    order += ["no further", "tune the hyperparameters"]
    places = [recommendations.index(found) for word in order if (found := about(recommendations, word)) is not None]
    assert len(places) == len(order)
    assert all(one < other for one, other in pairwise(places))
    assert places[-1] == len(recommendations) - 1


def test_every_recommendation_has_a_sentence_and_a_reason() -> None:
    photos = domain(squares(7_028), "photos", frames=frames(range(900)))
    for each in given(domain([*squares(290, 400), *[(100, 900)] * 10], frames=frames([3])), photos, kid(0.3)):
        assert each.action.endswith(".") and each.reason.endswith(".")
        assert each.action[0].isupper() and each.reason


def test_tuning_is_recommended_if_its_trials_are_short_enough() -> None:
    search = about(given(domain(squares(300)), named="dcgan-64"), "tune the hyperparameters")
    assert search is not None and "about 5 hours" in search.reason
    verb, recipe, options = typed(search.command)
    assert (verb, recipe.name, options["budget"]) == ("tune", "dcgan-64", "10m")
    assert (
        about(
            given(domain(squares(300)), named="dcgan-64", speed=SpeedEstimate(2.76, 16, 1)),
            "tune the hyperparameters",
        )
        is None
    )


def test_a_busy_machine_is_mentioned() -> None:
    recipe, settings = choose_recipe([256] * 300, False, torch.device("cpu"))
    for busy, said in ((0.0, False), (0.9, True)):
        speed = SpeedEstimate(0.3, recipe.batch, 10**9, 8 * 10**9, busy=busy)
        found = recommend(domain(squares(300)), None, None, {recipe.name: speed}, recipe, settings=settings)
        (time,) = [each for each in found if each.action.startswith("Expect")]
        assert ("90% of the processors" in time.reason) == said
