"""U-Nets of Keras tutorials are inferred from their layers."""

import pytest
import torch

from impasto.interop.architectures.base import Layer, Options, UnsupportedError
from impasto.interop.architectures.keras_unet import detect


def layers(statistics: bool) -> dict[str, Layer]:
    found: dict[str, Layer] = {"conv2d_transpose": {"kernel": torch.zeros(16, 3, 4, 4), "bias": torch.zeros(3)}}
    for number, (before, after) in enumerate(((3, 8), (8, 16), (8, 16))):
        found[f"sequential_{number}.conv"] = {"kernel": torch.zeros(after, before, 4, 4)}
        if number:
            norm = {"gamma": torch.ones(after), "beta": torch.zeros(after)}
            if statistics:
                norm |= {"moving_mean": torch.zeros(after), "moving_variance": torch.ones(after)}
            found[f"sequential_{number}.norm"] = norm
    return found


@pytest.mark.parametrize(
    ("statistics", "option", "norm"),
    [(True, "auto", "batch"), (True, "instance-affine", "instance-affine"), (False, "auto", "instance-affine")],
)
def test_the_norm_follows_from_its_variables(statistics: bool, option: str, norm: str) -> None:
    found = detect(layers(statistics), Options(norm=option))  # type: ignore[arg-type]
    assert found is not None and found.recipe.value("generator.norm") == norm
    assert found.recipe.value("generator.depth") == 2 and found.recipe.value("generator.width") == 8
    assert found.convolutions[-1]["weight"].shape == (16, 3, 4, 4), "the last one, whatever its name"


def test_a_norm_that_the_variables_contradict_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="or batch with running statistics"):
        detect(layers(False), Options(norm="batch"))


def test_what_the_file_says_is_not_assumed() -> None:
    found = detect(layers(False), Options(slope=0.2, epsilon=1e-5))
    assert found is not None and found.assumed == () and found.recipe.value("generator.slope") == 0.2
    assumed = detect(layers(False), Options())
    assert assumed is not None and len(assumed.assumed) == 2
