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
def test_growth_increases_from_the_first_to_the_last_size(points: list[float], fade: float) -> None:
    scheduled = recipe(f"fade={fade}")
    growths = [scheduled.growth(point) for point in sorted(points)]
    assert growths == sorted(growths) and growths[0] >= 0 and growths[-1] <= 2
    assert scheduled.growth(0) == 0 and scheduled.growth(1) == 2


def test_each_size_has_a_third_of_the_training_with_a_fade_in_of_half_of_that() -> None:
    scheduled = recipe()
    assert scheduled.speed_changes == pytest.approx((1 / 3, 2 / 3))
    assert [scheduled.growth(p / 12) for p in (0, 2, 3.99, 5, 6, 7.99, 9, 10, 12)] == pytest.approx(
        [0, 0, 0, 0.5, 1, 1, 1.5, 2, 2]
    )
    assert [recipe("fade=0").growth(p) for p in (0.3, 0.4, 0.6, 0.7, 1.0)] == [0, 1, 1, 2, 2]
    assert recipe("doublings=1").speed_changes == (0.5,)


def test_a_first_size_below_8_is_refused() -> None:
    assert recipe("size=32").generator_kwargs()["start"] == recipe("size=32").discriminator_kwargs()["start"] == 8
    with pytest.raises(ImpastoError, match="doublings = 3: the first size would be below 8"):
        recipe("size=32", "doublings=3")


def test_both_networks_are_trained_at_the_scheduled_size() -> None:
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


def test_samples_have_the_full_size_from_the_start() -> None:
    method = build("progressive")
    method.step(at(0.0))
    samples = method.sample(method.style().eval(), noise(3, 6))
    assert samples.shape[-1] == tiny("progressive").size
