"""A CUT training step with ResNet-9: a plain implementation of the paper against ours.

    python benchmarks/cut_step.py [--size 256] [--batch 1] [--steps 2] [--rounds 3]

Plain, from the paper (Park et al. 2020, arXiv:2007.15651): float32, contiguous, InstanceNorm2d, antialiased changes of
size by grouped convolutions, one generator pass over photos and paintings, features of inputs and outputs by further
passes of the encoder, 256 patches of five layers, MLP heads, LSGAN. Its discriminator has strides, which cost less than
antialiasing. Ours: the method, augmentation and EMA of ``impasto train cut``. The images are noise. In alternating
rounds, so that a noisy machine affects both.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fixtures.peers import Resnet
from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.data.loader import Batches, Loader
from impasto.device import choose_device, choose_precision, open_fabric
from impasto.training.ema import ModelEma
from translate_step import patchgan
from turns import Way, report

WARM_UP = 1  # steps that prepare kernels and memory
PICTURES = 8
#: Layers whose outputs are compared, of those of the generator; the third and fourth are the first and fifth block.
LAYERS, CHANNELS = (0, 4, 8, 12, 16), (3, 128, 256, 256, 256)
PATCHES, TEMPERATURE = 256, 0.07


def encode(generator: Resnet, images: Tensor) -> list[Tensor]:
    """Return the compared maps of images."""
    maps, found = images, []
    for number, layer in enumerate(generator.model.children()):
        if number > LAYERS[-1]:
            break
        maps = layer(maps)
        found += [maps] if number in LAYERS else []
    return found


def contrast(generator: Resnet, heads: nn.ModuleList, source: Tensor, output: Tensor) -> Tensor:
    """Return the PatchNCE loss (equation 4), averaged over the layers."""
    total = torch.zeros((), device=source.device)
    for head, query, key in zip(heads, encode(generator, output), encode(generator, source), strict=True):
        places = torch.randperm(query[0, 0].numel(), device=query.device)[:PATCHES]
        one, other = (F.normalize(head(maps.flatten(2)[:, :, places].transpose(1, 2)), dim=2) for maps in (query, key))
        similar = torch.bmm(one, other.detach().transpose(1, 2)).flatten(0, 1) / TEMPERATURE
        total = total + F.cross_entropy(similar, torch.arange(places.numel(), device=places.device).repeat(len(one)))
    return total / len(LAYERS)


def plain(size: int, batch: int, device: torch.device) -> Iterator[None]:
    """Yield after each plain step."""
    generator = Resnet(64, 9, nn.InstanceNorm2d, True, False, True, True).to(device)
    discriminator = patchgan().to(device)
    heads = nn.ModuleList(nn.Sequential(nn.Linear(c, 256), nn.ReLU(), nn.Linear(256, 256)) for c in CHANNELS)
    heads.to(device)
    adams = [torch.optim.Adam(each.parameters(), 2e-4, (0.5, 0.999)) for each in (generator, discriminator, heads)]
    pictures = torch.rand(2 * PICTURES, 3, size, size, device=device) * 2 - 1
    while True:
        photo, painting = pictures[torch.randperm(len(pictures))[: 2 * batch]].chunk(2)
        fake, same = generator(torch.cat([photo, painting])).chunk(2)
        discriminator.requires_grad_(True)
        adams[1].zero_grad()
        loss = (discriminator(fake.detach()).square().mean() + (discriminator(painting) - 1).square().mean()) / 2
        loss.backward()
        adams[1].step()
        discriminator.requires_grad_(False)
        adams[0].zero_grad()
        adams[2].zero_grad()
        adversarial = (discriminator(fake) - 1).square().mean()
        pairs = contrast(generator, heads, photo, fake) + contrast(generator, heads, painting, same)
        (adversarial + pairs / 2).backward()
        adams[0].step()
        adams[2].step()
        adversarial.item()
        yield


def ours(size: int, batch: int, device: torch.device) -> Iterator[None]:
    """Yield after each step of ``impasto train cut``."""
    recipe = Recipe.load("cut").replace([f"size={size}", f"batch={batch}"])
    method = METHODS[recipe.method](recipe, open_fabric(device, choose_precision("auto", device)))
    ema = ModelEma(method.style(), recipe.ema.halflife, recipe.ema.rampup)
    stores = np.random.default_rng(0).integers(0, 256, (2, PICTURES, size, size, 3), np.uint8)
    loaders = [
        Loader(store, np.arange(PICTURES), size, batch, recipe.augment, 0, device, order)
        for store, order in zip(stores, ("epoch", "photos"), strict=True)
    ]
    for number in itertools.count():
        losses = method.step(Batches(*loaders).batch(number))
        ema.update(method.style(), batch, (number + 1) * batch)
        losses["loss_generator"].item()
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2, help="measured steps of each in a round")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    device, size, batch = choose_device("auto"), arguments.size, arguments.batch
    ways: dict[str, Way] = {
        "plain": lambda: plain(size, batch, device),
        "ours": lambda: ours(size, batch, device),
    }
    precision = choose_precision("auto", device)
    title = f"cut, {device}, {torch.get_num_threads()} threads, {precision}, {size}² × {batch}"
    report(title, f"cut, a step at {size}²", ways, arguments.rounds, arguments.steps, WARM_UP)


if __name__ == "__main__":
    main()
