"""A discriminator and how it plays: its loss, its penalties, what it is shown, and its optimiser."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from impasto.config.registries import LOSSES
from impasto.data.diffaugment import DiffAugment
from impasto.data.loader import Batch
from impasto.device import choose_layout
from impasto.losses.penalties import gradient_penalty, r1, r2
from impasto.networks import build_discriminator
from impasto.networks.batch_norm import restored_statistics

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule

    from impasto.config.optimisation import AdamConfig
    from impasto.config.recipe import Recipe


@runtime_checkable
class Reconstructing(Protocol):
    """A discriminator that also learns to draw again what it sees: logits, and a loss that is added to its own."""

    def reconstruct(self, pictures: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]: ...


class DiscriminatorStep:
    """One discriminator of a recipe, learning beside the generator that it judges."""

    def __init__(self, recipe: "Recipe", fabric: "Fabric") -> None:
        self.fabric, self.settings, self.penalty = fabric, recipe.discriminator, recipe.penalty
        self.loss = LOSSES[recipe.loss].smoothed(recipe.smoothing)
        self.discriminator, self.optimizer = set_up(
            fabric, build_discriminator(**recipe.discriminator_kwargs()), self.settings, layout(recipe, fabric)
        )
        self._reconstructs = isinstance(self.discriminator.module, Reconstructing)
        self._sees_plain = getattr(self.discriminator.module, "sees_plain", False)
        if self._reconstructs:
            self.discriminator.mark_forward_method("reconstruct")
        self.augment = DiffAugment(**recipe.diffaugment.model_dump()).to(fabric.device)
        self._boundary = torch.zeros((), device=fabric.device)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What has a state: the discriminator, and the augmentation if it adapts."""
        networks: dict[str, nn.Module] = {"discriminator": self.discriminator}
        return networks if self.augment.target is None else networks | {"augment": self.augment}

    def step(self, real: Tensor, fake: Tensor, batch: Batch) -> dict[str, Tensor]:
        """One update: real up, fake down. Returns its loss, and how often it was right before."""
        fake = fake.detach()
        seen_real, seen_fake = self.augment(real, batch.rng), self.augment(fake, batch.rng)
        if self._reconstructs:
            logits_real, reconstruction = self.discriminator.reconstruct(seen_real, batch.rng)
        else:
            logits_real, reconstruction = self._logits(seen_real, real), None
        logits_fake = self._logits(seen_fake, fake)
        loss = self.loss.discriminator(logits_real, logits_fake)
        self.optimizer.zero_grad()
        more = self._penalties(seen_real, seen_fake, batch)
        self.fabric.backward(loss + more if reconstruction is None else loss + more + reconstruction)
        update(self.fabric, self.discriminator, self.optimizer, self.settings)
        with torch.no_grad():
            if self.settings.clip_weights is not None:
                for weight in self.discriminator.parameters():
                    weight.clamp_(-self.settings.clip_weights, self.settings.clip_weights)
            if not self.loss.absolute:
                self._boundary = (logits_real.mean() + logits_fake.mean()) / 2
            self.augment.adapt((logits_real - self._boundary).sign(), len(real))
            reconstructed = {} if reconstruction is None else {"loss_reconstruction": reconstruction.detach()}
            return reconstructed | {
                "loss_discriminator": loss.detach(),
                "accuracy_real": (logits_real > self._boundary).float().mean(),
                "accuracy_fake": (logits_fake < self._boundary).float().mean(),
            }

    def generator_loss(self, fake: Tensor, real: Tensor, batch: Batch) -> Tensor:
        """What a generator lowers to have ``fake`` taken for real. The discriminator gets no gradients by it."""
        self.discriminator.requires_grad_(False)
        logits_real = self._logits(self.augment(real, batch.rng), real) if self.loss.paired else None
        loss = self.loss.generator(self._logits(self.augment(fake, batch.rng), fake), logits_real)
        self.discriminator.requires_grad_(True)
        return loss

    @torch.no_grad()
    def heldout_accuracy(self, pictures: Tensor, rng: torch.Generator) -> Tensor:
        """How often it takes unseen real pictures for real, varied as those that it learns from: else what it has not
        seen would differ in that too. Changes nothing but ``rng``."""
        # In training mode, as in the step: BatchNorm's running statistics mix reals and fakes and would judge both
        # wrongly.
        forked = [pictures.device] if pictures.device.type == "cuda" else []
        with (
            restored_statistics(self.discriminator),
            torch.random.fork_rng(forked),
        ):  # it may look at a part chosen at random
            logits = self._logits(self.augment(pictures, rng), pictures)
        return (logits > self._boundary).float().mean()

    def _logits(self, augmented: Tensor, plain: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(augmented, plain) if self._sees_plain else self.discriminator(augmented)
        return logits

    def _penalties(self, real: Tensor, fake: Tensor, batch: Batch) -> Tensor:
        penalty, network = self.penalty, self.discriminator.module
        total = torch.zeros((), device=real.device)
        if batch.step % penalty.every:
            return total
        if penalty.gradient:
            total = total + penalty.gradient * gradient_penalty(network, real, fake, batch.rng)
        if penalty.r1:
            total = total + penalty.r1 * r1(network, real)
        if penalty.r2:
            total = total + penalty.r2 * r2(network, fake)
        return penalty.every * total


def layout(recipe: "Recipe", fabric: "Fabric") -> torch.memory_format:
    """How the maps of this recipe's networks lie in memory while they learn."""
    return choose_layout(fabric.device, recipe.normalises_spatially)


def set_up(
    fabric: "Fabric", network: nn.Module, settings: "AdamConfig", memory_format: torch.memory_format
) -> tuple["_FabricModule", torch.optim.Optimizer]:
    """A network and its Adam, on the device and in the precision of ``fabric``."""
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, betas=settings.betas, fused=True)
    wrapped, optimizer = fabric.setup(network, optimizer)
    return wrapped, optimizer


def update(fabric: "Fabric", network: nn.Module, optimizer: torch.optim.Optimizer, settings: "AdamConfig") -> None:
    """A step of the optimiser along the gradients that are there, shortened where the settings say so."""
    if settings.clip_gradient is not None:
        fabric.clip_gradients(network, optimizer, max_norm=settings.clip_gradient, error_if_nonfinite=False)
    optimizer.step()
