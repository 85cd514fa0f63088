import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fixtures.tiny import CPU, assert_parameters_close, batch, build, build_class, image_loader, noise, tiny, unwrap
from impasto.config.recipe import Recipe
from impasto.data.augment import to_pixels
from impasto.data.diffaugment import DiffAugment
from impasto.data.loader import Batch, Batches, Loader
from impasto.device import choose_precision, open_fabric
from impasto.errors import ImpastoError
from impasto.methods import fsesim as module
from impasto.methods.fsesim import MAX_DEVIATION, Fsesim, FsesimRecipe, random_shift
from impasto.networks.feature_decoder import Generator
from impasto.networks.moods import PALETTE_DIM


def modulated(*settings: str) -> Fsesim:
    """A method whose generator depends on its code and adds to the blurred photo."""
    method = build_class(Fsesim, open_fabric(CPU, "32-true"), *settings)
    with torch.no_grad():
        for name, weight in method.generator.module.named_parameters():
            if name.startswith("tone.") or ".film." in name:
                nn.init.normal_(weight, 0, 0.03)
            if name == "paint.weight":
                nn.init.normal_(weight, 0, 0.01)
    return method


def rows(maps: Tensor, places: Tensor) -> Tensor:
    """Equation 1 of FSeSim on centred features: cosines of places (P,) with all of (B, C, H, W), (B, P, H·W)."""
    flat = maps.flatten(2) - maps.mean((2, 3))[:, :, None]
    flat = flat / flat.norm(dim=1, keepdim=True)
    return torch.einsum("bcp,bcn->bpn", flat[:, :, places], flat)


def shifted(photo: Tensor, down: int, right: int) -> Tensor:
    """Shift images by whole pixels with reflection at the borders."""
    height, width = photo.shape[2:]
    rows = [abs((height - 1) - abs((height - 1) - (row + down))) for row in range(height)]
    columns = [abs((width - 1) - abs((width - 1) - (column + right))) for column in range(width)]
    return photo[:, :, rows][..., columns]


def assert_same_update(network: nn.Module, expected: nn.Module, adam: torch.optim.Adam) -> None:
    """Assert that a network has the gradients of the reference, then update the reference by the same gradients and
    copy the weights: Adam amplifies rounding errors of gradients near 0, and rounding may switch a ReLU."""
    wanted = dict(expected.named_parameters())
    for name, weight in network.named_parameters():
        theirs = wanted[name.removeprefix("_forward_module.")]
        if weight.grad is None or theirs.grad is None:
            assert weight.grad is None and theirs.grad is None, name
            continue
        atol = 1e-5 + 1e-3 * theirs.grad.abs().max().item()
        assert torch.allclose(weight.grad, theirs.grad, atol=atol, rtol=1e-3), name
        theirs.grad = weight.grad.clone()
    adam.step()
    assert_parameters_close(network, expected, atol=1e-7, rtol=1e-6)
    with torch.no_grad():
        for weight, theirs in zip(network.parameters(), expected.parameters(), strict=True):
            theirs.copy_(weight)


