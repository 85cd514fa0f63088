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


def trained(width: int = 6, body: int = 8, blocks: int = 1, soften: int = 2) -> Generator:
    """With larger weights of last layer and modulation, so that the output is more than the blurred photo."""
    network = fresh(width, body, blocks, soften)
    nn.init.normal_(network.paint.weight, 0, 0.02)
    for name, weight in network.named_parameters():
        if name.startswith("tone.") or ".film." in name:
            nn.init.normal_(weight, 0, 0.03)
    return network


@functools.cache
def small() -> Generator:
    return trained(4, 4)


def without_noise(network: Generator) -> Generator:
    for strength in network.grain:
        nn.init.zeros_(strength)
    return network


@pytest.fixture(scope="module")
def network() -> Iterator[Generator]:
    """A network with the moods of five paintings, which no test changes."""
    made = trained()
    made.set_moods(made.statistics(paintings_of_moods()))
    before = copy.deepcopy(made.state_dict())
    yield made
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def photos(count: int = 2, height: int = 64, width: int = 64, seed: int = 0) -> Tensor:
    """Smooth random images with a little noise."""
    rng = torch.Generator().manual_seed(seed)
    coarse, fine = (torch.rand(count, 3, *size, generator=rng) * 2 - 1 for size in ((5, 5), (height, width)))
    return (0.8 * F.interpolate(coarse, (height, width), mode="bicubic") + 0.2 * fine).clamp(-1, 1)


def paintings_of_moods() -> Tensor:
    """The five paintings whose moods the network has."""
    return photos(5, seed=7)


def random_code(network: Generator, seed: int = 0, count: int = 1) -> Tensor:
    return torch.randn(count, CODE_DIM, generator=torch.Generator().manual_seed(seed))


def blurred(photo: Tensor, soften: int) -> Tensor:
    """2×2 mean, two box filters and bilinear upsampling, computed by shifts of the image."""
    half = torch.stack([photo[..., down::2, right::2] for down in (0, 1) for right in (0, 1)]).mean(0)
    for _ in range(2):
        height, width = half.shape[-2:]
        padded = F.pad(half, (soften,) * 4, mode="replicate")
        window = [(down, right) for down in range(2 * soften + 1) for right in range(2 * soften + 1)]
        moved = [padded[..., down : down + height, right : right + width] for down, right in window]
        half = torch.stack(moved).mean(0)
    return F.interpolate(half, scale_factor=2.0, mode="bilinear", align_corners=False)


# Forward pass.


@settings(max_examples=25)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_the_output_has_the_size_of_the_input(height: int, width: int) -> None:
    with torch.no_grad():
        painted = small()(torch.rand(2, 3, height, width) * 2 - 1)
    assert painted.shape == (2, 3, height, width) and painted.isfinite().all() and painted.abs().max() <= 1


@pytest.mark.parametrize("soften", [1, 3])
def test_the_initial_output_is_close_to_the_blurred_photo(soften: int, paintings: Tensor) -> None:
    real, network, added = F.avg_pool2d(paintings[:2].permute(0, 3, 1, 2) / 127.5 - 1, 2), fresh(soften=soften), []
    network.paint.register_forward_hook(lambda *given: added.append(given[2]))
    with torch.no_grad():
        painted, base = network(real), 0.97 * blurred(real, soften)
    torch.testing.assert_close(painted, torch.tanh(torch.atanh(base) + added[0]), atol=1e-5, rtol=1e-4)
    assert 0 < (painted - base).abs().mean() < 0.2
    assert torch.corrcoef(torch.stack([painted.flatten(), base.flatten()]))[0, 1] > 0.7


def test_fine_detail_of_the_photo_is_not_copied() -> None:
    """Detail finer than four pixels is removed from the blurred photo, also at pure white and black."""
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1).repeat(16, 16)
    network = fresh()
    nn.init.zeros_(network.paint.weight)
    with torch.no_grad():
        assert network(board.expand(1, 3, 64, 64))[..., 8:-8, 8:-8].abs().max() < 0.02


@pytest.mark.parametrize("colour", [-1.0, -0.4, 0.7])
def test_the_border_of_a_constant_image_looks_like_its_interior(colour: float) -> None:
    """Without noise the output is constant: no layer depends on where the border is."""
    with torch.no_grad():
        painted = without_noise(trained())(torch.full((1, 3, 45, 70), colour))
    assert (painted.amax((2, 3)) - painted.amin((2, 3))).max() < 1e-4
    assert (painted[..., 20, 20] - 0.97 * colour).abs().max() > 1e-3  # the network changes the photo


def test_outputs_are_deterministic_in_evaluation_mode_and_random_in_training_mode(network: Generator) -> None:
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


