import copy
import functools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks import feature_decoder as module
from impasto.networks.feature_decoder import CODE_DIM, CONTENT_DIM, MAX_DEVIATION, MOOD_DIM, STRIDE, Generator
from impasto.networks.moods import PALETTE_DIM, moments, palette
from impasto.networks.pretrained.efficientnet import Stages
from impasto.training.ema import ModelEma


def fresh(width: int = 6, body: int = 8, blocks: int = 1, soften: int = 2) -> Generator:
    torch.manual_seed(0)
    return Generator(width, body, blocks, soften).eval()


def learned(width: int = 6, body: int = 8, blocks: int = 1, soften: int = 2) -> Generator:
    """With a stronger last layer and a code that is listened to, so that its painting is more than the softened
    photo."""
    network = fresh(width, body, blocks, soften)
    nn.init.normal_(network.paint.weight, 0, 0.02)
    for name, weight in network.named_parameters():
        if name.startswith("tone.") or ".film." in name:
            nn.init.normal_(weight, 0, 0.03)
    return network


@functools.cache
def small() -> Generator:
    return learned(4, 4)


def noiseless(network: Generator) -> Generator:
    for strength in network.grain:
        nn.init.zeros_(strength)
    return network


@pytest.fixture(scope="module")
def network() -> Iterator[Generator]:
    """One that has learned and knows the moods of five paintings; no test changes it."""
    made = learned()
    made.set_moods(made.statistics(known()))
    before = copy.deepcopy(made.state_dict())
    yield made
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def photos(count: int = 2, height: int = 64, width: int = 64, seed: int = 0) -> Tensor:
    """Soft shapes, other ones in every picture, with a little noise."""
    rng = torch.Generator().manual_seed(seed)
    coarse, fine = (torch.rand(count, 3, *size, generator=rng) * 2 - 1 for size in ((5, 5), (height, width)))
    return (0.8 * F.interpolate(coarse, (height, width), mode="bicubic") + 0.2 * fine).clamp(-1, 1)


def known() -> Tensor:
    """The paintings that the network of these tests was made on."""
    return photos(5, seed=7)


def coded(network: Generator, seed: int = 0, count: int = 1) -> Tensor:
    return torch.randn(count, CODE_DIM, generator=torch.Generator().manual_seed(seed))


def softened(photo: Tensor, soften: int) -> Tensor:
    """The mean of four pixels each, twice the mean of a window, and twice as large again: by shifts of the picture."""
    half = torch.stack([photo[..., down::2, right::2] for down in (0, 1) for right in (0, 1)]).mean(0)
    for _ in range(2):
        height, width = half.shape[-2:]
        padded = F.pad(half, (soften,) * 4, mode="replicate")
        window = [(down, right) for down in range(2 * soften + 1) for right in range(2 * soften + 1)]
        moved = [padded[..., down : down + height, right : right + width] for down, right in window]
        half = torch.stack(moved).mean(0)
    return F.interpolate(half, scale_factor=2.0, mode="bilinear", align_corners=False)


# Photos to paintings.


@settings(max_examples=25)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_a_photo_of_any_size_comes_back_painted(height: int, width: int) -> None:
    with torch.no_grad():
        painted = small()(torch.rand(2, 3, height, width) * 2 - 1)
    assert painted.shape == (2, 3, height, width) and painted.isfinite().all() and painted.abs().max() <= 1


@pytest.mark.parametrize("soften", [1, 3])
def test_at_the_start_it_paints_the_softened_photo_and_little_over_it(soften: int, paintings: Tensor) -> None:
    real, network, added = F.avg_pool2d(paintings[:2].permute(0, 3, 1, 2) / 127.5 - 1, 2), fresh(soften=soften), []
    network.paint.register_forward_hook(lambda *given: added.append(given[2]))
    with torch.no_grad():
        painted, base = network(real), 0.97 * softened(real, soften)
    torch.testing.assert_close(painted, torch.tanh(torch.atanh(base) + added[0]), atol=1e-5, rtol=1e-4)
    assert 0 < (painted - base).abs().mean() < 0.2
    assert torch.corrcoef(torch.stack([painted.flatten(), base.flatten()]))[0, 1] > 0.7


def test_fine_detail_of_the_photo_is_not_passed_on() -> None:
    """What is finer than four pixels is gone from what is painted over, also of the very white and black."""
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1).repeat(16, 16)
    network = fresh()
    nn.init.zeros_(network.paint.weight)
    with torch.no_grad():
        assert network(board.expand(1, 3, 64, 64))[..., 8:-8, 8:-8].abs().max() < 0.02


