"""The contract between a training method and the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from impasto.data.loader import Batch, Batches, Loader

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.config.recipe import Recipe


class Method(ABC):
    """A training method: it owns networks and optimisers, the trainer owns everything else.

    A new method is one module that registers a subclass with ``METHODS.register(name)``; the trainer calls, in this
    order, ``__init__``, :meth:`prepare` (unless it resumes), then :meth:`step` for each batch. Images are (B, 3, H, W)
    in −1…1 throughout.

    Attributes:
        recipe_class: the recipe of this method, whose field ``method`` is a literal of its name.
        networks: all modules with state, by name: their state dicts are saved in checkpoints and restored on resume.
            A loss weight or counter that changes during training must be a buffer of one of them.
        optimizers: by the name of the network that they update; saved likewise. The trainer sets their learning rates
            by the recipe's schedule.
    """

    recipe_class: "ClassVar[type[Recipe]]"
    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    @abstractmethod
    def __init__(self, recipe: "Recipe", fabric: "Fabric") -> None:
        """Build networks and optimisers and set them up with ``fabric``, which owns device and precision.

        Weights are initialised from torch's global random state, which the trainer seeds.
        """

    def prepare(self, generators: Sequence[nn.Module], pictures: Batches) -> None:
        """Measure the training images once before the first step and store the result in the generators.

        Must neither draw from torch's global random state nor change weights. The default does nothing.

        Args:
            generators: networks like that of :meth:`style`: the one in training and its moving averages.
            pictures: the training images; ``pictures.photos`` is None for unconditional generation.
        """
        return

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update all networks once.

        All randomness comes from ``batch.rng`` or torch's global random state, so that training resumes bit-exactly.

        Returns:
            Detached float32 scalars on the device: ``loss_*`` and ``accuracy_*`` (0…1) are logged;
            ``diversity_ratio``, the pixel standard deviation of fakes relative to reals, is monitored for mode
            collapse. ``loss_generator``, ``loss_discriminator``, ``accuracy_real`` and ``accuracy_fake`` are expected.
        """

    @abstractmethod
    def inputs(self, count: int, seed: int, photos: Loader | None) -> Tensor:
        """Return the generator inputs of samples, on the device: the same for the same seed and photos.

        For generation these are latents (count, latent) drawn by ``seed``; for translation up to ``count`` of
        ``photos``, images of the source domain, (n, 3, H, W).

        Raises:
            ValueError: the method translates and ``photos`` is None.
        """

    @abstractmethod
    def sample(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        """Return images (B, 3, H, W) in −1…1 that ``generator``, a network like that of :meth:`style`, makes from
        ``inputs`` (B, …), a part of :meth:`inputs`."""

    @abstractmethod
    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        """Return scalars measured on held-out images, such as ``accuracy_heldout``: the fraction of held-out paintings
        that the discriminator classifies as real.

        Must leave weights, buffers and torch's global random state unchanged.
        """

    @abstractmethod
    def style(self) -> nn.Module:
        """Return the generator, without Fabric's wrapper; its moving average is saved as the style."""

    def reverse(self) -> nn.Module | None:
        """Return the generator of the reverse direction, whose moving average is saved in the style too; None if there
        is none."""
        return None
