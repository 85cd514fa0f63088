import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from fixtures.tiny import assert_parameters_close, batch, build, build_class, fixed_batch, unwrap
from impasto.methods.cyclegan import CycleGan


class Pool:
    """The pool of section 4 as a loop over fakes."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.images: list[Tensor] = []

    def __call__(self, fakes: Tensor, rng: torch.Generator) -> Tensor:
        if not self.capacity:
            return fakes
        coins = torch.rand(len(fakes), generator=rng).tolist()
        places = torch.randint(self.capacity, (len(fakes),), generator=rng).tolist()
        returned = []
        for fake, coin, place in zip(fakes.float(), coins, places, strict=True):
            if len(self.images) < self.capacity:
                self.images.append(fake)
                returned.append(fake)
            elif coin < 0.5:
                returned.append(self.images[place])
                self.images[place] = fake
            else:
                returned.append(fake)
        return torch.stack(returned).to(fakes.dtype)


def squares(logits: Tensor, label: float) -> Tensor:
    """Squared distance to a label, where the boundary ½ is shifted to logit 0."""
    return (logits + 0.5 - label).square().mean()


@pytest.mark.parametrize(("pool", "identity"), [(0, 0.0), (0, 5.0), (3, 5.0)])
def test_a_step_equals_a_second_implementation_of_the_paper(exact: Fabric, pool: int, identity: float) -> None:
    """Both generators on equations 1 to 3 and the identity of section 5.2, then each discriminator on its pool."""
    ours = build_class(CycleGan, exact, f"pool={pool}", f"identity={identity}", "cycle=10")
    g, f = unwrap(ours.generator), unwrap(ours.back)
    d_y, d_x = unwrap(ours.discriminator_step.discriminator), unwrap(ours.discriminator_step_back.discriminator)
    adam = {network: torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (g, f, d_y, d_x)}
    pools = Pool(pool), Pool(pool)

    def update(loss: Tensor, *networks: nn.Module) -> None:
        for network in networks:
            adam[network].zero_grad()
        loss.backward()
        for network in networks:
            adam[network].step()

    for step in range(4):
        given = batch(step)
        losses = ours.step(given)

        x, y, rng = given.photos, given.paintings, torch.Generator().manual_seed(step)
        fake_y, fake_x = g(x), f(y)
        adversarial = squares(d_y(fake_y), 1) + squares(d_x(fake_x), 1)
        cycle = (f(fake_y) - x).abs().mean() + (g(fake_x) - y).abs().mean()
        same = (g(y) - y).abs().mean() + (f(x) - x).abs().mean()
        loss = adversarial + 10 * cycle + identity * same
        update(loss, g, f)
        old_y, old_x = pools[0](fake_y.detach(), rng), pools[1](fake_x.detach(), rng)
        loss_y = (squares(d_y(y), 1) + squares(d_y(old_y), 0)) / 2  # section 7.1
        update(loss_y, d_y)
        loss_x = (squares(d_x(x), 1) + squares(d_x(old_x), 0)) / 2
        update(loss_x, d_x)
        for name, value in (("generator", loss), ("discriminator", loss_y), ("discriminator_back", loss_x)):
            assert losses[f"loss_{name}"].item() == pytest.approx(value.item()), name
    for network, expected in (
        (ours.generator, g),
        (ours.back, f),
        (ours.discriminator_step.discriminator, d_y),
        (ours.discriminator_step_back.discriminator, d_x),
    ):
        assert_parameters_close(network, expected, atol=1e-8, rtol=1e-5)


def test_each_direction_has_its_own_discriminator_and_pool() -> None:
    method = build("cyclegan", "diffaugment.color=1", "diffaugment.target=0.6")
    both = ["generator", "back", *(f"{n}{w}" for n in ("discriminator", "augment", "pool") for w in ("", "_back"))]
    assert sorted(method.networks) == sorted(both)
    assert sorted(method.optimizers) == sorted(["generator", "back", "discriminator", "discriminator_back"])
    assert len({id(network) for network in method.networks.values()}) == len(both)


def test_a_loss_with_weight_zero_is_not_computed() -> None:
    assert not {"loss_identity", "loss_identity_back"} & build("cyclegan", "identity=0").step(batch()).keys()


def test_cycle_and_identity_losses_decrease_on_a_fixed_batch() -> None:
    method = build("cyclegan", "generator.lr=5e-3")
    losses = [method.step(fixed_batch(step)) for step in range(40)]
    for name in ("loss_cycle", "loss_cycle_back", "loss_identity"):
        assert torch.stack([each[name] for each in losses[-5:]]).mean() < 0.8 * losses[0][name], name
