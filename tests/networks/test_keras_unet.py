import pytest
import torch

from impasto.networks.keras_unet import Generator


def network(norm: str) -> Generator:
    made = Generator(4, 8, 3, norm, 0.0, 0.3, 0.01, 0.5)  # type: ignore[arg-type]
    return made.eval()


def test_instance_norm_of_one_pixel_leaves_its_shift() -> None:
    made = network("instance-affine")
    norm = made.downs[-1][1]  # type: ignore[index]
    torch.nn.init.normal_(norm.bias)
    (pixel,) = norm(torch.rand(1, 8, 1, 1))
    assert torch.allclose(pixel[:, 0, 0], norm.bias, atol=1e-6)


@pytest.mark.parametrize("norm", ["instance", "instance-affine", "batch", "none"])
def test_one_image_of_the_smallest_size_is_translated(norm: str) -> None:
    images = torch.rand(1, 3, 8, 8)
    made = network(norm)
    assert made(images).shape == images.shape
    if norm != "none":
        assert {module.eps for module in made.modules() if hasattr(module, "eps")} == {0.01}
