"""What is advised follows from what was found, and what is to be typed can be typed."""

import math
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
import typer

from fixtures.invented_sets import about, domain, framed, squares
from impasto.cli import app
from impasto.config.recipe import Recipe, bundled_recipes
from impasto.exploration.recommendations import ADAPTIVE, FOR_SOME, choose_recipe, largest_size, recommend, short_sides
from impasto.exploration.results import Advice, Domain, Gap
from impasto.exploration.speed import SpeedEstimate
from impasto.metrics.results import Value
from impasto.training.budget import Budget

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
GIGABYTE = 10**9
QUICK = SpeedEstimate(0.276, 16, GIGABYTE // 2, 8 * GIGABYTE)


def given(
    paintings: Domain,
    photos: Domain | None = None,
    gap: Gap | None = None,
    pace: SpeedEstimate | None = QUICK,
    named: str | None = None,
    device: torch.device = CPU,
) -> list[Advice]:
    """The advice by the recipe that is chosen."""
    sides = [picture.short_side for picture in paintings.inventory.pictures]
    recipe, settings = choose_recipe(sides, photos is not None, device, named)
    paces = {} if pace is None else {recipe.name: pace}
    return recommend(paintings, photos, gap, paces, recipe, settings=settings, named=named)


def training(advice: Sequence[Advice]) -> str:
    """The command to train by."""
    (command,) = (each.command for each in advice if each.what.startswith("Train "))
    return command


def typed(command: str) -> tuple[str, Recipe, dict[str, Any]]:
    """Reads a command as a shell and impasto do: verb, recipe with its settings, all options."""
    name, verb, *rest = shlex.split(command)
    assert name == "impasto"
    verbs = typer.main.get_command(app)
    assert isinstance(verbs, typer.core.TyperGroup)
    options = verbs.commands[verb].make_context(verb, rest).params
    return verb, Recipe.load(options["recipe"]).replace(options["setting"] or ()), options


def kid(value: float, words: Sequence[str] = ()) -> Gap:
    distance = Value(value=value, error=0.002, floor=0.0005)
    return Gap(network="efficientnet-lite0", counts="1,000 v 300", distance=distance, words=list(words))


def test_frames_that_many_have_are_cropped() -> None:
    advice = given(domain(squares(100, 400), framed=framed(range(65))))
    crop = about(advice, "--crop-frames")
    assert crop is not None and "65 of 100 paintings" in crop.why
    assert typed(training(advice))[2]["crop_frames"]


def test_frames_that_few_may_have_are_looked_at_first() -> None:
    advice = given(domain(squares(100), framed=framed([7, 30])))
    look = about(advice, "before you crop")
    assert look is not None and "2 of 100" in look.why and "7.jpg and 30.jpg" in look.why
    assert not typed(training(advice))[2]["crop_frames"]


def test_framed_photos_do_not_crop_the_paintings() -> None:
    advice = given(domain(squares(300)), domain(squares(500), "photos", framed=framed(range(50))))
    assert about(advice, "photos that may have a border") is not None
    assert not typed(training(advice))[2]["crop_frames"]


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "Find more paintings."), (30, "expect copies"), (300, None), (3_000, None), (9_000, "Collect no more")],
)
def test_few_pictures_are_copied_and_very_many_are_not_needed(count: int, said: str | None) -> None:
    advice = given(domain(squares(count)))
    found = [each for each in advice if each.what.startswith(("Find more", "Collect"))]
    assert [each.what for each in found if said and said in each.what] == [each.what for each in found]
    assert len(found) == (said is not None)
    assert all(f"{count:,} painting" in each.why for each in found)


def test_with_two_pictures_nothing_is_to_be_typed() -> None:
    assert all(not each.command for each in given(domain(squares(2))))
    assert not any(each.command for each in given(domain([])))
    assert about(given(domain(squares(2))), "first look") is None


