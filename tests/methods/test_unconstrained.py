import torch
import torch.nn.functional as F
from lightning_fabric import Fabric

from fixtures.tiny import assert_parameters_close, batch, build, build_class, fixed_batch, unwrap
from impasto.methods.unconstrained import Unconstrained


def test_a_step_equals_a_second_implementation(exact: Fabric) -> None:
    """The discriminator, then the generator on the same fakes, with the losses of content and identity."""
    ours = build_class(Unconstrained, exact, "content=3", "identity=2")
    g, d = unwrap(ours.generator), unwrap(ours.discriminator_step.discriminator)
    adam_g, adam_d = (torch.optim.Adam(network.parameters(), 1e-4, (0.5, 0.999)) for network in (g, d))
    bce = F.binary_cross_entropy_with_logits
    one, zero = torch.ones(2), torch.zeros(2)
    for step in range(3):
        given = batch(step)
        losses = ours.step(given)

        x, y = given.photos, given.paintings
        fake = g(x)
        adam_d.zero_grad()
        loss_d = bce(d(y), one) + bce(d(fake.detach()), zero)
        loss_d.backward()
        adam_d.step()
        adam_g.zero_grad()
        loss_g = bce(d(fake), one) + 3 * (fake - x).abs().mean() + 2 * (g(y) - y).abs().mean()
        loss_g.backward()
        adam_g.step()
        torch.testing.assert_close(losses["loss_discriminator"], loss_d.detach())
        torch.testing.assert_close(losses["loss_generator"], loss_g.detach())
    for network, expected in ((ours.generator, g), (ours.discriminator_step.discriminator, d)):
        assert_parameters_close(network, expected, atol=1e-9, rtol=1e-6)


def test_a_loss_with_weight_zero_is_not_computed() -> None:
    assert not {"loss_content", "loss_identity"} & build("unconstrained").step(batch()).keys()
    assert {"loss_content", "loss_identity"} <= build("unconstrained", "content=1", "identity=1").step(batch()).keys()


def test_the_content_loss_decreases_on_a_fixed_batch() -> None:
    method = build("unconstrained", "content=10", "generator.lr=1e-2")
    losses = [method.step(fixed_batch(step))["loss_content"] for step in range(40)]
    assert torch.stack(losses[-5:]).mean() < 0.6 * losses[0]