@pytest.mark.parametrize("colour", [-1.0, -0.4, 0.7])
def test_a_border_is_painted_like_the_rest(colour: float) -> None:
    """A picture of one colour stays one, up to its border: nothing tells where that is. Noise aside."""
    with torch.no_grad():
        painted = noiseless(learned())(torch.full((1, 3, 45, 70), colour))
    assert (painted.amax((2, 3)) - painted.amin((2, 3))).max() < 1e-4
    assert (painted[..., 20, 20] - 0.97 * colour).abs().max() > 1e-3  # not the photo itself


def test_the_same_photo_is_painted_the_same_and_in_training_never_again(network: Generator) -> None:
    photo = photos(1, 40, 50)
    with torch.no_grad():
        assert torch.equal(network(photo), network(photo))
        torch.testing.assert_close(network(photo.repeat(3, 1, 1, 1)), network(photo).expand(3, 3, 40, 50))
        training = copy.deepcopy(network).train()
        first, second = training(photo.repeat(2, 1, 1, 1))
        assert not torch.allclose(first, second, atol=1e-3)
        torch.manual_seed(3)
        drawn = training(photo)
        torch.manual_seed(3)
        assert torch.equal(training(photo), drawn) and not torch.equal(training(photo), drawn)


def test_in_a_flat_sky_there_are_strokes_at_each_of_three_scales() -> None:
    sky = torch.full((1, 3, 64, 64), 0.2)
    rough = []
    for level in range(3):
        network = noiseless(learned())
        nn.init.constant_(network.grain[level], 1.0)
        with torch.no_grad():
            painted = network(sky)
        assert painted.std((2, 3)).max() > 1e-2
        steps = (painted - painted.roll(1, 3)).std() / painted.std()  # √2 for white noise, less for coarser
        rough.append(steps.item())
    assert rough[0] > rough[1] > rough[2]


# The code and the moods that it is made of.


def test_in_another_mood_a_photo_is_painted_otherwise(network: Generator) -> None:
    photo, other = photos(1), photos(1, 96, 64, seed=9)
    with torch.no_grad():
        features = network.extract_features(photo)
        own, foreign = (
            network(photo, network.encode(features, network.measure_moods(each))) for each in (photo, other)
        )
        elsewhere = network(photo, network.encode(network.extract_features(other), network.measure_moods(photo)))
    assert (own - foreign).abs().mean() > 1e-2, "the mood counts"
    assert (own - elsewhere).abs().mean() > 1e-3, "and what the photo shows"


def test_at_the_start_the_code_changes_nothing_and_learns() -> None:
    """FiLM and tones begin as the identity."""
    network, photo = fresh(), photos(1)
    with torch.no_grad():
        one, other = (network(photo, coded(network, seed)) for seed in (0, 1))
    assert torch.equal(one, other)
    network(photo, coded(network)).square().sum().backward()
    heads = [weight for name, weight in network.named_parameters() if name.startswith("tone.") or ".film." in name]
    assert len(heads) == 12 and all(weight.grad is not None and weight.grad.any() for weight in heads)


def test_every_residual_block_listens_to_the_code() -> None:
    photo = photos(1)
    for name in ("at_16.0", "at_16.1", "at_8.0", "at_4.0", "at_2"):
        network = noiseless(fresh())
        nn.init.normal_(network.paint.weight, 0, 0.02)
        nn.init.normal_(network.get_submodule(f"{name}.film").weight, 0, 0.1)  # type: ignore[arg-type]
        with torch.no_grad():
            one, other = (network(photo, coded(network, seed)) for seed in (0, 1))
        assert (one - other).abs().max() > 1e-4, name


