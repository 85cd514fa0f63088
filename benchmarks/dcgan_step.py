"""A DCGAN-64 training step, from JPEG files to updated networks: the well-known tutorial against ours.

    python benchmarks/dcgan_step.py PHOTOS [--steps 8] [--rounds 3]

Both train the same networks on the same images with the same batch, in alternating rounds, so that a noisy machine
affects both. The tutorial: float32, JPEGs decoded by Pillow in a DataLoader with two workers, D gradients computed in
G's step too. Ours: the loader, method and EMA of `impasto train dcgan-64`. The limit is the time of our convolutions
alone: no loading, normalisation, activation or optimiser.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from impasto.config.recipe import Recipe
from impasto.data.loader import Batches, Loader
from impasto.data.pixel_shards import PixelShards
from impasto.data.pixel_store import pack
from impasto.device import choose_device, choose_precision, open_fabric
from impasto.methods.gan import Gan, GanRecipe
from impasto.networks import build_discriminator, build_generator
from impasto.training.ema import ModelEma
from results import record
from turns import Way, seconds_per_step

RECIPE = cast(GanRecipe, Recipe.load("dcgan-64"))
WARM_UP = 2  # steps that prepare kernels and memory, and fill the DataLoader's queue
BCE = nn.functional.binary_cross_entropy_with_logits


class Files(Dataset[Tensor]):
    """Images decoded and resized by Pillow at each access."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.rglob("*.jpg"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.files[index]) as file:
            picture = file.convert("RGB").resize((RECIPE.size, RECIPE.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1


def networks() -> tuple[nn.Module, nn.Module]:
    return build_generator(**RECIPE.generator_kwargs()), build_discriminator(**RECIPE.discriminator_kwargs())


def tutorial(photos: Path, device: torch.device) -> Iterator[None]:
    """Yield after each step of the tutorial."""
    generator, discriminator = (network.to(device) for network in networks())
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    ones, zeros = torch.ones(RECIPE.batch, device=device), torch.zeros(RECIPE.batch, device=device)
    for batch in DataLoader(Files(photos), RECIPE.batch, shuffle=True, num_workers=2, drop_last=True):
        real = batch.to(device)
        discriminator.zero_grad()
        BCE(discriminator(real), ones).backward()
        fake = generator(torch.randn(RECIPE.batch, RECIPE.latent, device=device))
        BCE(discriminator(fake.detach()), zeros).backward()
        adam_d.step()
        generator.zero_grad()
        loss = BCE(discriminator(fake), ones)
        loss.backward()
        adam_g.step()
        loss.item()
        yield


def ours(store: PixelShards, device: torch.device) -> Iterator[None]:
    """Yield after each step of `impasto train`."""
    method = Gan(RECIPE, open_fabric(device, choose_precision("auto", device)))
    ema = ModelEma(method.style(), RECIPE.ema.halflife, RECIPE.ema.rampup)
    batches = Batches(Loader(store, np.arange(len(store)), RECIPE.size, RECIPE.batch, RECIPE.augment, 0, device))
    for number in itertools.count():
        losses = method.step(batches.batch(number))
        ema.update(method.style(), RECIPE.batch, (number + 1) * RECIPE.batch)
        losses["loss_generator"].item()
        yield


def convolutions(device: torch.device) -> Iterator[None]:
    """The convolutions of our steps, forward and backward, and nothing else."""
    alone = (nn.Conv2d, nn.ConvTranspose2d)
    dtype = torch.bfloat16 if choose_precision("auto", device) == "bf16-mixed" else torch.float32
    generator, discriminator = (
        nn.Sequential(*(layer for layer in network.modules() if isinstance(layer, alone))).to(device, dtype)
        for network in networks()
    )
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for weight in network.parameters():  # without normalisation, smaller ones would end in denormal numbers
            nn.init.normal_(weight, 0, (weight.numel() / weight.shape[1]) ** -0.5)
    real = torch.randn(RECIPE.batch, 3, RECIPE.size, RECIPE.size, device=device, dtype=dtype)
    real = real.contiguous(memory_format=torch.channels_last)
    latents = torch.randn(RECIPE.batch, RECIPE.latent, 1, 1, device=device, dtype=dtype)
    while True:
        fake = generator(latents)
        (discriminator(real).sum() + discriminator(fake.detach()).sum()).backward()
        discriminator.requires_grad_(False)
        loss = discriminator(fake).sum()
        loss.backward()
        discriminator.requires_grad_(True)
        loss.item()
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder of JPEG files")
    parser.add_argument("--steps", type=int, default=8, help="measured steps of each in a round")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    device = choose_device("auto")
    with tempfile.TemporaryDirectory() as folder:
        store = pack(arguments.photos, Path(folder) / "pack", size=RECIPE.stored_size)
        ways: dict[str, Way] = {
            "tutorial": lambda: tutorial(arguments.photos, device),
            "ours": lambda: ours(store.pixels, device),
            "convolutions alone": lambda: convolutions(device),
        }
        medians = seconds_per_step(ways, arguments.rounds, arguments.steps, WARM_UP)
    print(f"{device}, {torch.get_num_threads()} threads, {choose_precision('auto', device)}, batch {RECIPE.batch}")
    for name, median in medians.items():
        times = medians["tutorial"] / median
        print(f"{name:20} {median:6.3f} s a step  {RECIPE.batch / median:6.1f} pictures/s  {times:5.2f} times")
    record("dcgan-64, a step from JPEG files", medians["ours"], medians["tutorial"], medians["convolutions alone"])


if __name__ == "__main__":
    main()