def test_noise_causes_texture_at_three_scales() -> None:
    sky = torch.full((1, 3, 64, 64), 0.2)
    rough = []
    for level in range(3):
        network = without_noise(trained())
        nn.init.constant_(network.grain[level], 1.0)
        with torch.no_grad():
            painted = network(sky)
        assert painted.std((2, 3)).max() > 1e-2
        steps = (painted - painted.roll(1, 3)).std() / painted.std()  # √2 for white noise, less for coarser
        rough.append(steps.item())
    assert rough[0] > rough[1] > rough[2]


# Global code and moods.


def test_the_output_depends_on_mood_and_content(network: Generator) -> None:
    photo, other = photos(1), photos(1, 96, 64, seed=9)
    with torch.no_grad():
        features = network.extract_features(photo)
        own, foreign = (
            network(photo, network.encode(features, network.measure_moods(each))) for each in (photo, other)
        )
        elsewhere = network(photo, network.encode(network.extract_features(other), network.measure_moods(photo)))
    assert (own - foreign).abs().mean() > 1e-2, "the mood matters"
    assert (own - elsewhere).abs().mean() > 1e-3, "the content matters"


def test_the_code_has_no_effect_at_initialisation_but_a_gradient() -> None:
    """FiLM and the colour matrix start as the identity."""
    network, photo = fresh(), photos(1)
    with torch.no_grad():
        one, other = (network(photo, random_code(network, seed)) for seed in (0, 1))
    assert torch.equal(one, other)
    network(photo, random_code(network)).square().sum().backward()
    heads = [weight for name, weight in network.named_parameters() if name.startswith("tone.") or ".film." in name]
    assert len(heads) == 12 and all(weight.grad is not None and weight.grad.any() for weight in heads)


def test_every_residual_block_is_modulated_by_the_code() -> None:
    photo = photos(1)
    for name in ("at_16.0", "at_16.1", "at_8.0", "at_4.0", "at_2"):
        network = without_noise(fresh())
        nn.init.normal_(network.paint.weight, 0, 0.02)
        nn.init.normal_(network.get_submodule(f"{name}.film").weight, 0, 0.1)  # type: ignore[arg-type]
        with torch.no_grad():
            one, other = (network(photo, random_code(network, seed)) for seed in (0, 1))
        assert (one - other).abs().max() > 1e-4, name