@pytest.mark.parametrize("small", [False, True])
def test_a_step_equals_a_second_implementation(small: bool) -> None:
    """The discriminator with the hinge loss; then the generator with the adversarial, structure (equation 3), mood and
    palette losses, for the nearest mood or a random one. The first part of the training has half the size and no mood
    loss."""
    weights = ("structure.weight=2", "mood.features=3", "mood.palette=0.5", "discriminator.lr=3e-4", "size=64")
    ours = modulated(*weights, "half=0.5")
    g, d = unwrap(ours.generator), unwrap(ours.discriminator_step.discriminator)
    assert isinstance(g, Generator)
    adam_g = torch.optim.Adam(g.parameters(), 5e-4, (0.0, 0.99))
    adam_d = torch.optim.Adam(d.parameters(), 3e-4, (0.0, 0.99))
    augment = DiffAugment(color=0, translation=0.125, scale=0.2, cutout=0, probability=1, target=None)
    known = g.moods
    deviation = known.std(0) + 1e-3
    random_moods: list[bool] = []

    for step in range(3):
        given = batch(step, size=64, progress=0.3 if small else 0.5)
        torch.manual_seed(step)
        losses = ours.step(given)

        torch.manual_seed(step)
        rng = torch.Generator().manual_seed(step)
        x, y = given.photos, given.paintings
        if small:
            x, y = (F.avg_pool2d(each, 2) for each in (x, y))
        with torch.no_grad():
            seen = [each.contiguous(memory_format=ours.layout) for each in g.extract_features(x)]
            measured = (g.statistics(x, seen) - known.mean(0)) / deviation
            distances = (measured[:, None] - (known - known.mean(0)) / deviation) ** 2
            content = distances[:, :, -PALETTE_DIM - 640 : -PALETTE_DIM - 320].mean(2)
            nearest = (content + 0.3 * distances[:, :, -PALETTE_DIM:].mean(2)).argmin(1).tolist()
            drawn, chance = torch.randint(5, (2,), generator=rng), torch.rand(2, generator=rng)
            chosen = [nearest[k] if chance[k] < 0.5 else int(drawn[k]) for k in range(2)]
            random_moods += (chance >= 0.5).tolist()
            mood = ((known[chosen] - known.mean(0)) / deviation).clamp(-4, 4)
        fake = g(x, g.encode(seen, mood), seen)

        def logits_of(pictures: Tensor, augmented: Tensor, rng: torch.Generator = rng) -> Tensor:
            logits: Tensor = d(augmented, pictures)
            return logits

        adam_d.zero_grad()
        seen_y, seen_fake = augment(y, rng), augment(fake.detach(), rng)
        loss_d = F.relu(1 - logits_of(y, seen_y)).mean() + F.relu(1 + logits_of(fake.detach(), seen_fake)).mean()
        loss_d.backward()
        assert_same_update(ours.discriminator_step.discriminator, d, adam_d)

        down, right = (int(torch.randint(33, (1,), generator=rng)) - 16 for _ in range(2))
        with torch.no_grad():
            of_photo = g.extract_features(shifted(x, down, right))
        of_fake = g.extract_features(shifted(fake, down, right))
        away = ((g.statistics(fake, of_fake) - known.mean(0)) / deviation - mood).abs().clamp(max=MAX_DEVIATION)
        adversarial = -logits_of(fake, augment(fake, rng)).mean()
        structure = []
        for stage in (1, 2):
            one, other = of_photo[stage], of_fake[stage]
            places = torch.randperm(one[0, 0].numel(), generator=rng)[:9]
            a, b = rows(one, places), rows(other, places)
            structure.append((1 - (a * b).sum(2) / (a.norm(dim=2) * b.norm(dim=2))).mean())
        parts = {
            "loss_adversarial": adversarial,
            "loss_structure": (structure[0] + structure[1]) / 2,
            "loss_mood": away[:, :-PALETTE_DIM].mean(),
            "loss_palette": away[:, -PALETTE_DIM:].mean(),
        }
        loss_g = adversarial + 2 * parts["loss_structure"] + 0.5 * parts["loss_palette"]
        if not small:
            loss_g = loss_g + 3 * parts["loss_mood"]
        adam_g.zero_grad()
        d.requires_grad_(False)
        loss_g.backward()
        d.requires_grad_(True)
        assert_same_update(ours.generator, g, adam_g)
        for name, part in {**parts, "loss_generator": loss_g, "loss_discriminator": loss_d}.items():
            torch.testing.assert_close(losses[name], part.detach(), atol=1e-5, rtol=1e-4)
    assert set(random_moods) == {True, False}


def test_the_first_part_of_the_training_has_half_the_size() -> None:
    sizes: list[int] = []
    method = modulated("size=64", "half=0.4")
    method.discriminator_step.discriminator.register_forward_pre_hook(lambda _, seen: sizes.append(seen[0].shape[-1]))
    for progress in (0.0, 0.39, 0.4, 0.9):
        method.step(batch(size=64, progress=progress))
    assert sizes == [32] * 6 + [64] * 6
    sizes.clear()
    whole = modulated("half=0")
    whole.discriminator_step.discriminator.register_forward_pre_hook(lambda _, seen: sizes.append(seen[0].shape[-1]))
    whole.step(batch(size=32))
    assert sizes == [32] * 3


def recipe(*settings: str) -> FsesimRecipe:
    found = tiny("fsesim", *settings)
    assert isinstance(found, FsesimRecipe)
    return found


def test_the_recipe_states_when_the_time_of_a_step_changes() -> None:
    assert recipe("half=0").speed_changes == () and recipe("size=64", "half=0.4").speed_changes == (0.4,)
    assert recipe("half=0").peak_memory_at == recipe("size=64", "half=0.4").peak_memory_at == 1.0


@pytest.fixture
def five() -> Iterator[Loader]:
    yield image_loader(tiny("fsesim"), 32)


