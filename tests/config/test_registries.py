import pytest

from impasto.config.registries import DISCRIMINATORS, GENERATORS, LOSSES, METHODS
from impasto.config.registry import Registry

BUILT_IN: list[tuple[Registry[object], set[str]]] = [
    (LOSSES, {"bce", "lsgan", "hinge", "wgan", "relativistic"}),  # type: ignore[list-item]
    (GENERATORS, {"dcgan", "progressive", "fastgan", "r3gan", "cnn", "resnet", "unet", "edsr", "feature-decoder"}),  # type: ignore[list-item]
    (DISCRIMINATORS, {"dcgan", "progressive", "fastgan", "r3gan", "cnn", "patchgan", "projected"}),  # type: ignore[list-item]
    (METHODS, {"gan", "progressive", "unconstrained", "cyclegan", "cut", "fsesim"}),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("registry", "names"), BUILT_IN, ids=[registry.kind for registry, _ in BUILT_IN])
def test_the_built_in_ones_are_registered(registry: Registry[object], names: set[str]) -> None:
    assert names <= set(registry)
