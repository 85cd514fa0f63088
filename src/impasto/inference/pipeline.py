"""Base class of the two ways to run a style: :class:`~impasto.inference.sampler.Sampler` (images from noise) and
:class:`~impasto.inference.translator.Translator` (images from photos)."""

from typing import TYPE_CHECKING, ClassVar, Never

import torch

from impasto.notebook import Displayed
from impasto.style import Card, Style


class Pipeline(Displayed):
    """A style on a device."""

    usage: ClassVar[str]  #: the call that makes images, for messages

    def __init__(self, style: Style, device: torch.device) -> None:
        self.style, self.device = style, device

    @property
    def card(self) -> Card:
        return self.style.card

    @property
    def size(self) -> int:
        """Side in pixels of generated images, or of the photos used in training (photos of any size are accepted)."""
        return self.style.recipe.sample_size

    @property
    def output_name(self) -> str:
        """Singular of the target domain, for messages: ``painting`` or ``photo``."""
        return "photo" if self.card.target == "photos" else "painting"

    if not TYPE_CHECKING:  # or a type checker would accept every attribute

        def __getattr__(self, name: str) -> Never:
            style = self.__dict__.get("style")  # not set yet while it is copied or unpickled
            about = f": it is a model for {style.card.domains}, use {self.usage}" if style else ""
            raise AttributeError(f"a {type(self).__name__} has no attribute '{name}'{about}", name=name, obj=self)
