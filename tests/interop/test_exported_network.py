"""Half precision leaves the original network, and what follows its last convolution, in float32."""

import torch

from fixtures.untrained import untrained
from impasto.interop.exported_network import half_precision


def test_half_precision_is_a_copy_with_halved_weights_and_float32_output() -> None:
    network = untrained("cnn").network
    half = half_precision(network)
    assert {weight.dtype for weight in half.parameters()} == {torch.float16}
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    photos = torch.rand(1, 3, 24, 40) * 2 - 1
    with torch.inference_mode():
        found, expected = half(photos), network(photos)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)