def test_a_residual_block_is_film_between_two_convolutions_written_out() -> None:
    """Equation 2 of FiLM, as a change of the identity: 1 + γ and β."""
    torch.manual_seed(0)
    block = module.Residual(5)
    nn.init.normal_(block.film.weight, 0, 0.2)
    nn.init.normal_(block.gain)
    hidden, code = torch.randn(2, 5, 6, 7), coded(fresh(), count=2)
    with torch.no_grad():
        gamma, beta = (code @ block.film.weight.T + block.film.bias)[:, :, None, None].split(5, 1)
        change = F.conv2d(F.pad(hidden, (1,) * 4, "replicate"), block.first.weight, block.first.bias)
        change = F.leaky_relu((1 + gamma) * change + beta, 0.2)
        change = F.conv2d(F.pad(change, (1,) * 4, "replicate"), block.second.weight, block.second.bias)
        torch.testing.assert_close(block(hidden, code), hidden + block.gain * change, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_tones_mix_the_colours_of_the_softened_photo_anew(count: int) -> None:
    """With nothing painted over it: a matrix beside the identity, and an offset, before the tanh."""
    network, photo, codes = learned(), photos(2), coded(fresh(), count=count)
    nn.init.zeros_(network.paint.weight)
    with torch.no_grad():
        found = network(photo, codes)
        tones = (codes @ network.tone.weight.T + network.tone.bias).expand(2, 12)
        matrices = torch.eye(3) + tones[:, :9].reshape(2, 3, 3)
        base = matrices @ torch.atanh(0.97 * softened(photo, 2)).flatten(2) + tones[:, 9:, None]
    torch.testing.assert_close(found, torch.tanh(base).view(2, 3, 64, 64), atol=1e-5, rtol=1e-4)
    assert (matrices - torch.eye(3)).abs().max() > 0.1 < tones[:, 9:].abs().max()


def test_one_code_for_all_photos_is_that_code_for_each(network: Generator) -> None:
    one = coded(network)
    with torch.no_grad():
        each = network(photos(), one.expand(2, CODE_DIM))
        torch.testing.assert_close(network(photos(), one), each, atol=1e-4, rtol=1e-4)
        different = network(photos(), coded(network, count=2))
        alone = torch.cat(
            [network(photo[None], code[None]) for photo, code in zip(photos(), coded(network, count=2), strict=True)]
        )
    torch.testing.assert_close(different, alone, atol=1e-5, rtol=1e-4)


def test_without_a_code_a_photo_is_painted_in_the_mood_of_the_painting_nearest_to_it(network: Generator) -> None:
    given = photos()
    with torch.no_grad():
        features = network.extract_features(given)
        numbers = network.nearest_moods(network.statistics(given, features))
        nearest = network.encode(features, network.training_moods(numbers))
        other = network.encode(features, network.training_moods((numbers + 1) % 5))
        assert torch.equal(network(given), network(given, nearest, features))
        assert not torch.allclose(network(given), network(given, other, features), atol=1e-3)


def test_features_that_are_given_are_those_that_are_painted_by(network: Generator) -> None:
    one, other, code = photos(1), photos(1, seed=5), coded(network)
    with torch.no_grad():
        assert torch.equal(network(one, code), network(one, code, network.extract_features(one)))
        own, others = network.extract_features(one), network.extract_features(other)
        for level in range(4):
            features = [*own[:level], others[level], *own[level + 1 :]]
            assert not torch.allclose(network(one, code), network(one, code, features), atol=1e-3), level


def test_the_code_is_made_of_the_means_of_the_coarsest_stage_and_of_the_mood(network: Generator) -> None:
    given, mood = photos(), torch.randn(2, MOOD_DIM)
    with torch.no_grad():
        content = Stages("lite1", replicate=True)(given)[3].mean((2, 3))
        assert content.shape == (2, CONTENT_DIM)
        expected = network.get_submodule("encoder")(torch.cat([content, mood], 1))
        torch.testing.assert_close(network.encode(network.extract_features(given), mood), expected)
    assert expected.shape == (2, CODE_DIM)


def test_the_statistics_of_a_picture_are_the_moments_of_its_features_and_its_palette(network: Generator) -> None:
    given = photos()
    with torch.no_grad():
        features = Stages("lite1", replicate=True)(given)
        expected = torch.cat([moments(features), palette(given)], 1)
        for found in (network.statistics(given), network.statistics(given, features)):
            torch.testing.assert_close(found, expected)
        assert torch.equal(
            network.statistics(given, network.extract_features(given.flip(0)))[:, :-9], expected.flip(0)[:, :-9]
        )
    assert expected.shape == (2, MOOD_DIM)


def test_moods_are_standardised_over_all_that_are_known_and_reach_no_further_than_they_may() -> None:
    network = fresh()
    every = 5 + 2 * torch.randn(40, MOOD_DIM, generator=torch.Generator().manual_seed(0))
    every[7, :3] += torch.tensor([100.0, -100.0, 0.0])
    network.set_moods(every)
    values = every.double().numpy()
    expected = (values - values.mean(0)) / (values.std(0, ddof=1) + 1e-3)
    assert abs(expected).max() > MAX_DEVIATION
    numbers = torch.tensor([7, 0, 39, 7])
    np.testing.assert_allclose(
        network.training_moods(numbers), expected[numbers].clip(-MAX_DEVIATION, MAX_DEVIATION), atol=1e-3
    )
    np.testing.assert_allclose(network.standardise(every), expected, atol=1e-3)
    assert network.training_moods(numbers)[0, :2].tolist() == [MAX_DEVIATION, -MAX_DEVIATION]
    assert network.standardise(every).abs().max() > MAX_DEVIATION


def test_the_mood_of_a_training_painting_is_the_one_that_is_kept_of_it(network: Generator) -> None:
    with torch.no_grad():
        found = network.measure_moods(known())
    torch.testing.assert_close(found, network.training_moods(torch.arange(5)), atol=1e-3, rtol=1e-3)
    assert found.std() > 0.5


def test_a_painting_is_nearest_to_itself(network: Generator) -> None:
    order = torch.tensor([3, 0, 4, 4, 1, 2])
    with torch.no_grad():
        assert torch.equal(network.nearest_moods(network.statistics(known()[order])), order)


def test_nearest_is_by_content_and_by_a_third_by_palette_with_every_number_counting_as_it_varies() -> None:
    """The means of the coarsest stage and the palette; other statistics, however far, do not count."""
    network, rng = fresh(), torch.Generator().manual_seed(0)
    moods, given = torch.randn(70, MOOD_DIM, generator=rng).split([50, 20])
    content = slice(MOOD_DIM - PALETTE_DIM - 2 * CONTENT_DIM, MOOD_DIM - PALETTE_DIM - CONTENT_DIM)
    for numbers in (moods, given):
        numbers[:, content.start] *= 1000  # would decide alone
    network.set_moods(moods)
    values, wanted = moods.double().numpy(), given.double().numpy()
    distances = ((wanted[:, None] - values) / (values.std(0, ddof=1) + 1e-3)) ** 2
    by_content, by_palette = distances[:, :, content].mean(2), distances[:, :, -PALETTE_DIM:].mean(2)
    nearest = (by_content + 0.3 * by_palette).argmin(1).tolist()
    assert nearest != by_content.argmin(1).tolist() and nearest != by_palette.argmin(1).tolist()
    assert network.nearest_moods(given).tolist() == nearest and len(set(nearest)) > 5
    given[:, : content.start] *= 1e3
    given[:, content.stop : -PALETTE_DIM] *= 1e3
    assert network.nearest_moods(given).tolist() == nearest


def test_moods_that_are_shared_out_among_photos_are_each_nearest_to_about_equally_many() -> None:
    network, rng = fresh(), torch.Generator().manual_seed(0)
    paintings, photos = torch.randn(12, MOOD_DIM, generator=rng), torch.randn(240, MOOD_DIM, generator=rng)
    photos[:, -PALETTE_DIM:] += 3 * paintings[4, -PALETTE_DIM:]  # of one painting's palette, nearly all
    network.set_moods(paintings)
    alone = network.nearest_moods(photos).bincount(minlength=12)
    assert alone.max() > 100 and alone.min() == 0 and not network.offsets.any()
    network.set_moods(paintings, photos)
    shared = network.nearest_moods(photos).bincount(minlength=12)
    assert shared.max() < 40 and shared.min() > 5
    network.set_moods(paintings)
    assert network.nearest_moods(photos).bincount(minlength=12).tolist() == alone.tolist()


def test_recipes_know_the_stride() -> None:
    assert Generator.stride == STRIDE


def test_without_moods_they_are_nothing() -> None:
    network, numbers = fresh(), torch.tensor([3, 1])
    assert torch.equal(network.training_moods(numbers), torch.zeros(2, MOOD_DIM))
    assert torch.equal(network.standardise(torch.ones(2, MOOD_DIM)), torch.zeros(2, MOOD_DIM))
    assert network.nearest_moods(torch.ones(2, MOOD_DIM)).tolist() == [0, 0]


# What is kept.


def test_moods_are_part_of_the_state_however_many_there_are(network: Generator) -> None:
    loaded = learned()
    assert len(loaded.moods) == 0
    for count in (5, 2):
        source = copy.deepcopy(network)
        source.set_moods(source.moods[:count], source.moods)
        loaded.load_state_dict(source.state_dict())
        assert torch.equal(loaded.moods, source.moods) and loaded.moods is not source.moods
        assert torch.equal(loaded.offsets, source.offsets) and loaded.offsets.any()
        with torch.no_grad():
            assert torch.equal(loaded(photos()), source(photos()))
    within = nn.Sequential(learned())
    within.load_state_dict({f"0.{name}": value for name, value in network.state_dict().items()})
    assert torch.equal(within[0].moods, network.moods)  # type: ignore[arg-type]


def test_a_style_from_before_moods_were_shared_out_has_no_offsets(network: Generator) -> None:
    loaded = learned()
    loaded.set_moods(torch.randn(3, MOOD_DIM), torch.randn(9, MOOD_DIM))
    state = network.state_dict()
    del state["offsets"]
    loaded.load_state_dict(state)
    assert loaded.offsets.shape == (5,) and not loaded.offsets.any()


def test_half_precision_of_a_style_file_loads_as_float32(network: Generator) -> None:
    loaded = learned()
    loaded.load_state_dict({name: value.half() for name, value in network.state_dict().items()})
    assert loaded.moods.dtype == torch.float32
    torch.testing.assert_close(loaded.moods, network.moods, atol=1e-3, rtol=1e-3)
    with torch.no_grad():
        assert (loaded(photos()) - network(photos())).abs().max() < 0.02


def test_the_moving_average_keeps_the_moods(network: Generator) -> None:
    learning = copy.deepcopy(network)
    ema = ModelEma(learning, 10, 1)
    with torch.no_grad():
        for weight in learning.parameters():
            weight.add_(1)
    for step in range(3):
        ema.update(learning, 2, 2 * step + 2)
    assert torch.equal(ema.network.get_buffer("moods"), network.moods)
    assert not torch.equal(ema.network.get_parameter("paint.bias"), network.get_parameter("paint.bias"))


def test_what_it_looks_through_is_no_part_of_what_learns_or_is_kept(network: Generator) -> None:
    eyes = list(network.backbone.parameters())
    assert len(eyes) > 100 and not any(weight.requires_grad for weight in eyes)
    assert not {id(weight) for weight in eyes} & {id(weight) for weight in network.parameters()}
    assert sum(value.numel() for value in fresh().state_dict().values()) < sum(weight.numel() for weight in eyes)
    given = photos(1).requires_grad_()
    changed = copy.deepcopy(network)
    changed(given).square().mean().backward()
    assert given.grad is not None and (given.grad != 0).float().mean() > 0.99
    assert all(weight.grad is None for weight in changed.backbone.parameters())


def test_what_it_looks_through_is_made_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A style may be opened for its card alone."""
    monkeypatch.setattr(module, "Stages", None)
    network = fresh()
    network.load_state_dict(learned().state_dict())
    with pytest.raises(TypeError):
        network(photos(1))


def test_it_moves_as_a_whole_and_a_copy_is_a_whole_one(network: Generator) -> None:
    copied = copy.deepcopy(network)
    with torch.no_grad():
        assert torch.equal(copied(photos()), network(photos()))
    assert copied.backbone is not network.backbone
    copied.to("meta")
    assert all(weight.is_meta for weight in [*copied.backbone.parameters(), copied.moods])
    assert not any(weight.is_meta for weight in network.backbone.parameters())


def test_channels_last_and_bf16_paint_the_same(network: Generator) -> None:
    pictures = F.avg_pool2d(photos(1, 192, 256), 2)
    with torch.no_grad():
        exact = network(pictures)
        other = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.testing.assert_close(other(pictures), exact, atol=1e-4, rtol=1e-3)
        with torch.autocast("cpu", torch.bfloat16):
            assert (network(pictures).float() - exact).abs().mean() < 0.02


# Tiles.


def test_far_parts_of_a_picture_do_not_change_each_other() -> None:
    """With a code that is known, a corner matters as far as the convolutions see, and no farther."""
    network, photo = learned(4, 4), photos(1, 32, 1536)
    other, code = photo.clone(), coded(fresh())
    other[..., :32] *= -1
    with torch.no_grad():
        changed = (network(photo, code) - network(other, code)).abs().amax((0, 1, 2))
    assert changed[:32].max() > 0.05 and changed[1280:].max() == 0


def test_a_moved_picture_is_painted_the_same_where_it_is_the_same() -> None:
    """By whole strides, far from the side that is cut off, noise aside: so it can be painted in tiles."""
    network, photo, code = noiseless(learned(4, 4)), photos(1, 32, 1536), coded(fresh())
    with torch.no_grad():
        whole, part = network(photo, code), network(photo[..., 64:], code)
    torch.testing.assert_close(whole[..., 1344:], part[..., 1280:], atol=1e-5, rtol=0)
    assert not torch.allclose(whole[..., 1344 + 16 :], part[..., 1280:-16], atol=1e-2)