@pytest.mark.parametrize("named", [None, *bundled_recipes()])
def test_every_command_can_be_typed(named: str | None) -> None:
    photos = domain(squares(20), "photos")
    for count, side, device in ((3, 40, CPU), (60, 1024, CUDA), (300, 256, CPU), (1_001, 40, CUDA)):
        for recipe, settings in (choose_recipe([side] * count, given, device, named) for given in (False, True)):
            paintings = domain(squares(count, side), framed=framed([0]))
            advice = recommend(paintings, photos, kid(0.06), {recipe.name: QUICK}, recipe, settings=settings)
            for command in filter(None, (each.command for each in advice)):
                _, again, options = typed(command)
                assert again.name == recipe.name and options["paintings"] == "my paintings"
                assert (options["photos"] is not None) == recipe.translates
                assert Budget.parse(options["budget"]).unit == "seconds"
            assert typed(training(advice))[1] == recipe


def test_without_photos_it_is_projected_and_with_photos_monet() -> None:
    sides = [256] * 300
    assert choose_recipe(sides, False, CPU)[0] == Recipe.load("projected-64")
    assert choose_recipe(sides, True, CPU)[0].name == choose_recipe(sides, True, CUDA)[0].name == "monet"


def test_a_gpu_gets_as_large_a_recipe_as_the_pictures_allow() -> None:
    names = [choose_recipe([side] * 300, False, CUDA)[0].name for side in (100, 200, 256, 512, 2000)]
    assert names == [f"projected-{size}" for size in (64, 128, 256, 256, 256)]
    few_large = [100] * 30 + [2000] * 270
    assert choose_recipe(few_large, False, CUDA)[0].name == "projected-64"


def test_a_dcgan_learns_few_pictures_in_small_batches_and_very_few_varied() -> None:
    for count, settings in ((5_000, []), (300, [*FOR_SOME]), (60, [*FOR_SOME, *ADAPTIVE])):
        recipe, found = choose_recipe([256] * count, False, CPU, "dcgan-64")
        assert found == settings
        assert recipe == Recipe.load("dcgan-64").replace(settings)


def test_a_recipe_that_is_asked_for_is_taken() -> None:
    recipe, settings = choose_recipe([256] * 300, True, CPU, "cyclegan-resnet")
    assert recipe == Recipe.load("cyclegan-resnet") and not settings


def test_a_recipe_file_is_taken_as_it_is(tmp_path: Any) -> None:
    file = tmp_path / "my own.yaml"
    file.write_text(Recipe.load("dcgan-64").to_yaml(), encoding="utf-8")
    recipe, settings = choose_recipe([20] * 60, False, CPU, str(file))
    assert recipe == Recipe.load("dcgan-64") and not settings
    command = training(given(domain(squares(300)), named=str(file)))
    assert shlex.split(command)[2] == str(file)


def test_pictures_are_not_enlarged_to_learn_at_a_size_that_they_lack() -> None:
    assert choose_recipe([40] * 5_000, False, CPU)[1] == ["size=32"]
    assert choose_recipe([100] * 5_000, True, CPU)[1] == ["size=64"]
    assert choose_recipe([3] * 5_000, True, CPU)[1] == ["size=64"]  # the least of monet, which begins at half of it


@pytest.mark.parametrize(("side", "size"), [(255, 128), (256, 256), (500, 256), (512, 512), (9000, 1024), (1, 1)])
def test_no_size_is_advised_that_the_pictures_do_not_have(side: int, size: int) -> None:
    assert largest_size([side] * 300) == size


def test_pictures_of_256_pixels_do_for_256_and_no_more() -> None:
    advice = given(domain(squares(300)))
    size = about(advice, "would do for")
    assert size is not None and "would do for 256" in size.what
    assert not any("512" in each.what + each.why + each.command for each in advice)


def test_a_size_that_most_pictures_lack_is_told() -> None:
    recipe = Recipe.load("dcgan-256")
    size = about(recommend(domain(squares(300, 100)), None, None, {}, recipe), "Learn at 64")
    assert size is not None and "300 have to be enlarged" in size.why


def test_pictures_that_are_too_small_for_any_size_are_to_be_replaced() -> None:
    size = about(given(domain(squares(14, 1))), "Find larger paintings.")
    assert size is not None and "have 1 pixel (median)" in size.why and "14 have to be enlarged" in size.why


