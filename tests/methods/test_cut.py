import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from fixtures.tiny import CPU, agree, batch, build, float64, made, pair, plain, tiny
from impasto.config.recipe import Recipe
from impasto.device import open_fabric
from impasto.methods.cut import Cut, CutRecipe


@pytest.fixture
def exact() -> Iterator[Fabric]:
    with float64() as fabric:
        yield fabric


def squares(logits: Tensor, label: float) -> Tensor:
    """Against a label, where the boundary ½ is moved to 0."""
    return (logits + 0.5 - label).square().mean()


@pytest.mark.parametrize("on_paintings", [False, True])
@pytest.mark.parametrize("identity", [0, 3])
def test_a_step_is_the_step_of_the_paper_written_out(exact: Fabric, on_paintings: bool, identity: int) -> None:
    """The discriminator; then generator and sampler on the adversarial loss and PatchNCE (equations 4 and 5)."""
    ours = made(Cut, exact, f"contrast.identity={on_paintings}", f"identity={identity}", "contrast.weight=2")
    g, d, s = plain(ours.generator), plain(ours.discriminator_step.discriminator), plain(ours.sampler)
    adam_g, adam_d, adam_s = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d, s))

    def nce(source: Tensor, painted: Tensor, rng: torch.Generator) -> Tensor:
        layers = []
        keys, queries = g.features(source), g.features(painted)  # type: ignore[operator]
        places = [torch.randperm(query[0, 0].numel(), generator=rng)[:9] for query in queries]
        for head, key, query, at in zip(s.heads, keys, queries, places, strict=True):  # type: ignore[arg-type]
            losses = []
            for k, q in zip(key, query, strict=True):  # one picture
                k, q = (F.normalize(head(m.flatten(1)[:, at].T), dim=1).float() for m in (k, q))
                losses.append(F.cross_entropy(q @ k.detach().T / 0.07, torch.arange(len(at))))
            layers.append(torch.stack(losses).mean())
        return torch.stack(layers).mean()

    for step in range(3):
        given = batch(step)
        losses = ours.step(given)

        x, y, rng = given.photos, given.paintings, torch.Generator().manual_seed(step)
        kept = y if on_paintings else y[:1]  # a distance is taken of every fourth painting only
        fake, same = g(x), g(kept)
        adam_d.zero_grad()
        loss_d = (squares(d(y), 1) + squares(d(fake.detach()), 0)) / 2
        loss_d.backward()
        adam_d.step()
        contrast = nce(x, fake, rng)
        if on_paintings:
            contrast = (contrast + nce(kept, same, rng)) / 2
        loss_g = squares(d(fake), 1) + 2 * contrast + identity * (same - kept).abs().mean()
        for adam in (adam_g, adam_s):
            adam.zero_grad()
        loss_g.backward()
        for adam in (adam_g, adam_s):
            adam.step()
        torch.testing.assert_close(losses["loss_discriminator"], loss_d.detach(), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(losses["loss_generator"], loss_g.detach(), atol=1e-5, rtol=1e-5)
    for network, expected in ((ours.generator, g), (ours.discriminator_step.discriminator, d), (ours.sampler, s)):
        agree(network, expected, atol=4e-6, rtol=1e-3)  # the similarities are in float32


def test_a_sampler_has_a_head_for_each_map_of_the_generator() -> None:
    method = build("cut")
    widths = [head[0].in_features for head in plain(method.networks["sampler"]).heads]  # type: ignore[union-attr]
    assert widths == [3, 8, 16, 16, 16]
    assert method.optimizers.keys() == {"generator", "discriminator", "sampler"}


def test_what_has_no_weight_is_not_computed() -> None:
    losses = build("cut", "contrast.identity=false").step(batch())
    assert not {"loss_identity", "loss_contrast_identity"} & losses.keys() and "loss_contrast" in losses


def test_with_two_photos_the_places_of_a_painting_are_found_again() -> None:
    """From blind guessing among nine places."""
    method = build("cut", "generator.lr=2e-3", "contrast.weight=10")
    losses = torch.stack([method.step(pair(step))["loss_contrast"] for step in range(40)])
    assert losses[0] > 0.8 * math.log(9)
    assert losses[-5:].mean() < 0.8 * losses[0]


def test_the_painter_learns_by_it_too() -> None:
    values = tiny("cut", "contrast.weight=2").model_dump(mode="json")
    values["generator"] = {"network": "painter", "width": 4, "body": 8, "blocks": 4, "lr": 2e-3, "betas": [0.5, 0.99]}
    torch.manual_seed(0)
    recipe = Recipe.of(values)
    assert isinstance(recipe, CutRecipe)
    method = Cut(recipe, open_fabric(CPU, "32-true"))
    losses = torch.stack([method.step(batch(step))["loss_contrast"] for step in range(30)])
    assert losses.isfinite().all() and losses[-5:].mean() < 0.9 * losses[:5].mean()
