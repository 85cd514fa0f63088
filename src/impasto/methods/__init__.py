"""How a painter learns: one file a method, made of networks and losses, found by the name in a recipe."""

from impasto.methods.base import Method
from impasto.methods.cut import Cut
from impasto.methods.cyclegan import CycleGan
from impasto.methods.fsesim import Fsesim
from impasto.methods.gan import Gan
from impasto.methods.progressive import Progressive
from impasto.methods.unconstrained import Plain

METHODS: dict[str, type[Method]] = {
    "gan": Gan,
    "progressive": Progressive,
    "plain": Plain,
    "cyclegan": CycleGan,
    "cut": Cut,
    "fsesim": Fsesim,
}

__all__ = ["METHODS", "Method"]