def packed(folder: Path, size: int, count: int = 300, role: Literal["paintings", "photos"] = "paintings") -> Domain:
    """What was found in a pack of pictures that were 256 pixels large, half of them framed."""
    folder.mkdir()
    (folder / "pixels.npy").touch()
    found = domain(squares(count), role, framed=framed(range(count // 2)))
    survey = found.inventory.model_copy(update={"source": str(folder), "size": size})
    return found.model_copy(update={"inventory": survey})


def test_what_is_advised_for_a_pack_is_not_refused(tmp_path: Path) -> None:
    paintings = packed(tmp_path / "pack", 64)
    assert short_sides(paintings) == [64] * 300
    recipe, settings = choose_recipe([64] * 300, True, CPU, packed=64)
    assert recipe.name == "monet" and recipe.stored_size <= 64
    advice = recommend(paintings, domain(squares(500), "photos"), None, {}, recipe, settings=settings)
    _, again, options = typed(training(advice))
    assert again.stored_size <= 64 and not options["crop_frames"]
    assert about(advice, "Pack the paintings again with --crop-frames.") is not None
    larger = about(advice, "Pack the paintings again with --size 256")
    assert larger is not None and "packed at 64" in larger.why
    assert about(advice, "Take the frames off") is None


def test_a_pack_that_is_large_enough_changes_no_recipe(tmp_path: Path) -> None:
    for named, size in (("monet", 256), ("dcgan-64", 64), ("dcgan-128", 128)):
        recipe, settings = choose_recipe([size] * 3_000, named == "monet", CPU, named, packed=size)
        assert recipe == Recipe.load(named) and not settings
        advice = recommend(packed(tmp_path / named, size, 3_000), None, None, {}, recipe, settings=settings)
        assert about(advice, "--size") is about(advice, "would do for") is None


def test_photos_of_too_small_a_pack_are_to_be_packed_again(tmp_path: Path) -> None:
    recipe, settings = choose_recipe([256] * 300, True, CPU, packed=128)
    photos = packed(tmp_path / "pack", 128, 500, "photos")
    advice = recommend(domain(squares(300)), photos, None, {}, recipe, settings=settings)
    assert about(advice, "Pack the photos again with --size 256") is not None
    assert typed(training(advice))[1].stored_size == 128


def test_frames_that_were_taken_off_are_taken_off_in_a_training_and_told_no_more() -> None:
    found = domain(squares(100, 400), framed=framed(range(65)))
    pictures = [each.model_copy(update={"frame": (40, 40, 360, 360)}) for each in found.inventory.pictures]
    survey = found.inventory.model_copy(update={"pictures": pictures})
    advice = given(found.model_copy(update={"inventory": survey}))
    assert not any("frames" in each.what for each in advice)
    assert typed(training(advice))[2]["crop_frames"]


def test_sets_that_are_alike_or_far_apart_are_told() -> None:
    pair = domain(squares(300)), domain(squares(500), "photos")
    assert about(given(*pair, kid(0.003)), "same kind") is not None
    far = about(given(*pair, kid(0.3, ["The photos are brighter."])), "what the paintings show")
    assert far is not None and "0.300, 1,000 v 300" in far.why and far.why.endswith("The photos are brighter.")
    usual = given(*pair, kid(0.058))
    assert about(usual, "same kind") is about(usual, "what the paintings show") is None


def test_many_photos_to_few_paintings_are_told_as_they_are() -> None:
    balance = about(given(domain(squares(300)), domain(squares(7_028), "photos")), "Use all photos")
    assert balance is not None and "7,028 photos" in balance.why and "23 times" in balance.why
    assert about(given(domain(squares(300)), domain(squares(20), "photos")), "Find more photos") is not None


def test_what_makes_few_pictures_last_is_of_the_recipe() -> None:
    vary = about(given(domain(squares(300)), named="dcgan-64"), "If the discriminator memorises")
    assert vary is not None and "mirrored and cut out at 80% to 100%" in vary.why and "30 are held out" in vary.why
    assert typed(vary.command)[1].diffaugment.target == 0.6
    assert (
        about(given(domain(squares(300)), domain(squares(500), "photos")), "Vary the pictures no further") is not None
    )
    assert about(given(domain(squares(60)), named="dcgan-64"), "Vary the pictures no further") is not None
    assert not any("augment" in each.what or "memorises" in each.what for each in given(domain(squares(3_000))))


def test_the_time_is_that_of_this_machine_and_the_budget_lasts_until_quality() -> None:
    advice = given(domain(squares(300)), named="dcgan-64")
    time = about(advice, "first look")
    assert time is not None and "about 9 minutes" in time.what and "about 45 minutes" in time.what
    assert "8,700" in time.why and "0.5 GB" in time.why and "8.0 GB" in time.why
    assert typed(training(advice))[2]["budget"] == "45m"
    twice = given(domain(squares(300)), named="dcgan-64", pace=SpeedEstimate(2 * 0.276, 16, 1))
    assert typed(training(twice))[2]["budget"] == "90m"


def test_what_takes_days_here_is_told_with_a_way_out() -> None:
    advice = given(
        domain(squares(300)), domain(squares(7_028), "photos"), pace=SpeedEstimate(6, 1, 1), named="cyclegan-resnet"
    )
    time = about(advice, "first look")
    assert time is not None and "weeks" in time.what and "monet" in time.what
    assert typed(training(advice))[2]["budget"] == "8h"


def test_nothing_is_told_of_a_time_that_nobody_measured() -> None:
    advice = given(domain(squares(300)), pace=None)
    assert about(advice, "first look") is None and typed(training(advice))[2]["budget"] == "30m"


def test_a_batch_that_does_not_fit_is_replaced_by_one_that_does() -> None:
    advice = given(domain(squares(300)), pace=SpeedEstimate(0.1, 6, 9 * GIGABYTE, 4 * GIGABYTE, 6))
    assert "batches of 6" in advice[0].what and "9.0 GB" in advice[0].why and "4.0 GB" in advice[0].why
    assert typed(training(advice))[1].batch == 6


def test_where_no_batch_fits_a_smaller_recipe_is_advised() -> None:
    advice = given(domain(squares(300)), pace=SpeedEstimate(math.inf, 16, 9 * GIGABYTE, GIGABYTE))
    assert "smaller" in advice[0].what
    assert about(advice, "first look") is None


def test_what_breaks_a_training_comes_first_then_the_training_then_what_may_help() -> None:
    sick = domain(
        [*squares(30, 400), (1, 1)], framed=framed(range(20)), inventory={"near_duplicates": [("0.jpg", "1.jpg")]}
    )
    advice = given(sick, pace=SpeedEstimate(0.1, 6, 9 * GIGABYTE, 4 * GIGABYTE, 6))
    order = ["batches of", "Find more", "--crop-frames", "too small", "nearly the same", "first look", "Train"]
    order += ["no further", "search for better"]
    places = [advice.index(found) for word in order if (found := about(advice, word)) is not None]
    assert len(places) == len(order)
    assert all(one < other for one, other in pairwise(places))
    assert places[-1] == len(advice) - 1


def test_every_piece_of_advice_gives_a_sentence_and_a_reason() -> None:
    photos = domain(squares(7_028), "photos", framed=framed(range(900)))
    for each in given(domain([*squares(290, 400), *[(100, 900)] * 10], framed=framed([3])), photos, kid(0.3)):
        assert each.what.endswith(".") and each.why.endswith(".")
        assert each.what[0].isupper() and each.why


def test_a_search_is_advised_where_its_trials_can_be_waited_for() -> None:
    search = about(given(domain(squares(300)), named="dcgan-64"), "search for better settings")
    assert search is not None and "about 5 hours" in search.why
    verb, recipe, options = typed(search.command)
    assert (verb, recipe.name, options["budget"]) == ("tune", "dcgan-64", "10m")
    assert (
        about(
            given(domain(squares(300)), named="dcgan-64", pace=SpeedEstimate(2.76, 16, 1)), "search for better settings"
        )
        is None
    )


def test_a_pace_that_was_measured_on_a_busy_machine_says_so() -> None:
    recipe, settings = choose_recipe([256] * 300, False, torch.device("cpu"))
    for busy, said in ((0.0, False), (0.9, True)):
        pace = SpeedEstimate(0.3, recipe.batch, 10**9, 8 * 10**9, busy=busy)
        told = recommend(domain(squares(300)), None, None, {recipe.name: pace}, recipe, settings=settings)
        (time,) = [each for each in told if each.what.startswith("Expect")]
        assert ("90% of the processors" in time.why) == said
