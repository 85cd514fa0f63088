"""A CycleGAN training step with ResNet-9: the implementation of pytorch-CycleGAN-and-pix2pix against ours.

    python benchmarks/translate_step.py PAINTINGS PHOTOS [--size 256] [--batch 1] [--steps 20] [--precision auto]

Both start from the same weights and get the same images, in alternating steps, so that a noisy machine affects both.
Theirs, rewritten from the paper (Zhu et al. 2017, arXiv:1703.10593) in the order of their step: float32, eager,
contiguous, InstanceNorm2d, ReflectionPad2d, one image at a time through a generator, image pools. Ours: the method of
`impasto train cyclegan-resnet` and its EMA. Both compute the same, so the losses are equal at first and then differ as
rounding errors grow: Adam's first steps have the same length for a gradient of rounding errors as for any other. (Each
draws its own images from its pool, but the first 50 are all new.)
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.data.loader import Batch, Batches, Loader
from impasto.data.pixel_store import PixelStore, pack
from impasto.device import choose_device, choose_precision, open_fabric
from impasto.methods.cyclegan import CycleGan
from impasto.training.ema import ModelEma
from results import record
from turns import convolution_seconds

RECIPE = Recipe.load("cyclegan-resnet")
CYCLE, IDENTITY, POOL = 10.0, 5.0, 50
SHOWN = ("loss_generator", "loss_cycle", "loss_cycle_back", "loss_identity", "loss_discriminator")


class Block(nn.Module):
    """A residual block as in the paper's appendix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        halves = ([nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)] for _ in range(2))
        first, second = halves
        self.layers = nn.Sequential(*first, nn.ReLU(True), *second)

    def forward(self, maps: Tensor) -> Tensor:
        added: Tensor = self.layers(maps)
        return maps + added


def resnet_9() -> nn.Sequential:
    """c7s1-64, d128, d256, R256 × 9, u128, u64, c7s1-3."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, 64, 7), nn.InstanceNorm2d(64), nn.ReLU(True)]
    for width in (64, 128):
        layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU(True)]
    layers += [Block(256) for _ in range(9)]
    for width in (256, 128):
        enlarge = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1)
        layers += [enlarge, nn.InstanceNorm2d(width // 2), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(64, 3, 7), nn.Tanh())


def patchgan() -> nn.Sequential:
    """C64, C128, C256, C512 and one logit a patch of 70 pixels."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for width, stride in ((64, 2), (128, 2), (256, 1)):
        layers += [nn.Conv2d(width, 2 * width, 4, stride, 1), nn.InstanceNorm2d(2 * width), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))


def copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy the weights. Ours have no bias before a normalisation, which would remove it."""
    alone = (nn.Conv2d, nn.ConvTranspose2d)
    pairs = zip(*([m for m in network.modules() if isinstance(m, alone)] for network in (ours, theirs)), strict=True)
    with torch.no_grad():
        for one, other in pairs:
            other.weight.copy_(one.weight)
            nn.init.zeros_(other.bias) if one.bias is None else other.bias.copy_(one.bias)


class Pool:
    """Image pool: once it is full, every second fake is replaced by an earlier one."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []

    def query(self, fakes: Tensor) -> Tensor:
        shown = []
        for fake in fakes.detach().split(1):
            if len(self.kept) < POOL:
                self.kept.append(fake)
            elif random.random() < 0.5:
                place = random.randrange(POOL)
                fake, self.kept[place] = self.kept[place], fake
            shown.append(fake)
        return torch.cat(shown)


class Peer:
    """Their step."""

    def __init__(self, ours: CycleGan, device: torch.device) -> None:
        self.g, self.f, self.d_y, self.d_x = resnet_9(), resnet_9(), patchgan(), patchgan()
        same = (
            ours.generator,
            ours.back,
            ours.discriminator_step.discriminator,
            ours.discriminator_step_back.discriminator,
        )
        for network, other in zip((self.g, self.f, self.d_y, self.d_x), same, strict=True):
            network.to(device)
            copy_weights(other, network)
        generators, critics = nn.ModuleList((self.g, self.f)), nn.ModuleList((self.d_y, self.d_x))
        self.discriminators = critics
        self.adam_g = torch.optim.Adam(generators.parameters(), 2e-4, (0.5, 0.999))
        self.adam_d = torch.optim.Adam(critics.parameters(), 2e-4, (0.5, 0.999))
        self.pool_y, self.pool_x = Pool(), Pool()

    def step(self, batch: Batch) -> dict[str, Tensor]:
        x, y = batch.photos.contiguous(), batch.paintings.contiguous()
        fake_y = self.g(x)
        back_x = self.f(fake_y)
        fake_x = self.f(y)
        back_y = self.g(fake_x)

        self.discriminators.requires_grad_(False)
        self.adam_g.zero_grad()
        parts = {
            "loss_identity": F.l1_loss(self.g(y), y),
            "loss_identity_back": F.l1_loss(self.f(x), x),
            "loss_adversarial": _squares(self.d_y(fake_y), 1.0),
            "loss_adversarial_back": _squares(self.d_x(fake_x), 1.0),
            "loss_cycle": F.l1_loss(back_x, x),
            "loss_cycle_back": F.l1_loss(back_y, y),
        }
        loss = parts["loss_adversarial"] + parts["loss_adversarial_back"]
        loss = loss + CYCLE * (parts["loss_cycle"] + parts["loss_cycle_back"])
        loss = loss + IDENTITY * (parts["loss_identity"] + parts["loss_identity_back"])
        loss.backward()
        self.adam_g.step()

        self.discriminators.requires_grad_(True)
        self.adam_d.zero_grad()
        losses = {}
        for name, discriminator, real, fake in (
            ("loss_discriminator", self.d_y, y, self.pool_y.query(fake_y)),
            ("loss_discriminator_back", self.d_x, x, self.pool_x.query(fake_x)),
        ):
            losses[name] = 0.5 * (_squares(discriminator(real), 1.0) + _squares(discriminator(fake), 0.0))
            losses[name].backward()
        self.adam_d.step()
        return losses | parts | {"loss_generator": loss}