def test_moods_of_all_paintings_are_measured_in_order(five: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks."""
    monkeypatch.setattr(module, "BLOCK", 2)
    method = build("fsesim")
    generator = method.style()
    assert isinstance(generator, Generator)
    generator.set_moods(torch.zeros(3, generator.moods.shape[1]))
    method.prepare([method.style()], Batches(five, five))
    with torch.no_grad():
        expected = torch.cat([generator.statistics(five.load(np.array([place]))) for place in range(5)])
    torch.testing.assert_close(generator.moods, expected, atol=1e-4, rtol=1e-4)
    assert not generator.moods.requires_grad and (expected[0] - expected[1]).abs().max() > 0.1


def test_the_number_of_moods_is_limited_to_evenly_spaced_paintings(
    five: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_MOODS", 3)
    method = build("fsesim")
    generator = method.style()
    assert isinstance(generator, Generator) and len(generator.moods) == 3
    with torch.no_grad():
        expected = generator.statistics(five.load(np.array([0, 2, 4])))
    torch.testing.assert_close(generator.moods, expected, atol=1e-4, rtol=1e-4)


def test_the_choice_of_moods_is_balanced_over_the_photos(five: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    method = build("fsesim")
    generator = method.style()
    assert isinstance(generator, Generator)
    pixels = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    photos = Loader(pixels, np.arange(7), 32, 2, tiny("fsesim").augment, 0, CPU)
    method.prepare([method.style()], Batches(five, photos))
    assert not generator.offsets.any()  # too few photos
    monkeypatch.setattr(module, "MIN_PHOTOS", 7)
    method.prepare([method.style()], Batches(five, photos))
    with torch.no_grad():
        paintings, measured = (generator.statistics(each.load_evenly(9)) for each in (five, photos))
        other = copy.deepcopy(generator)
        other.set_moods(paintings, measured)
    torch.testing.assert_close(generator.offsets, other.offsets, atol=1e-3, rtol=1e-3)
    assert generator.offsets.std() > 0.01
    method.prepare([generator, other], Batches(photos, photos))
    assert torch.equal(other.offsets, generator.offsets) and torch.equal(other.moods, generator.moods)


def test_a_single_training_painting_is_refused() -> None:
    method = build("fsesim")
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    single = Loader(pixels, np.arange(1), 32, 2, tiny("fsesim").augment, 0, CPU)
    with pytest.raises(ImpastoError, match="2 training paintings"):
        method.prepare([method.style()], Batches(single, single))


@pytest.mark.parametrize("progress", [0.2, 0.5])
def test_heldout_evaluation_has_the_size_of_the_training(progress: float) -> None:
    method = build_class(Fsesim, open_fabric(CPU, "32-true"), "size=64", "half=0.3")
    given, whole = batch(0, size=64, progress=progress), method.discriminator_step.heldout_accuracy
    sizes: list[torch.Size] = []

    def recorded(images: Tensor, rng: torch.Generator) -> Tensor:
        sizes.append(images.shape)
        return whole(images, rng)

    method.discriminator_step.heldout_accuracy = recorded  # type: ignore[method-assign]
    scores = method.evaluate_heldout(replace(given, photos=given.photos[:0]))
    side = 32 if progress < 0.3 else 64
    assert sizes == [(2, 3, side, side)] and 0 <= scores["accuracy_heldout"] <= 1


def test_preparation_changes_neither_random_state_nor_weights(five: Loader) -> None:
    method = build("fsesim")
    before, random = [weight.clone() for weight in method.style().parameters()], torch.get_rng_state()
    method.prepare([method.style()], Batches(five, five))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(one, two) for one, two in zip(before, method.style().parameters(), strict=True))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_given_fraction_of_photos_gets_the_nearest_mood(share: float) -> None:
    """The others get a uniformly random one."""
    method = modulated(f"mood.nearest={share}")
    photo, features = noise(1, 3, 32, 32).expand(400, 3, 32, 32), method.generator.extract_features(noise(1, 3, 32, 32))
    seen = [each.expand(400, -1, -1, -1) for each in features]
    (nearest,) = set(method.generator.nearest_moods(method.generator.statistics(photo, seen)).tolist())
    chosen = method._choose_moods(photo, seen, torch.Generator().manual_seed(0)).tolist()
    counts = [chosen.count(number) for number in range(5)]
    assert sum(counts) == 400
    for number, count in enumerate(counts):
        expected = (1 - share) / 5 + (share if number == nearest else 0)
        assert count / 400 == pytest.approx(expected, abs=3 * (expected * (1 - expected) / 400) ** 0.5 + 1e-9)
    again = method._choose_moods(photo, seen, torch.Generator().manual_seed(0)).tolist()
    assert again == chosen


def soft(count: int, size: int, seed: int) -> Tensor:
    """Smooth random images with different mean colours."""
    rng = torch.Generator().manual_seed(seed)
    shapes, colour = torch.rand(count, 3, 4, 4, generator=rng) * 2 - 1, torch.rand(count, 3, 1, 1, generator=rng) - 0.5
    return (0.6 * F.interpolate(shapes, (size, size), mode="bicubic") + colour).clamp(-1, 1)


def first_and_last_loss(method: Fsesim, size: int, part: str) -> tuple[float, float]:
    """Return a loss in the first and in the last steps of training on a fixed batch."""
    pixels = to_pixels(soft(5, size, 1)).numpy()
    paintings = Loader(pixels, np.arange(5), size, 2, tiny("fsesim").augment, 0, CPU)
    method.prepare([method.style()], Batches(paintings, paintings))
    losses = []
    for step in range(24):
        rng = torch.Generator().manual_seed(step)
        losses.append(method.step(Batch(soft(2, size, 2), soft(2, size, 3), rng, step))[part].item())
    return sum(losses[:4]) / 4, sum(losses[-4:]) / 4


@pytest.mark.long
def test_the_structure_loss_decreases() -> None:
    method = modulated("size=64", "structure.weight=30", "mood.features=0", "mood.palette=0", "generator.lr=1e-3")
    nn.init.normal_(method.generator.module.get_parameter("paint.weight"), 0, 0.05)
    first, last = first_and_last_loss(method, 64, "loss_structure")
    assert last < 0.7 * first


@pytest.mark.long
def test_the_palette_loss_decreases() -> None:
    weights = ("structure.weight=1e-3", "mood.features=0", "mood.palette=20", "mood.nearest=1", "generator.lr=1e-3")
    first, last = first_and_last_loss(modulated(*weights), 32, "loss_palette")
    assert last < 0.7 * first


@pytest.mark.long
def test_each_loss_has_an_effect_only_by_its_weight() -> None:
    def after(*settings: str) -> Tensor:
        method = modulated(*settings)
        method.step(batch(size=32))
        return torch.cat([weight.detach().flatten() for weight in method.style().parameters()])

    bare = after("mood.features=0", "mood.palette=0")
    assert torch.equal(bare, after("mood.features=0", "mood.palette=0"))
    assert not torch.equal(bare, after("mood.features=1", "mood.palette=0"))
    assert not torch.equal(bare, after("mood.features=0", "mood.palette=1"))
    assert not torch.equal(bare, after("mood.features=0", "mood.palette=0", "structure.weight=5"))


def test_training_works_without_moods() -> None:
    torch.manual_seed(0)
    method = Fsesim(recipe(), open_fabric(CPU, "32-true"))
    losses = method.step(batch(size=32))
    assert all(value.isfinite() for value in losses.values())
    assert losses["loss_mood"] == losses["loss_palette"] == 0


def test_the_generator_is_contiguous_on_a_cpu_without_bf16() -> None:
    method = build("fsesim")
    assert isinstance(method, Fsesim)
    contiguous = choose_precision("auto", CPU) == "32-true"
    assert method.layout == (torch.contiguous_format if contiguous else torch.channels_last)
    weight = method.generator.module.get_parameter("at_2.first.weight")
    assert weight.is_contiguous(memory_format=method.layout)


@given(st.integers(17, 40), st.integers(17, 40), st.integers(0, 999))
def test_images_are_shifted_together_with_reflection_at_the_borders(height: int, width: int, seed: int) -> None:
    given = noise(2, 3, 3, height, width, seed=seed)
    found = random_shift(given, 16, torch.Generator().manual_seed(seed))
    rng = torch.Generator().manual_seed(seed)
    down, right = (int(torch.randint(33, (1,), generator=rng)) - 16 for _ in range(2))
    assert torch.equal(found, torch.stack([shifted(each, down, right) for each in given]))


def test_shifts_are_uniform_up_to_the_maximum() -> None:
    rows = torch.arange(100.0).view(1, 1, 1, 100, 1).expand(1, 1, 3, 100, 50)
    rng = torch.Generator().manual_seed(0)
    firsts = [int(random_shift(rows, 3, rng)[0, 0, 0, 50, 0]) - 50 for _ in range(100)]
    assert set(firsts) == set(range(-3, 4))


def test_gradients_pass_through_a_shift() -> None:
    given = noise(1, 1, 3, 20, 20).requires_grad_()
    random_shift(given, 4, torch.Generator()).square().sum().backward()
    assert given.grad is not None and (given.grad != 0).float().mean() > 0.5


def test_the_recipe_monet_is_of_this_method() -> None:
    assert isinstance(Recipe.load("monet"), FsesimRecipe)
