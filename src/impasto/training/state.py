"""The state of a training that its next step depends on: networks, optimisers and averages. Random numbers are
functions of the seed and the step."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from impasto.config.registries import METHODS
from impasto.data.loader import stream_seed
from impasto.errors import ImpastoError
from impasto.methods.base import Method
from impasto.training.ema import ModelEma

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.config.recipe import Recipe

Weights = Mapping[str, Tensor]


class TrainingState:
    """A method with its networks and optimisers, and the averages of its generators.

    Attributes:
        step: updates made so far.
        method: owns the networks and optimisers.
        ema: average of the generator that becomes the style.
        ema_reverse: average of the generator of the reverse direction, if the method has one.
    """

    def __init__(self, recipe: "Recipe", fabric: "Fabric", seed: int) -> None:
        """Initialise the networks from ``seed``. It seeds torch's global generators: see :meth:`seed_step`."""
        self.recipe, self.fabric, self.step, self._seed = recipe, fabric, 0, seed
        torch.manual_seed(stream_seed(seed, "weights"))
        self.method: Method = METHODS[recipe.method](recipe, fabric)
        self.ema = self._average(self.method.style())
        reverse = self.method.reverse()
        self.ema_reverse = None if reverse is None else self._average(reverse)
        self.learning_rates = {name: each.param_groups[0]["lr"] for name, each in self.method.optimizers.items()}

    def _average(self, network: nn.Module) -> ModelEma:
        return ModelEma(network, self.recipe.ema.halflife, self.recipe.ema.rampup)

    def seed_step(self, attempt: int) -> None:
        """Seed torch's global generators, which networks draw dropout and noise from, for the next step. Another
        ``attempt`` at a failed step gets other numbers."""
        torch.manual_seed(stream_seed(self._seed, "networks", self.step, attempt))

    def scale_learning_rates(self, factor: float) -> float:
        """Set the learning rates to ``factor`` × their initial values; return that of the first optimiser."""
        for name, optimizer in self.method.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rates[name] * factor
        return float(next(iter(self.learning_rates.values())) * factor)

    def update_averages(self, images: int) -> None:
        """Average in the weights after a step, ``images`` having been seen in all."""
        self.ema.update(self.method.style(), self.recipe.batch, images)
        reverse = self.method.reverse()
        if self.ema_reverse is not None and reverse is not None:
            self.ema_reverse.update(reverse, self.recipe.batch, images)

    def finite(self) -> bool:
        """Whether no weight is NaN or infinite: the losses do not show yet what the last update did."""
        weights = [weight for network in self.method.networks.values() for weight in network.parameters()]
        return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())

    def load_weights(
        self, start: str, networks: Mapping[str, Weights], average: Weights, average_reverse: Weights | None = None
    ) -> None:
        """Start from trained weights (fine-tuning).

        Args:
            start: the style or run that they are of, for the error.
            networks: the weights of some or all of the method's networks, by name.
            average, average_reverse: the averaged generators; without the latter it is the reverse generator itself.

        Raises:
            ImpastoError: the weights are of other networks.
        """
        try:
            for name, network in self.method.networks.items():
                if name in networks and next(network.parameters(), None) is not None:  # not the image pool
                    network.load_state_dict(networks[name])
            self.ema.network.load_state_dict(average)
            self._load_reverse(average_reverse)
        except RuntimeError as error:
            raise ImpastoError(
                f"The networks of {start} differ from those of the recipe: omit the recipe, and --set of network "
                "settings."
            ) from error

    def _load_reverse(self, average: Weights | None) -> None:
        reverse = self.method.reverse()
        if self.ema_reverse is not None and reverse is not None:
            self.ema_reverse.network.load_state_dict(average or reverse.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {
            "step": self.step,
            "networks": {name: network.state_dict() for name, network in self.method.networks.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.method.optimizers.items()},
            "ema": self.ema.network.state_dict(),
            "ema_reverse": None if self.ema_reverse is None else self.ema_reverse.network.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.step = state["step"]
        for name, network in self.method.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.method.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.ema.network.load_state_dict(state["ema"])
        self._load_reverse(state.get("ema_reverse"))
