"""Base class of the two ways to run a style: :class:`~impasto.inference.sampler.Sampler` (images from noise) and
:class:`~impasto.inference.translator.Translator` (images from photos)."""

import torch

from impasto.style import Card, Style


class Pipeline:
    """A style on a device."""

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