def test_a_residual_block_equals_film_between_two_convolutions() -> None:
    """FiLM, equation 2, with scale 1 + γ and shift β."""
    torch.manual_seed(0)
    block = module.Residual(5)
    nn.init.normal_(block.film.weight, 0, 0.2)
    nn.init.normal_(block.gain)
    hidden, code = torch.randn(2, 5, 6, 7), random_code(fresh(), count=2)
    with torch.no_grad():
        gamma, beta = (code @ block.film.weight.T + block.film.bias)[:, :, None, None].split(5, 1)
        change = F.conv2d(F.pad(hidden, (1,) * 4, "replicate"), block.first.weight, block.first.bias)
        change = F.leaky_relu((1 + gamma) * change + beta, 0.2)
        change = F.conv2d(F.pad(change, (1,) * 4, "replicate"), block.second.weight, block.second.bias)
        torch.testing.assert_close(block(hidden, code), hidden + block.gain * change, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_the_code_sets_a_colour_matrix_and_offset_of_the_blurred_photo(count: int) -> None:
    """Applied before the tanh; the last layer is zero here."""
    network, photo, codes = trained(), photos(2), random_code(fresh(), count=count)
    nn.init.zeros_(network.paint.weight)
    with torch.no_grad():
        found = network(photo, codes)
        tones = (codes @ network.tone.weight.T + network.tone.bias).expand(2, 12)
        matrices = torch.eye(3) + tones[:, :9].reshape(2, 3, 3)
        base = matrices @ torch.atanh(0.97 * blurred(photo, 2)).flatten(2) + tones[:, 9:, None]
    torch.testing.assert_close(found, torch.tanh(base).view(2, 3, 64, 64), atol=1e-5, rtol=1e-4)
    assert (matrices - torch.eye(3)).abs().max() > 0.1 < tones[:, 9:].abs().max()


def test_a_single_code_is_used_for_all_images(network: Generator) -> None:
    one = random_code(network)
    with torch.no_grad():
        each = network(photos(), one.expand(2, CODE_DIM))
        torch.testing.assert_close(network(photos(), one), each, atol=1e-4, rtol=1e-4)
        different = network(photos(), random_code(network, count=2))
        alone = torch.cat(
            [
                network(photo[None], code[None])
                for photo, code in zip(photos(), random_code(network, count=2), strict=True)
            ]
        )
    torch.testing.assert_close(different, alone, atol=1e-5, rtol=1e-4)


def test_the_default_code_is_that_of_the_nearest_mood(network: Generator) -> None:
    given = photos()
    with torch.no_grad():
        features = network.extract_features(given)
        numbers = network.nearest_moods(network.statistics(given, features))
        nearest = network.encode(features, network.training_moods(numbers))
        other = network.encode(features, network.training_moods((numbers + 1) % 5))
        assert torch.equal(network(given), network(given, nearest, features))
        assert not torch.allclose(network(given), network(given, other, features), atol=1e-3)


def test_given_features_are_used(network: Generator) -> None:
    one, other, code = photos(1), photos(1, seed=5), random_code(network)
    with torch.no_grad():
        assert torch.equal(network(one, code), network(one, code, network.extract_features(one)))
        own, others = network.extract_features(one), network.extract_features(other)
        for level in range(4):
            features = [*own[:level], others[level], *own[level + 1 :]]
            assert not torch.allclose(network(one, code), network(one, code, features), atol=1e-3), level


def test_the_code_is_computed_from_the_means_of_the_coarsest_stage_and_the_mood(network: Generator) -> None:
    given, mood = photos(), torch.randn(2, MOOD_DIM)
    with torch.no_grad():
        content = Stages("lite1", replicate=True)(given)[3].mean((2, 3))
        assert content.shape == (2, CONTENT_DIM)
        expected = network.get_submodule("encoder")(torch.cat([content, mood], 1))
        torch.testing.assert_close(network.encode(network.extract_features(given), mood), expected)
    assert expected.shape == (2, CODE_DIM)


def test_statistics_are_moments_of_features_and_the_palette(network: Generator) -> None:
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


def test_moods_are_standardised_over_all_moods_and_clamped() -> None:
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


def test_the_measured_mood_of_a_training_painting_equals_the_stored_one(network: Generator) -> None:
    with torch.no_grad():
        found = network.measure_moods(paintings_of_moods())
    torch.testing.assert_close(found, network.training_moods(torch.arange(5)), atol=1e-3, rtol=1e-3)
    assert found.std() > 0.5


def test_the_nearest_mood_of_a_training_painting_is_its_own(network: Generator) -> None:
    order = torch.tensor([3, 0, 4, 4, 1, 2])
    with torch.no_grad():
        assert torch.equal(network.nearest_moods(network.statistics(paintings_of_moods()[order])), order)


def test_the_distance_of_moods_is_that_of_standardised_content_plus_a_fraction_of_the_palettes() -> None:
    """Content is the means of the coarsest stage; other statistics have no effect."""
    network, rng = fresh(), torch.Generator().manual_seed(0)
    moods, given = torch.randn(70, MOOD_DIM, generator=rng).split([50, 20])
    content = slice(MOOD_DIM - PALETTE_DIM - 2 * CONTENT_DIM, MOOD_DIM - PALETTE_DIM - CONTENT_DIM)
    for numbers in (moods, given):
        numbers[:, content.start] *= 1000  # would dominate without standardisation
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


def test_balanced_moods_are_chosen_about_equally_often() -> None:
    network, rng = fresh(), torch.Generator().manual_seed(0)
    paintings, photos = torch.randn(12, MOOD_DIM, generator=rng), torch.randn(240, MOOD_DIM, generator=rng)
    photos[:, -PALETTE_DIM:] += 3 * paintings[4, -PALETTE_DIM:]  # almost all have the palette of one painting
    network.set_moods(paintings)
    alone = network.nearest_moods(photos).bincount(minlength=12)
    assert alone.max() > 100 and alone.min() == 0 and not network.offsets.any()
    network.set_moods(paintings, photos)
    shared = network.nearest_moods(photos).bincount(minlength=12)
    assert shared.max() < 40 and shared.min() > 5
    network.set_moods(paintings)
    assert network.nearest_moods(photos).bincount(minlength=12).tolist() == alone.tolist()


def test_the_class_has_the_stride_for_recipes() -> None:
    assert Generator.stride == STRIDE


def test_without_stored_moods_all_moods_are_zero() -> None:
    network, numbers = fresh(), torch.tensor([3, 1])
    assert torch.equal(network.training_moods(numbers), torch.zeros(2, MOOD_DIM))
    assert torch.equal(network.standardise(torch.ones(2, MOOD_DIM)), torch.zeros(2, MOOD_DIM))
    assert network.nearest_moods(torch.ones(2, MOOD_DIM)).tolist() == [0, 0]


# State.


def test_any_number_of_moods_loads_from_a_state_dict(network: Generator) -> None:
    loaded = trained()
    assert len(loaded.moods) == 0
    for count in (5, 2):
        source = copy.deepcopy(network)
        source.set_moods(source.moods[:count], source.moods)
        loaded.load_state_dict(source.state_dict())
        assert torch.equal(loaded.moods, source.moods) and loaded.moods is not source.moods
        assert torch.equal(loaded.offsets, source.offsets) and loaded.offsets.any()
        with torch.no_grad():
            assert torch.equal(loaded(photos()), source(photos()))
    within = nn.Sequential(trained())
    within.load_state_dict({f"0.{name}": value for name, value in network.state_dict().items()})
    assert torch.equal(within[0].moods, network.moods)  # type: ignore[arg-type]


def test_styles_without_offsets_load_with_zero_offsets(network: Generator) -> None:
    loaded = trained()
    loaded.set_moods(torch.randn(3, MOOD_DIM), torch.randn(9, MOOD_DIM))
    state = network.state_dict()
    del state["offsets"]
    loaded.load_state_dict(state)
    assert loaded.offsets.shape == (5,) and not loaded.offsets.any()


def test_half_precision_weights_load_as_float32(network: Generator) -> None:
    loaded = trained()
    loaded.load_state_dict({name: value.half() for name, value in network.state_dict().items()})
    assert loaded.moods.dtype == torch.float32
    torch.testing.assert_close(loaded.moods, network.moods, atol=1e-3, rtol=1e-3)
    with torch.no_grad():
        assert (loaded(photos()) - network(photos())).abs().max() < 0.02


def test_the_moving_average_has_the_same_moods(network: Generator) -> None:
    training = copy.deepcopy(network)
    ema = ModelEma(training, 10, 1)
    with torch.no_grad():
        for weight in training.parameters():
            weight.add_(1)
    for step in range(3):
        ema.update(training, 2, 2 * step + 2)
    assert torch.equal(ema.network.get_buffer("moods"), network.moods)
    assert not torch.equal(ema.network.get_parameter("paint.bias"), network.get_parameter("paint.bias"))


def test_the_backbone_is_not_trained_and_not_part_of_the_state(network: Generator) -> None:
    backbone = list(network.backbone.parameters())
    assert len(backbone) > 100 and not any(weight.requires_grad for weight in backbone)
    assert not {id(weight) for weight in backbone} & {id(weight) for weight in network.parameters()}
    assert sum(value.numel() for value in fresh().state_dict().values()) < sum(weight.numel() for weight in backbone)
    given = photos(1).requires_grad_()
    changed = copy.deepcopy(network)
    changed(given).square().mean().backward()
    assert given.grad is not None and (given.grad != 0).float().mean() > 0.99
    assert all(weight.grad is None for weight in changed.backbone.parameters())


def test_the_backbone_is_created_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A style can be opened for its card alone."""
    monkeypatch.setattr(module, "Stages", None)
    network = fresh()
    network.load_state_dict(trained().state_dict())
    with pytest.raises(TypeError):
        network(photos(1))


def test_the_backbone_is_moved_and_copied_with_the_network(network: Generator) -> None:
    copied = copy.deepcopy(network)
    with torch.no_grad():
        assert torch.equal(copied(photos()), network(photos()))
    assert copied.backbone is not network.backbone
    copied.to("meta")
    assert all(weight.is_meta for weight in [*copied.backbone.parameters(), copied.moods])
    assert not any(weight.is_meta for weight in network.backbone.parameters())


def test_channels_last_and_bf16_give_about_the_same_output(network: Generator) -> None:
    pictures = F.avg_pool2d(photos(1, 192, 256), 2)
    with torch.no_grad():
        exact = network(pictures)
        other = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.testing.assert_close(other(pictures), exact, atol=1e-4, rtol=1e-3)
        with torch.autocast("cpu", torch.bfloat16):
            assert (network(pictures).float() - exact).abs().mean() < 0.02


# Tiled inference.


def test_the_receptive_field_is_bounded_for_a_given_code() -> None:
    """There is no normalisation over positions, so a change in a corner has no effect far away."""
    network, photo = trained(4, 4), photos(1, 32, 1536)
    other, code = photo.clone(), random_code(fresh())
    other[..., :32] *= -1
    with torch.no_grad():
        changed = (network(photo, code) - network(other, code)).abs().amax((0, 1, 2))
    assert changed[:32].max() > 0.05 and changed[1280:].max() == 0


def test_the_network_commutes_with_shifts_by_its_stride() -> None:
    """Away from the borders and without noise, so that images can be translated in tiles."""
    network, photo, code = without_noise(trained(4, 4)), photos(1, 32, 1536), random_code(fresh())
    with torch.no_grad():
        whole, part = network(photo, code), network(photo[..., 64:], code)
    torch.testing.assert_close(whole[..., 1344:], part[..., 1280:], atol=1e-5, rtol=0)
    assert not torch.allclose(whole[..., 1344 + 16 :], part[..., 1280:-16], atol=1e-2)
