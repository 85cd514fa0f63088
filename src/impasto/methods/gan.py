"""The plain GAN (Goodfellow et al. 2014), from noise to pictures, as DCGAN trains it."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from impasto.data.loader import Batch
from impasto.losses.adversarial import ADVERSARIAL
from impasto.methods.base import Method
from impasto.networks import build_discriminator, build_generator
from impasto.networks.statistics import kept

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.recipe import Recipe


class Gan(Method):
    """One discriminator step, then one generator step against it, on the same fakes."""

    turns = "noise into paintings"

    def __init__(self, recipe: "Recipe", fabric: "Fabric") -> None:
        self.fabric, self.latent = fabric, recipe.latent
        self.loss = ADVERSARIAL[recipe.loss]
        g, d = recipe.generator, recipe.discriminator
        generator = build_generator(size=recipe.size, latent=recipe.latent, **g.architecture())
        discriminator = build_discriminator(size=recipe.size, **d.architecture())
        for network in (generator, discriminator):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer_g = torch.optim.Adam(generator.parameters(), lr=g.lr, betas=g.betas, fused=True)
        optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=d.lr, betas=d.betas, fused=True)
        self.generator, self.optimizer_g = fabric.setup(generator, optimizer_g)
        self.discriminator, self.optimizer_d = fabric.setup(discriminator, optimizer_d)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimizers = {"generator": self.optimizer_g, "discriminator": self.optimizer_d}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        real = batch.pictures.contiguous(memory_format=torch.channels_last)  # (B, 3, S, S)
        latents = torch.randn(len(real), self.latent, device=real.device, generator=batch.rng)  # (B, Z)
        fake = self.generator(latents)

        # The discriminator: real up, fake down.
        self.optimizer_d.zero_grad()
        logits_real, logits_fake = self.discriminator(real), self.discriminator(fake.detach())
        loss_d = self.loss.discriminator(logits_real, logits_fake)
        self.fabric.backward(loss_d)
        self.optimizer_d.step()

        # The generator: fake up. The discriminator's own gradients are not wanted here.
        self.optimizer_g.zero_grad()
        self.discriminator.requires_grad_(False)
        loss_g = self.loss.generator(self.discriminator(fake))
        self.fabric.backward(loss_g)
        self.discriminator.requires_grad_(True)
        self.optimizer_g.step()

        return {
            "loss_generator": loss_g.detach(),
            "loss_discriminator": loss_d.detach(),
            "accuracy_real": (logits_real > 0).float().mean(),
            "accuracy_fake": (logits_fake < 0).float().mean(),
            "spread": spread(fake.detach()) / spread(real),
        }

    def inputs(self, count: int, seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        return torch.randn(count, self.latent, generator=rng).to(self.fabric.device)

    def sample(self, painter: nn.Module, inputs: Tensor) -> Tensor:
        pictures: Tensor = painter(inputs)
        return pictures

    @torch.no_grad()
    def judge(self, batch: Batch) -> dict[str, Tensor]:
        # In training mode, as in the step: BatchNorm's running statistics mix reals and fakes and would judge both
        # wrongly.
        with kept(self.discriminator):
            logits = self.discriminator(batch.pictures.contiguous(memory_format=torch.channels_last))
        return {"accuracy_heldout": (logits > 0).float().mean()}

    def style(self) -> nn.Module:
        network: nn.Module = self.generator.module
        return network


def spread(pictures: Tensor) -> Tensor:
    """How much pictures (B, 3, S, S) differ from each other: the mean deviation of a pixel, of every 16th one."""
    return pictures[:, :, ::4, ::4].std(0).mean().clamp_min(1e-6)
