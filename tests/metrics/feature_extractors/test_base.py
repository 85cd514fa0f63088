import torch
from torch import nn

from impasto.metrics.feature_extractors.base import FEATURE_EXTRACTORS, fold, pooled


def test_every_network_is_registered_under_its_own_name() -> None:
    assert {name: network.name for name, network in FEATURE_EXTRACTORS.items()} == {
        name: name for name in ("alexnet", "efficientnet-lite0", "inception-2015", "vgg16")
    }


def test_a_folded_convolution_equals_convolution_and_normalisation() -> None:
    torch.manual_seed(0)
    convolution, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5)
    norm.running_mean, norm.running_var = torch.randn(5), torch.rand(5) + 0.5
    images = torch.randn(2, 3, 8, 8)
    expected = norm.eval()(convolution(images))
    torch.testing.assert_close(fold(convolution, norm)(images), expected, rtol=1e-4, atol=1e-5)


def test_pooling_averages_in_float32() -> None:
    maps = torch.full((1, 1, 300, 300), 1.0, dtype=torch.bfloat16)
    assert pooled(maps).dtype == torch.float32 and pooled(maps).item() == 1.0
