import math

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from fixtures.tiny import CPU, assert_parameters_close, batch, build, build_class, fixed_batch, tiny, unwrap
from impasto.config.recipe import Recipe
from impasto.device import open_fabric
from impasto.methods.cut import Cut, CutRecipe


def squares(logits: Tensor, label: float) -> Tensor:
    """Squared distance to a label, where the boundary ½ is shifted to logit 0."""
    return (logits + 0.5 - label).square().mean()


@pytest.mark.parametrize("on_paintings", [False, True])
@pytest.mark.parametrize("identity", [0, 3])
def test_a_step_equals_a_second_implementation_of_the_paper(exact: Fabric, on_paintings: bool, identity: int) -> None:
    """The discriminator; then generator and sampler on the adversarial loss and PatchNCE (equations 4 and 5)."""
    ours = build_class(Cut, exact, f"contrast.identity={on_paintings}", f"identity={identity}", "contrast.weight=2")
    g, d, s = unwrap(ours.generator), unwrap(ours.discriminator_step.discriminator), unwrap(ours.sampler)
    adam_g, adam_d, adam_s = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d, s))

    def nce(source: Tensor, output: Tensor, rng: torch.Generator) -> Tensor:
        layers = []
        keys, queries = g.features(source), g.features(output)  # type: ignore[operator]
        places = [torch.randperm(query[0, 0].numel(), generator=rng)[:9] for query in queries]
        for head, key, query, at in zip(s.heads, keys, queries, places, strict=True):  # type: ignore[arg-type]
            losses = []
            for k, q in zip(key, query, strict=True):  # one image
                k, q = (F.normalize(head(m.flatten(1)[:, at].T), dim=1).float() for m in (k, q))
                losses.append(F.cross_entropy(q @ k.detach().T / 0.07, torch.arange(len(at))))
            layers.append(torch.stack(losses).mean())
        return torch.stack(layers).mean()

    for step in range(3):
        given = batch(step)
        losses = ours.step(given)

        x, y, rng = given.photos, given.paintings, torch.Generator().manual_seed(step)
        target = y if on_paintings else y[:1]  # the L1 identity loss uses every fourth painting only
        fake, same = g(x), g(target)
        adam_d.zero_grad()
        loss_d = (squares(d(y), 1) + squares(d(fake.detach()), 0)) / 2
        loss_d.backward()
        adam_d.step()
        contrast = nce(x, fake, rng)
        if on_paintings:
            contrast = (contrast + nce(target, same, rng)) / 2
        loss_g = squares(d(fake), 1) + 2 * contrast + identity * (same - target).abs().mean()
        for adam in (adam_g, adam_s):
            adam.zero_grad()
        loss_g.backward()
        for adam in (adam_g, adam_s):
            adam.step()
        torch.testing.assert_close(losses["loss_discriminator"], loss_d.detach(), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(losses["loss_generator"], loss_g.detach(), atol=1e-5, rtol=1e-5)
    for network, expected in ((ours.generator, g), (ours.discriminator_step.discriminator, d), (ours.sampler, s)):
        assert_parameters_close(network, expected, atol=4e-6, rtol=1e-3)  # similarities are computed in float32


def test_a_sampler_has_a_head_for_each_map_of_the_generator() -> None:
    method = build("cut")
    widths = [head[0].in_features for head in unwrap(method.networks["sampler"]).heads]  # type: ignore[union-attr]
    assert widths == [3, 8, 16, 16, 16]
    assert method.optimizers.keys() == {"generator", "discriminator", "sampler"}


def test_a_loss_with_weight_zero_is_not_computed() -> None:
    losses = build("cut", "contrast.identity=false").step(batch())
    assert not {"loss_identity", "loss_contrast_identity"} & losses.keys() and "loss_contrast" in losses


def test_the_contrastive_loss_decreases_on_a_fixed_batch() -> None:
    """From chance among nine positions."""
    method = build("cut", "generator.lr=2e-3", "contrast.weight=10")
    losses = torch.stack([method.step(fixed_batch(step))["loss_contrast"] for step in range(40)])
    assert losses[0] > 0.8 * math.log(9)
    assert losses[-5:].mean() < 0.8 * losses[0]


def test_the_edsr_generator_trains_with_cut() -> None:
    values = tiny("cut", "contrast.weight=2").model_dump(mode="json")
    values["generator"] = {"network": "edsr", "width": 4, "body": 8, "blocks": 4, "lr": 2e-3, "betas": [0.5, 0.99]}
    torch.manual_seed(0)
    recipe = Recipe.of(values)
    assert isinstance(recipe, CutRecipe)
    method = Cut(recipe, open_fabric(CPU, "32-true"))
    losses = torch.stack([method.step(batch(step))["loss_contrast"] for step in range(30)])
    assert losses.isfinite().all() and losses[-5:].mean() < 0.9 * losses[:5].mean()
