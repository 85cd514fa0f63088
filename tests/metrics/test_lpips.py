import numpy as np
import torch

from fixtures.pairs import noisy, sample_paintings
from impasto.metrics.feature_extractors.vgg16 import VGG16
from impasto.metrics.lpips import lpips


def test_lpips_is_equation_1_of_the_paper() -> None:
    """Position by position, in numpy."""
    network = VGG16(torch.device("cpu"), precision="fp32")
    paintings = sample_paintings()
    one, other = torch.from_numpy(paintings[:2]), torch.from_numpy(noisy(paintings[:2], 20))
    expected = np.zeros(2)
    for x, y, head in zip(network.stages(one), network.stages(other), network.heads, strict=True):
        left, right = x.double().numpy(), y.double().numpy()
        left /= np.linalg.norm(left, axis=1, keepdims=True) + 1e-10
        right /= np.linalg.norm(right, axis=1, keepdims=True) + 1e-10
        weights = head.double().numpy()[0, :, 0, 0]
        expected += np.einsum("bchw,c->bhw", (left - right) ** 2, weights).mean((1, 2))
    assert expected.min() > 0.01 and torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    np.testing.assert_allclose(lpips(network, one, other).numpy(), expected, rtol=1e-4)
