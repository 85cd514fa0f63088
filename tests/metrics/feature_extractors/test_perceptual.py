import torch
import torch.nn.functional as F

from impasto.metrics.feature_extractors.perceptual import blur_downsample, load_convolution, normalise_channels


def test_channels_are_normalised_to_length_1_at_each_position() -> None:
    maps = normalise_channels(torch.randn(2, 7, 4, 4, dtype=torch.bfloat16))
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps.norm(dim=1), torch.ones(2, 4, 4), rtol=1e-4, atol=1e-4)
    assert normalise_channels(torch.zeros(1, 7, 2, 2)).isfinite().all()


def test_downsampling_blurs_each_channel_and_keeps_every_second_pixel() -> None:
    maps, kernel = torch.randn(1, 3, 8, 8), torch.rand(3, 1, 3, 3)
    found = blur_downsample(maps, kernel, 1)
    padded = F.pad(maps, (1, 1, 1, 1), mode="reflect")
    expected = torch.cat([F.conv2d(padded[:, c : c + 1], kernel[c : c + 1]) for c in range(3)], 1)[..., ::2, ::2]
    torch.testing.assert_close(found, expected)


def test_a_convolution_is_loaded_by_name() -> None:
    state = {"net.0.weight": torch.randn(4, 3, 5, 5), "net.0.bias": torch.randn(4)}
    convolution = load_convolution(state, "net.0", padding=2)
    images = torch.randn(1, 3, 9, 9)
    torch.testing.assert_close(
        convolution(images), F.conv2d(images, state["net.0.weight"], state["net.0.bias"], padding=2)
    )
