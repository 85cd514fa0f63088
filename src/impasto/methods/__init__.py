"""How a painter learns: one file a method, made of networks and losses, found by the name in a recipe."""

from impasto.methods.base import Method
from impasto.methods.gan import Gan

METHODS: dict[str, type[Method]] = {"gan": Gan}

__all__ = ["METHODS", "Method"]