def _squares(logits: Tensor, label: float) -> Tensor:
    # Ours puts the boundary at logit 0 instead of ½: the same game, once the bias of the last layer is shifted.
    return (logits - (label - 0.5)).square().mean()


class Ours:
    """The step of ``impasto train``."""

    def __init__(self, method: CycleGan) -> None:
        self.method, self.seen = method, 0
        self.ema = ModelEma(method.style(), RECIPE.ema.halflife, RECIPE.ema.rampup)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        losses = self.method.step(batch)
        self.seen += len(batch.photos)
        self.ema.update(self.method.style(), len(batch.photos), self.seen)
        return losses


def timed(way: Peer | Ours, batch: Batch) -> tuple[float, dict[str, float]]:
    begun = time.perf_counter()
    losses = {name: value.item() for name, value in way.step(batch).items()}
    return time.perf_counter() - begun, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paintings", type=Path, help="a folder of pictures")
    parser.add_argument("photos", type=Path, help="another")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", default="auto", help="of ours: auto, bf16 or fp32")
    arguments = parser.parse_args()
    device = choose_device("auto")
    precision = choose_precision(arguments.precision, device)
    recipe = RECIPE.replace([f"batch={arguments.batch}", f"size={arguments.size}"])

    def loader(store: PixelStore, order: str) -> Loader:
        every = np.arange(len(store.pixels))
        return Loader(store.pixels, every, recipe.size, recipe.batch, recipe.augment, 0, device, order)

    with tempfile.TemporaryDirectory() as folder:
        given = (arguments.paintings, arguments.photos)
        stores = [pack(pictures, Path(folder) / str(place), recipe.size) for place, pictures in enumerate(given)]
        batches = Batches(loader(stores[0], "epoch"), loader(stores[1], "photos"))
        torch.manual_seed(0)
        method = METHODS[recipe.method](recipe, open_fabric(device, precision))
        assert isinstance(method, CycleGan)
        ways: dict[str, Peer | Ours] = {"peer": Peer(method, device), "ours": Ours(method)}
        times: dict[str, list[float]] = {name: [] for name in ways}
        apart: dict[str, float] = dict.fromkeys(SHOWN, 0.0)
        print(f"{device}, {torch.get_num_threads()} threads, ours in {precision}, {recipe.size}² × {recipe.batch}")
        print("step  " + "".join(f"{name.removeprefix('loss_'):>20}" for name in SHOWN) + "   (peer, ours)")
        for number in range(arguments.steps):
            found = {}
            for name, way in ways.items():
                seconds, found[name] = timed(way, batches.batch(number))
                times[name].append(seconds)
            line = ""
            for loss in SHOWN:
                one, other = (found[name][loss] for name in ways)
                apart[loss] = max(apart[loss], abs(other / one - 1))
                line += f"{one:>12.4f}{other:>8.4f}"
            print(f"{number + 1:>4}  {line}", flush=True)
    print("apart " + "".join(f"{100 * value:>18.3f} %" for value in apart.values()) + "   at most")
    slow = statistics.median(times["peer"][1:])  # the first step prepares kernels and memory
    for name, taken in times.items():
        median = statistics.median(taken[1:])
        print(f"{name}: {median:6.3f} s a step, {arguments.batch / median:6.2f} pictures/s, {slow / median:5.2f} times")
    fast = statistics.median(times["ours"][1:])
    limit = convolution_seconds(lambda: ways["ours"].step(batches.batch(arguments.steps)))
    print(f"convolutions of ours: {limit:6.3f} s a step")
    record(
        f"cyclegan-resnet, a step at {recipe.size}²",
        fast,
        slow,
        limit,
        note=f"losses apart by {max(apart.values()):.1%} at most",
    )


if __name__ == "__main__":
    main()
