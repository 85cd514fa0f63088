import torch
import torch.nn.functional as F
from lightning_fabric import Fabric

from fixtures.tiny import SIZE, assert_parameters_close, build, build_class, noise, unwrap
from impasto.data.loader import Batch
from impasto.methods.gan import Gan


def batch(step: int = 0) -> Batch:
    paintings = noise(8, 3, SIZE, SIZE, seed=step)
    return Batch(paintings, paintings[:0], torch.Generator().manual_seed(step), step)


def test_a_step_equals_a_second_implementation_of_the_paper(exact: Fabric) -> None:
    """Adam on each side's loss in turn, the generator against the discriminator just updated, on the same fakes."""
    ours = build_class(Gan, exact)
    g, d = unwrap(ours.generator), unwrap(ours.discriminator_step.discriminator)
    adam_g, adam_d = (torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (g, d))
    bce = F.binary_cross_entropy_with_logits
    one, zero = torch.ones(8), torch.zeros(8)
    for step in range(3):
        given = batch(step)
        ours.step(given)

        fake = g(torch.randn(8, 6, generator=torch.Generator().manual_seed(step)))
        adam_d.zero_grad()
        (bce(d(given.paintings), one) + bce(d(fake.detach()), zero)).backward()
        adam_d.step()
        adam_g.zero_grad()
        bce(d(fake), one).backward()
        adam_g.step()
    for network, expected in ((ours.generator, g), (ours.discriminator_step.discriminator, d)):
        assert_parameters_close(network, expected, atol=1e-9, rtol=1e-6)


def test_the_discriminator_loss_decreases_on_a_fixed_batch() -> None:
    method = build("gan")
    pictures = noise(2, 3, SIZE, SIZE).repeat(4, 1, 1, 1)
    losses = [
        method.step(Batch(pictures, pictures[:0], torch.Generator().manual_seed(step), step))["loss_discriminator"]
        for step in range(30)
    ]
    assert torch.stack(losses[-5:]).mean() < 0.7 * losses[0]


def test_inputs_depend_on_the_seed() -> None:
    method = build("gan")
    assert method.inputs(5, 3, None).shape == (5, 6)
    assert not torch.equal(method.inputs(5, 3, None), method.inputs(5, 4, None))
    assert torch.equal(method.inputs(5, 3, None), method.inputs(5, 3, None))
