import torch
from torch import nn

from impasto.training.ema import ModelEma


def constant(value: float) -> nn.Linear:
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(value)
        layer.bias.fill_(value)
    return layer


def test_after_one_half_life_the_average_is_half_way() -> None:
    ema = ModelEma(constant(0.0), halflife=1000, rampup=1e9)
    for _ in range(10):
        ema.update(constant(1.0), batch=100, images=1)
    torch.testing.assert_close(ema.network.weight, torch.tensor([[0.5]]))


def test_the_random_initialisation_is_soon_forgotten() -> None:
    """With a ramp-up of 0.05 the half-life is a twentieth of the images seen so far."""
    ema = ModelEma(constant(0.0), halflife=1e9, rampup=0.05)
    for step in range(1, 101):
        ema.update(constant(1.0), batch=10, images=10 * step)
    assert ema.network.state_dict()["weight"].item() > 0.999


def test_the_average_is_a_copy_in_evaluation_mode_without_gradients() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    ema = ModelEma(network, 1000, 0.05)
    network(torch.randn(2, 3, 4, 4)).sum().backward()
    assert not ema.network.training
    assert all(p.grad is None and not p.requires_grad for p in ema.network.parameters())


def test_running_statistics_are_averaged_like_the_weights() -> None:
    norm = nn.BatchNorm2d(2)
    ema = ModelEma(norm, halflife=10, rampup=1e9)
    norm(torch.full((10, 2, 1, 1), 30.0))  # with momentum 0.1 the running mean is now 3
    ema.update(norm, batch=10, images=10)
    torch.testing.assert_close(ema.network.state_dict()["running_mean"], torch.full((2,), 1.5))


def test_integer_buffers_stay_as_they_are() -> None:
    norm = nn.BatchNorm2d(2)
    ema = ModelEma(norm, halflife=10, rampup=1e9)
    norm(torch.randn(10, 2, 1, 1))
    ema.update(norm, batch=10, images=10)
    assert ema.network.state_dict()["num_batches_tracked"] == 0
