"""A training step of an unconditional GAN: a plain implementation against ours, with the same networks and batch.

    python benchmarks/noise_step.py [RECIPE] [--set generator.width=32] [--steps 3] [--rounds 3]

Plain: float32, contiguous, gradients of D computed in G's step too. Ours: the method, augmentation and EMA of
`impasto train`. Neither loads images: the training data is noise. In alternating rounds, so that a noisy machine
affects both.
"""

import argparse
import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from impasto.config.recipe import Recipe
from impasto.config.registries import LOSSES
from impasto.data.diffaugment import DiffAugment
from impasto.data.loader import Batches, Loader
from impasto.device import choose_device, choose_precision, open_fabric
from impasto.methods.discriminator_step import Reconstructing
from impasto.methods.gan import Gan, GanRecipe
from impasto.networks import build_discriminator, build_generator
from impasto.training.ema import ModelEma
from turns import Way, report

WARM_UP = 1  # steps that prepare kernels and memory
PICTURES = 64


def plain(recipe: GanRecipe, device: torch.device) -> Iterator[None]:
    """Yield after each plain step."""
    generator = build_generator(**recipe.generator_kwargs()).to(device)
    discriminator = build_discriminator(**recipe.discriminator_kwargs()).to(device)
    adam_g = torch.optim.Adam(generator.parameters(), recipe.generator.lr, recipe.generator.betas)
    adam_d = torch.optim.Adam(discriminator.parameters(), recipe.discriminator.lr, recipe.discriminator.betas)
    augment = DiffAugment(**recipe.diffaugment.model_dump()).to(device)
    game, rng = LOSSES[recipe.loss], torch.Generator(device)
    pictures = torch.rand(PICTURES, 3, recipe.size, recipe.size, device=device) * 2 - 1
    while True:
        real = pictures[torch.randint(PICTURES, (recipe.batch,))]
        fake = generator(torch.randn(recipe.batch, recipe.latent, device=device))
        discriminator.zero_grad()
        shown = augment(real, rng)
        if isinstance(discriminator, Reconstructing):
            logits, loss = discriminator.reconstruct(shown, rng)
        else:
            logits, loss = discriminator(shown), torch.zeros((), device=device)
        (loss + game.discriminator(logits, discriminator(augment(fake.detach(), rng)))).backward()
        adam_d.step()
        generator.zero_grad()
        paired: Tensor | None = discriminator(augment(real, rng)) if game.paired else None
        painted = game.generator(discriminator(augment(fake, rng)), paired)
        painted.backward()
        adam_g.step()
        painted.item()
        yield


def ours(recipe: GanRecipe, device: torch.device) -> Iterator[None]:
    """Yield after each step of `impasto train`."""
    method = Gan(recipe, open_fabric(device, choose_precision("auto", device)))
    ema = ModelEma(method.style(), recipe.ema.halflife, recipe.ema.rampup)
    store = np.random.default_rng(0).integers(0, 256, (PICTURES, recipe.stored_size, recipe.stored_size, 3), np.uint8)
    batches = Batches(Loader(store, np.arange(PICTURES), recipe.size, recipe.batch, recipe.augment, 0, device))
    for number in itertools.count():
        losses = method.step(batches.batch(number))
        ema.update(method.style(), recipe.batch, (number + 1) * recipe.batch)
        losses["loss_generator"].item()
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="fastgan-128", help="one without penalties, which plain lacks")
    parser.add_argument("--set", action="append", default=[], help="a setting, such as generator.width=32")
    parser.add_argument("--steps", type=int, default=3, help="measured steps of each in a round")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    device, recipe = choose_device("auto"), Recipe.load(arguments.recipe).replace(arguments.set)
    if not isinstance(recipe, GanRecipe) or recipe.penalty.r1 or recipe.penalty.r2 or recipe.penalty.gradient:
        parser.error(f"{recipe.name} does not start from noise, or has penalties")
    ways: dict[str, Way] = {
        "plain": lambda: plain(recipe, device),
        "ours": lambda: ours(recipe, device),
    }
    precision = choose_precision("auto", device)
    title = f"{recipe.name}, {device}, {torch.get_num_threads()} threads, {precision}, batch {recipe.batch}"
    report(title, f"{recipe.name}, a step", ways, arguments.rounds, arguments.steps, WARM_UP)


if __name__ == "__main__":
    main()
