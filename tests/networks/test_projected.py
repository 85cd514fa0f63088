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
    """With two backbones."""
    torch.manual_seed(0)
    return Discriminator(16, 8, ("lite1", "lite0")).eval()


def pictures(count: int = 2, height: int = 64, width: int = 64) -> Tensor:
    noise = torch.rand(count, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return nn.functional.interpolate(noise, (height, width), mode="bicubic").clamp(-1, 1)


def stages(network: Discriminator, view: int = 0) -> nn.Module:
    found = network.views[view]
    assert isinstance(found, Projection)
    return found._stages[0]


@pytest.mark.parametrize("backbones", [("lite1",), ("lite1", "lite0")])
@pytest.mark.parametrize("pixels", [0, 8])
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (48, 80)])
def test_each_head_gives_a_map_of_logits_a_quarter_as_large(backbones: Any, pixels: int, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = Discriminator(8, pixels, backbones)(pictures(2, 128, 128)[..., : size[0], : size[1]])
    assert logits.shape == (2, 4 * len(backbones) + (pixels > 0), size[0] // 4, size[1] // 4)
    assert logits.dtype == torch.float32 and logits.isfinite().all()


def test_every_head_has_an_equal_say_in_the_mean(both: Discriminator) -> None:
    """The coarse heads' few logits are repeated, so a mean over all is the mean of the heads' means."""
    seen: list[Tensor] = []
    heads = [head for view in both.views for head in view.heads]  # type: ignore[union-attr]
    hooks = [
        head.register_forward_hook(lambda *given: seen.append(given[2]))
        for head in [*heads, both.pixels]
        if head is not None
    ]
    with torch.no_grad():
        logits = both(pictures())
    for hook in hooks:
        hook.remove()
    assert sorted(each.shape[-1] for each in seen) == [2, 2, 4, 4, 8, 8, 16, 16, 16]
    torch.testing.assert_close(logits.mean(), torch.stack([each.mean() for each in seen]).mean())


def test_its_logits_are_those_of_the_paper_written_out(both: Discriminator) -> None:
    """Channels mixed by 1×1, then each scale enlarged into the next larger one and mixed by 3×3; a head on each."""
    given, expected = pictures(2, 64, 96), []
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
    order = [3, 2, 1, 0, 7, 6, 5, 4, 8]  # they are told from the finest to the coarsest
    torch.testing.assert_close(found, torch.cat([expected[k] for k in order], 1), atol=1e-4, rtol=1e-4)


def test_its_eyes_are_no_part_of_what_learns_or_is_saved(both: Discriminator) -> None:
    names = [*both.state_dict(), *(name for name, _ in both.named_parameters())]
    own = tuple(f"views.{view}.{part}" for view in (0, 1) for part in ("mix", "blend", "heads."))
    assert all(name.startswith((*own, "pixels.")) for name in names)
    both(pictures()).mean().backward()
    assert all(weight.grad is not None for weight in both.parameters())
    for view in (0, 1):
        eyes = list(stages(both, view).parameters())
        assert len(eyes) > 90 and all(weight.grad is None and not weight.requires_grad for weight in eyes)
        assert not {id(weight) for weight in eyes} & {id(weight) for weight in both.parameters()}


def test_a_generator_learns_through_its_eyes_and_through_its_pixels_alike(
    discriminator: Discriminator, both: Discriminator
) -> None:
    for network in (discriminator, Discriminator(16, 0), both):
        given = pictures().requires_grad_()
        network(given).mean().backward()
        assert given.grad is not None and (given.grad != 0).float().mean() > 0.99


def test_training_mode_leaves_its_eyes_as_they_are(discriminator: Discriminator) -> None:
    """No running statistics, no dropped connections."""
    network, given = stages(discriminator), pictures()
    with torch.no_grad():
        before = network(given)
        discriminator.train()
        discriminator(given)
        after = network(given)
    discriminator.eval()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_it_moves_as_a_whole() -> None:
    network = Discriminator(8, 8, ("lite0", "lite1")).to(torch.bfloat16)
    eyes = [stages(network, view) for view in (0, 1)]
    assert all(weight.dtype == torch.bfloat16 for each in eyes for weight in each.parameters())
    with torch.no_grad():
        assert network(pictures().bfloat16()).isfinite().all()
    network.to("meta")
    assert all(weight.is_meta for each in eyes for weight in each.parameters())


def test_a_copy_is_a_whole_one(discriminator: Discriminator) -> None:
    copied = copy.deepcopy(discriminator)
    with torch.no_grad():
        assert torch.equal(copied(pictures()), discriminator(pictures()))
    assert stages(copied) is not stages(discriminator)
    copied.to(torch.float64)
    assert next(stages(discriminator).parameters()).dtype == torch.float32


def test_other_seeds_mix_and_judge_otherwise_with_the_same_eyes() -> None:
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(Discriminator(8, 0).eval())
    one, same, other = found
    with torch.no_grad():
        assert torch.equal(one(pictures()), same(pictures()))
        assert not torch.equal(one(pictures()), other(pictures()))
        eyes = [stages(each)(pictures()) for each in (one, other)]
    assert all(torch.equal(a, b) for a, b in zip(*eyes, strict=True))


def test_a_second_backbone_is_beside_the_first_and_mixed_on_its_own(both: Discriminator) -> None:
    """Each order of the two gives the same heads, and none of them is the other's."""
    torch.manual_seed(2)
    swapped = Discriminator(16, 8, ("lite0", "lite1")).eval()
    state = both.state_dict()
    for name in list(state):
        if name.startswith("views."):
            state[f"views.{1 - int(name[6])}.{name[8:]}"] = both.state_dict()[name]
    swapped.load_state_dict(state)
    with torch.no_grad():
        one, other = both(pictures()), swapped(pictures())
    torch.testing.assert_close(torch.cat([one[:, 4:8], one[:, :4], one[:, 8:]], 1), other)
    assert not torch.allclose(one[:, :4], one[:, 4:8], atol=1e-3)


def test_plain_pictures_are_for_the_head_on_the_pixels_alone(both: Discriminator) -> None:
    given, plain = pictures(), pictures().flip(3)
    with torch.no_grad():
        assert torch.equal(both(given, given), both(given)), "of 64 pixels nothing is cut out"
        found, own, others = both(given, plain), both(given), both(plain)
    assert torch.equal(found[:, :-1], own[:, :-1]) and torch.equal(found[:, -1], others[:, -1])
    assert not torch.allclose(own[:, -1], others[:, -1], atol=1e-3)


def test_a_gradient_reaches_what_is_augmented_and_what_is_plain(both: Discriminator) -> None:
    given, plain = pictures().requires_grad_(), pictures().flip(3).requires_grad_()
    both(given, plain).mean().backward()
    for each in (given, plain):
        assert each.grad is not None and (each.grad != 0).float().mean() > 0.99


def test_without_a_head_on_the_pixels_plain_pictures_change_nothing() -> None:
    blind = Discriminator(8, 0).eval()
    with torch.no_grad():
        assert torch.equal(blind(pictures(), pictures().flip(3)), blind(pictures()))


@settings(max_examples=25)
@given(st.integers(32, 300), st.integers(32, 300), st.integers(0, 99))
def test_the_head_on_the_pixels_looks_at_half_of_a_picture_each_way_but_at_64_pixels_if_there_are_so_many(
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


def test_another_part_is_looked_at_each_time_and_every_pixel_may_be() -> None:
    numbered = torch.arange(72 * 130).view(1, 1, 72, 130)
    torch.manual_seed(0)
    firsts = {int(_random_crop(numbered)[0, 0, 0, 0]) for _ in range(400)}
    assert {first // 130 for first in firsts} == set(range(72 - 64 + 1))
    assert {first % 130 for first in firsts} == set(range(130 - 65 + 1))


@pytest.mark.parametrize("size", [(96, 64), (192, 256)])
def test_a_part_of_plain_pictures_has_as_many_logits_as_the_whole(size: tuple[int, int]) -> None:
    network, seen = Discriminator(8, 4).eval(), []
    assert network.pixels is not None
    network.pixels.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        logits, whole = network(pictures(1, *size), pictures(1, *size)), network(pictures(1, *size))
    assert logits.shape == whole.shape == (1, 5, size[0] // 4, size[1] // 4)
    assert [each.shape[2:] for each in seen] == [(max(size[0] // 2, 64), max(size[1] // 2, 64)), size]


#: Some of the names in a checkpoint from when there was one backbone.
EARLIER = {"mix0", "blend3", "heads.2.4.bias", "heads.0.0.parametrizations.weight.original", "pixels.6.bias"}


def earlier(network: Discriminator, prefix: str = "") -> dict[str, Tensor]:
    """Its state by those names."""
    return {f"{prefix}{name.removeprefix('views.0.')}": value for name, value in network.state_dict().items()}


def test_a_state_from_when_there_was_one_backbone_judges_as_it_did(discriminator: Discriminator) -> None:
    state = earlier(discriminator)
    before = dict(state)
    assert state.keys() >= EARLIER and not any("views" in name for name in state)
    torch.manual_seed(5)
    loaded, within = Discriminator(16, 8).eval(), nn.Sequential(nn.Identity(), Discriminator(16, 8)).eval()
    with torch.no_grad():
        assert not torch.equal(loaded(pictures()), discriminator(pictures()))
        loaded.load_state_dict(state)
        within.load_state_dict(earlier(discriminator, "1."))
        for network in (loaded, within):
            assert torch.equal(network(pictures()), discriminator(pictures()))
    assert state.keys() == before.keys(), "the checkpoint itself stays as it is"


def test_the_moments_of_an_optimiser_from_then_fit_too(discriminator: Discriminator) -> None:
    """They are kept in the order of the parameters: heads from the finest to the coarsest, then that on the pixels."""
    names = [name.removeprefix("views.0.") for name, _ in discriminator.named_parameters()]
    assert [name.partition(".")[0] for name in names] == ["heads"] * 24 + ["pixels"] * 8
    levels = [int(name.split(".")[1]) for name in names[:24]]
    assert levels == sorted(levels)


def test_a_state_with_names_that_it_never_had_is_refused(discriminator: Discriminator) -> None:
    for name in ("views.1.mix0", "eyes", "mixed"):
        with pytest.raises(RuntimeError, match="Unexpected key"):
            discriminator.load_state_dict(discriminator.state_dict() | {name: torch.zeros(1)})
