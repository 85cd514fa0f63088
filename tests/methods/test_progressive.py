import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.tiny import batch, build, noise, tiny
from impasto.config.recipe import Recipe
from impasto.data.loader import Batch
from impasto.errors import ImpastoError
from impasto.methods.progressive import Progressive, ProgressiveRecipe


def recipe(*settings: str) -> ProgressiveRecipe:
    found = Recipe.load("dcgan-progressive").replace(settings)
    assert isinstance(found, ProgressiveRecipe)
    return found


def at(progress: float) -> Batch:
    one = batch()
    return Batch(one.paintings, one.photos, one.rng, 0, progress)


@given(points=st.lists(st.floats(0, 1), min_size=2, max_size=20), fade=st.floats(0.01, 1))
def test_it_only_grows_begins_with_the_first_size_and_ends_with_the_last(points: list[float], fade: float) -> None:
    growing = recipe(f"fade={fade}")
    growths = [growing.growth(point) for point in sorted(points)]
    assert growths == sorted(growths) and growths[0] >= 0 and growths[-1] <= 2
    assert growing.growth(0) == 0 and growing.growth(1) == 2


def test_each_size_has_a_third_of_the_training_and_the_new_ones_fade_in_during_half_of_that() -> None:
    growing = recipe()
    assert growing.speed_changes == pytest.approx((1 / 3, 2 / 3))
    assert [growing.growth(p / 12) for p in (0, 2, 3.99, 5, 6, 7.99, 9, 10, 12)] == pytest.approx(
        [0, 0, 0, 0.5, 1, 1, 1.5, 2, 2]
    )
    assert [recipe("fade=0").growth(p) for p in (0.3, 0.4, 0.6, 0.7, 1.0)] == [0, 1, 1, 2, 2]
    assert recipe("doublings=1").speed_changes == (0.5,)


def test_no_size_is_too_small_for_a_dcgan() -> None:
    assert recipe("size=32").generator_kwargs()["start"] == recipe("size=32").discriminator_kwargs()["start"] == 8
    with pytest.raises(ImpastoError, match="doublings = 3: the first size would be below 8"):
        recipe("size=32", "doublings=3")


def test_both_networks_learn_from_pictures_of_the_size_that_it_is_at() -> None:
    method = build("progressive")
    assert isinstance(method, Progressive)
    seen: list[tuple[int, ...]] = []
    for network in (method.generator.module, method.discriminator_step.discriminator.module):
        network.register_forward_hook(
            lambda network, given, out: seen.append(tuple(given[0].shape[2:] or out.shape[2:]))
        )
    for progress, side in ((0.0, 8), (0.49, 8), (0.6, 16), (1.0, 16)):
        seen.clear()
        method.step(at(progress))
        method.evaluate_heldout(at(progress))
        assert set(seen) == {(side, side)} and len(seen) >= 4, progress


def test_what_is_painted_is_as_large_as_the_recipe_says_from_the_beginning() -> None:
    method = build("progressive")
    method.step(at(0.0))
    painted = method.sample(method.style().eval(), noise(3, 6))
    assert painted.shape[-1] == tiny("progressive").size
