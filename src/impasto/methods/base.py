"""The contract between a method and the training loop."""

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
    """A way to learn. It owns its networks and optimisers; the loop owns everything else.

    A new method is one file beside this one that fills in five functions, its networks, and a recipe. What it
    puts into ``networks`` and ``optimizers`` is saved, resumed and scheduled by the loop.
    """

    recipe_class: "ClassVar[type[Recipe]]"  #: the settings of this method
    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    @abstractmethod
    def __init__(self, recipe: "Recipe", fabric: "Fabric") -> None:
        """Builds networks and optimisers, from torch's global random state, on ``fabric``'s device."""

    def prepare(self, generators: Sequence[nn.Module], pictures: Batches) -> None:
        """Before the first step: measures what networks like :meth:`style`'s have to know of the training pictures, and
        tells them, in place of what they knew of others. Most know nothing."""
        return

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One update of every network. Returns scalars by name, still on the device: ``loss_*`` and
        ``accuracy_*`` are shown, ``spread`` (variety of the fakes relative to the reals) is watched."""

    @abstractmethod
    def inputs(self, count: int, seed: int, photos: Loader | None) -> Tensor:
        """``count`` inputs to look at, the same for the same seed and ``photos``, on the device."""

    @abstractmethod
    def sample(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in −1…1 that ``painter`` makes of ``inputs``."""

    @abstractmethod
    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        """What the discriminator makes of pictures that were never learned from, changing nothing."""

    @abstractmethod
    def style(self) -> nn.Module:
        """The network that is kept: the painter, whose moving average becomes the style."""

    def reverse(self) -> nn.Module | None:
        """The generator of the reverse direction, if there is one: its moving average is kept in the style too."""
        return None
