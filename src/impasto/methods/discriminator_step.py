"""Discriminator step: loss, penalties, augmentation and optimiser of one discriminator."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from impasto import parallel
from impasto.config.registries import LOSSES
from impasto.data.diffaugment import DiffAugment
from impasto.data.loader import Batch
from impasto.losses.penalties import gradient_penalty, r1, r2
from impasto.networks import build_discriminator
from impasto.networks.batch_norm import restored_statistics
from impasto.networks.global_batch import act_on_global_batch

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule

    from impasto.config.optimisation import AdamConfig
    from impasto.config.recipe import Recipe


@runtime_checkable
class Reconstructing(Protocol):
    """A discriminator that is also trained as an autoencoder on real images: ``reconstruct`` returns logits and a
    scalar loss, which is added to the adversarial one."""

    def reconstruct(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]: ...


class DiscriminatorStep:
    """One discriminator of a recipe with everything that it is trained by."""

    def __init__(self, recipe: "Recipe", fabric: "Fabric") -> None:
        self.fabric, self.settings, self.penalty = fabric, recipe.discriminator, recipe.penalty
        self.loss = LOSSES[recipe.loss].smoothed(recipe.smoothing)
        self.discriminator, self.optimizer = setup_network(
            fabric,
            build_discriminator(**recipe.discriminator_kwargs()),
            self.settings,
        )
        self._reconstructs = isinstance(self.discriminator.module, Reconstructing)
        self._takes_unaugmented = getattr(self.discriminator.module, "takes_unaugmented", False)
        self.augment = DiffAugment(**recipe.diffaugment.model_dump()).to(fabric.device)
        self._boundary = torch.zeros((), device=fabric.device)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All modules with state, by name: the discriminator, and the augmentation if it is adaptive."""
        networks: dict[str, nn.Module] = {"discriminator": self.discriminator}
        return networks if self.augment.target is None else networks | {"augment": self.augment}

    def step(self, real: Tensor, fake: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Update the discriminator once on real and fake images, (B, 3, S, S) in −1…1.

        Returns:
            Scalars: ``loss_discriminator``, without penalties; ``accuracy_real`` and ``accuracy_fake``, the fractions
            classified correctly before the update; ``loss_reconstruction``, if it is trained as an autoencoder.
        """
        fake = fake.detach()
        augmented_real, augmented_fake = self.augment(real, batch.rng), self.augment(fake, batch.rng)
        if self._reconstructs:
            with self.fabric.autocast():  # Fabric applies it to forward passes alone
                logits_real, reconstruction = self.discriminator.reconstruct(augmented_real, batch.rng)
        else:
            logits_real, reconstruction = self._logits(augmented_real, real), None
        logits_fake = self._logits(augmented_fake, fake)
        loss = self.loss.discriminator(logits_real, logits_fake)
        self.optimizer.zero_grad()
        total = loss + self._gradient_penalty(augmented_real, augmented_fake, batch) + self._r1_r2(real, fake, batch)
        self.fabric.backward(total if reconstruction is None else total + reconstruction)
        optimizer_step(self.fabric, self.discriminator, self.optimizer, self.settings)
        with torch.no_grad():
            if self.settings.clip_weights is not None:
                for weight in self.discriminator.parameters():
                    weight.clamp_(-self.settings.clip_weights, self.settings.clip_weights)
            if not self.loss.absolute:
                self._boundary = parallel.mean((logits_real.mean() + logits_fake.mean()) / 2)
            self.augment.adapt((logits_real - self._boundary).sign(), len(real))
            reconstructed = {} if reconstruction is None else {"loss_reconstruction": reconstruction.detach()}
            return reconstructed | {
                "loss_discriminator": loss.detach(),
                "accuracy_real": (logits_real > self._boundary).float().mean(),
                "accuracy_fake": (logits_fake < self._boundary).float().mean(),
            }

    def generator_loss(self, fake: Tensor, real: Tensor, batch: Batch) -> Tensor:
        """Return the adversarial loss of the generator, a scalar, for ``fake`` (B, 3, S, S). Only paired losses use
        ``real``. The discriminator's parameters get no gradients."""
        self.discriminator.requires_grad_(False)
        logits_real = self._logits(self.augment(real, batch.rng), real) if self.loss.paired else None
        loss = self.loss.generator(self._logits(self.augment(fake, batch.rng), fake), logits_real)
        self.discriminator.requires_grad_(True)
        return loss

    @torch.no_grad()
    def heldout_accuracy(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Return the fraction of held-out real images (B, 3, S, S) that is classified as real, a scalar.

        They are augmented like training images, so that augmentation is no difference between both. Nothing but ``rng``
        changes.
        """
        # In training mode, as in the step: BatchNorm's running statistics mix reals and fakes and suit neither.
        forked = [images.device] if images.device.type == "cuda" else []
        with restored_statistics(self.discriminator), torch.random.fork_rng(forked):  # the network may crop at random
            logits = self._logits(self.augment(images, rng), images)
        return (logits > self._boundary).float().mean()

    def _logits(self, augmented: Tensor, images: Tensor) -> Tensor:
        inputs = (augmented, images) if self._takes_unaugmented else (augmented,)
        logits: Tensor = self.discriminator(*inputs)
        return logits

    def _gradient_penalty(self, real: Tensor, fake: Tensor, batch: Batch) -> Tensor:
        """Return the weighted WGAN-GP penalty between augmented images, which the loss compares."""
        penalty = self.penalty
        if not penalty.gradient or batch.step % penalty.every:
            return torch.zeros((), device=real.device)
        value = gradient_penalty(self.discriminator.module, real, fake, batch.rng)
        return penalty.every * penalty.gradient * value

    def _r1_r2(self, real: Tensor, fake: Tensor, batch: Batch) -> Tensor:
        """Return the weighted R1 and R2 with respect to images before augmentation, through which they are
        differentiated, as in the code of StyleGAN2-ADA (arXiv:2006.06676) and R3GAN (arXiv:2501.05441)."""
        penalty, network = self.penalty, self.discriminator.module
        total = torch.zeros((), device=real.device)
        if batch.step % penalty.every:
            return total

        def augmented_logits(images: Tensor) -> Tensor:
            augmented = self.augment(images, batch.rng)
            logits: Tensor = network(augmented, images) if self._takes_unaugmented else network(augmented)
            return logits

        if penalty.r1:
            total = total + penalty.r1 * r1(augmented_logits, real)
        if penalty.r2:
            total = total + penalty.r2 * r2(augmented_logits, fake)
        return penalty.every * total


def setup_network(
    fabric: "Fabric", network: nn.Module, settings: "AdamConfig"
) -> tuple["_FabricModule", torch.optim.Optimizer]:
    """Return a network, wrapped and in channels-last, and its Adam optimiser, on the device and in the precision of
    ``fabric``."""
    act_on_global_batch(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, betas=settings.betas, fused=True)
    wrapped, optimizer = fabric.setup(network, optimizer)
    return wrapped, optimizer


def optimizer_step(
    fabric: "Fabric", network: nn.Module, optimizer: torch.optim.Optimizer, settings: "AdamConfig"
) -> None:
    """Update ``network`` by its gradients, averaged over the processes of the training and clipped to the norm
    ``settings.clip_gradient`` if that is set."""
    parallel.average_gradients(network)
    if settings.clip_gradient is not None:
        fabric.clip_gradients(network, optimizer, max_norm=settings.clip_gradient, error_if_nonfinite=False)
    optimizer.step()
