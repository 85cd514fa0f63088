import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks.pretrained.efficientnet import Stages
from impasto.networks.projected import Discriminator, Projection, _random_crop


@pytest.fixture(scope="module")
def discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(16, 8).eval()


@pytest.fixture(scope="module")
def both() -> Discriminator:
    """A discriminator with two backbones."""
    torch.manual_seed(0)
    return Discriminator(16, 8, ("lite1", "lite0")).eval()


def random_images(count: int = 2, height: int = 64, width: int = 64) -> Tensor:
    noise = torch.rand(count, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return nn.functional.interpolate(noise, (height, width), mode="bicubic").clamp(-1, 1)


def stages(network: Discriminator, view: int = 0) -> nn.Module:
    found = network.views[view]
    assert isinstance(found, Projection)
    return found._stages[0]


@pytest.mark.parametrize("backbones", [("lite1",), ("lite1", "lite0")])
@pytest.mark.parametrize("pixels", [0, 8])
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (48, 80)])
def test_each_head_returns_logits_at_a_quarter_of_the_size(backbones: Any, pixels: int, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = Discriminator(8, pixels, backbones)(random_images(2, 128, 128)[..., : size[0], : size[1]])
    assert logits.shape == (2, 4 * len(backbones) + (pixels > 0), size[0] // 4, size[1] // 4)
    assert logits.dtype == torch.float32 and logits.isfinite().all()


def test_every_head_has_the_same_weight_in_the_mean(both: Discriminator) -> None:
    """Logits of coarse heads are repeated, so that the mean over all is the mean of the heads' means."""
    seen: list[Tensor] = []
    heads = [head for view in both.views for head in view.heads]  # type: ignore[union-attr]
    hooks = [
        head.register_forward_hook(lambda *given: seen.append(given[2]))
        for head in [*heads, both.pixels]
        if head is not None
    ]
    with torch.no_grad():
        logits = both(random_images())
    for hook in hooks:
        hook.remove()
    assert sorted(each.shape[-1] for each in seen) == [2, 2, 4, 4, 8, 8, 16, 16, 16]
    torch.testing.assert_close(logits.mean(), torch.stack([each.mean() for each in seen]).mean())


def test_logits_equal_a_second_implementation_of_the_paper(both: Discriminator) -> None:
    """1×1 cross-channel mixing, upsampling into the next larger scale and 3×3 cross-scale mixing; a head on each."""
    given, expected = random_images(2, 64, 96), []
    with torch.no_grad():
        for variant, view in zip(("lite1", "lite0"), both.views, strict=True):
            state, above = view.state_dict(), None
            for level, maps in reversed(list(enumerate(Stages(variant)(given)))):
                mixed = torch.einsum("oi,bihw->bohw", state[f"mix{level}"][:, :, 0, 0], maps)
                if above is not None:
                    mixed = mixed + F.interpolate(above, scale_factor=2, mode="bilinear")
                above = F.conv2d(F.pad(mixed, (1, 1, 1, 1)), state[f"blend{level}"])
                head = view.heads[level](above)  # type: ignore[index, operator]
                expected.append(head.repeat_interleave(2**level, 2).repeat_interleave(2**level, 3))
        assert both.pixels is not None
        expected.append(both.pixels(given))
        found = both(given)
    order = [3, 2, 1, 0, 7, 6, 5, 4, 8]  # from the finest to the coarsest
    torch.testing.assert_close(found, torch.cat([expected[k] for k in order], 1), atol=1e-4, rtol=1e-4)


def test_backbones_are_not_trained_and_not_part_of_the_state(both: Discriminator) -> None:
    names = [*both.state_dict(), *(name for name, _ in both.named_parameters())]
    own = tuple(f"views.{view}.{part}" for view in (0, 1) for part in ("mix", "blend", "heads."))
    assert all(name.startswith((*own, "pixels.")) for name in names)
    both(random_images()).mean().backward()
    assert all(weight.grad is not None for weight in both.parameters())
    for view in (0, 1):
        backbones = list(stages(both, view).parameters())
        assert len(backbones) > 90 and all(weight.grad is None and not weight.requires_grad for weight in backbones)
        assert not {id(weight) for weight in backbones} & {id(weight) for weight in both.parameters()}


def test_gradients_reach_the_image_through_backbones_and_pixel_head(
    discriminator: Discriminator, both: Discriminator
) -> None:
    for network in (discriminator, Discriminator(16, 0), both):
        given = random_images().requires_grad_()
        network(given).mean().backward()
        assert given.grad is not None and (given.grad != 0).float().mean() > 0.99


def test_training_mode_does_not_affect_the_backbone(discriminator: Discriminator) -> None:
    """It has no running statistics and no stochastic depth."""
    network, given = stages(discriminator), random_images()
    with torch.no_grad():
        before = network(given)
        discriminator.train()
        discriminator(given)
        after = network(given)
    discriminator.eval()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_backbones_are_moved_and_cast_with_the_network() -> None:
    network = Discriminator(8, 8, ("lite0", "lite1")).to(torch.bfloat16)
    backbones = [stages(network, view) for view in (0, 1)]
    assert all(weight.dtype == torch.bfloat16 for each in backbones for weight in each.parameters())
    with torch.no_grad():
        assert network(random_images().bfloat16()).isfinite().all()
    network.to("meta")
    assert all(weight.is_meta for each in backbones for weight in each.parameters())


def test_copies_have_their_own_backbone(discriminator: Discriminator) -> None:
    copied = copy.deepcopy(discriminator)
    with torch.no_grad():
        assert torch.equal(copied(random_images()), discriminator(random_images()))
    assert stages(copied) is not stages(discriminator)
    copied.to(torch.float64)
    assert next(stages(discriminator).parameters()).dtype == torch.float32


def test_seeds_change_projections_and_heads_but_not_the_backbone() -> None:
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(Discriminator(8, 0).eval())
    one, same, other = found
    with torch.no_grad():
        assert torch.equal(one(random_images()), same(random_images()))
        assert not torch.equal(one(random_images()), other(random_images()))
        backbones = [stages(each)(random_images()) for each in (one, other)]
    assert all(torch.equal(a, b) for a, b in zip(*backbones, strict=True))


def test_backbones_have_separate_projections_and_heads(both: Discriminator) -> None:
    """Swapped backbones with swapped weights give the same logits in the other order."""
    torch.manual_seed(2)
    swapped = Discriminator(16, 8, ("lite0", "lite1")).eval()
    state = both.state_dict()
    for name in list(state):
        if name.startswith("views."):
            state[f"views.{1 - int(name[6])}.{name[8:]}"] = both.state_dict()[name]
    swapped.load_state_dict(state)
    with torch.no_grad():
        one, other = both(random_images()), swapped(random_images())
    torch.testing.assert_close(torch.cat([one[:, 4:8], one[:, :4], one[:, 8:]], 1), other)
    assert not torch.allclose(one[:, :4], one[:, 4:8], atol=1e-3)


def test_unaugmented_images_are_for_the_pixel_head_only(both: Discriminator) -> None:
    given, plain = random_images(), random_images().flip(3)
    with torch.no_grad():
        assert torch.equal(both(given, given), both(given)), "images of 64 pixels are not cropped"
        found, own, others = both(given, plain), both(given), both(plain)
    assert torch.equal(found[:, :-1], own[:, :-1]) and torch.equal(found[:, -1], others[:, -1])
    assert not torch.allclose(own[:, -1], others[:, -1], atol=1e-3)


def test_gradients_reach_augmented_and_unaugmented_images(both: Discriminator) -> None:
    given, plain = random_images().requires_grad_(), random_images().flip(3).requires_grad_()
    both(given, plain).mean().backward()
    for each in (given, plain):
        assert each.grad is not None and (each.grad != 0).float().mean() > 0.99


def test_without_a_pixel_head_unaugmented_images_have_no_effect() -> None:
    network = Discriminator(8, 0).eval()
    with torch.no_grad():
        assert torch.equal(network(random_images(), random_images().flip(3)), network(random_images()))


@settings(max_examples=25)
@given(st.integers(32, 300), st.integers(32, 300), st.integers(0, 99))
def test_the_crop_for_the_pixel_head_has_half_of_each_side_and_at_least_64_pixels(
    height: int, width: int, seed: int
) -> None:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    numbered = torch.stack([rows, columns, rows + columns]).float().expand(2, 3, height, width)
    torch.manual_seed(seed)
    crop = _random_crop(numbered)
    tall, wide = (max(side // 2, min(side, 64)) for side in (height, width))
    first_row, first_column = (int(crop[0, channel, 0, 0]) for channel in (0, 1))
    assert crop.shape == (2, 3, tall, wide) and first_row + tall <= height and first_column + wide <= width
    assert torch.equal(crop, numbered[..., first_row : first_row + tall, first_column : first_column + wide])


def test_crops_are_uniform_over_all_positions() -> None:
    numbered = torch.arange(72 * 130).view(1, 1, 72, 130)
    torch.manual_seed(0)
    firsts = {int(_random_crop(numbered)[0, 0, 0, 0]) for _ in range(400)}
    assert {first // 130 for first in firsts} == set(range(72 - 64 + 1))
    assert {first % 130 for first in firsts} == set(range(130 - 65 + 1))


@pytest.mark.parametrize("size", [(96, 64), (192, 256)])
def test_logits_of_a_crop_are_resized_to_those_of_the_whole_image(size: tuple[int, int]) -> None:
    network, seen = Discriminator(8, 4).eval(), []
    assert network.pixels is not None
    network.pixels.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        logits, whole = network(random_images(1, *size), random_images(1, *size)), network(random_images(1, *size))
    assert logits.shape == whole.shape == (1, 5, size[0] // 4, size[1] // 4)
    assert [each.shape[2:] for each in seen] == [(max(size[0] // 2, 64), max(size[1] // 2, 64)), size]


#: Some of the names in checkpoints with a single backbone.
EARLIER = {"mix0", "blend3", "heads.2.4.bias", "heads.0.0.parametrizations.weight.original", "pixels.6.bias"}


def earlier(network: Discriminator, prefix: str = "") -> dict[str, Tensor]:
    """Return the state dict with those names."""
    return {f"{prefix}{name.removeprefix('views.0.')}": value for name, value in network.state_dict().items()}


def test_checkpoints_with_a_single_backbone_load(discriminator: Discriminator) -> None:
    state = earlier(discriminator)
    before = dict(state)
    assert state.keys() >= EARLIER and not any("views" in name for name in state)
    torch.manual_seed(5)
    loaded, within = Discriminator(16, 8).eval(), nn.Sequential(nn.Identity(), Discriminator(16, 8)).eval()
    with torch.no_grad():
        assert not torch.equal(loaded(random_images()), discriminator(random_images()))
        loaded.load_state_dict(state)
        within.load_state_dict(earlier(discriminator, "1."))
        for network in (loaded, within):
            assert torch.equal(network(random_images()), discriminator(random_images()))
    assert state.keys() == before.keys(), "the state dict itself is not changed"


def test_optimiser_states_of_earlier_checkpoints_match_the_order_of_parameters(discriminator: Discriminator) -> None:
    """Heads from the finest to the coarsest, then the pixel head."""
    names = [name.removeprefix("views.0.") for name, _ in discriminator.named_parameters()]
    assert [name.partition(".")[0] for name in names] == ["heads"] * 24 + ["pixels"] * 8
    levels = [int(name.split(".")[1]) for name in names[:24]]
    assert levels == sorted(levels)


def test_unknown_names_in_a_state_dict_are_an_error(discriminator: Discriminator) -> None:
    for name in ("views.1.mix0", "backbones", "mixed"):
        with pytest.raises(RuntimeError, match="Unexpected key"):
            discriminator.load_state_dict(discriminator.state_dict() | {name: torch.zeros(1)})
