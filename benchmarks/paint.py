"""How fast photos are painted, and in how much memory, against the plain way.

    python benchmarks/paint.py PHOTOS LARGE.jpg [--count 256] [--rounds 1] [--out FOLDER]

Many: photos to JPEGs in a zip with CycleGAN's ResNet-9 of 64 channels. The plain way, as in the competition's notebooks:
float32, contiguous, InstanceNorm2d, one photo after the other is opened, painted, encoded and written. Ours: what
``impasto paint`` does. Both have the same weights, drawn by chance. The limit: our convolutions alone.

One: a large photo, with the style ``monet``. The plain way paints it at once, ours piece by piece. Each has a process of
its own, whose time and largest memory are told, and the paintings are compared. ``--out`` keeps ours, and a map of the
differences, a hundred times as strong.

Start: ``impasto paint`` of one photo of 256 pixels, from the shell and back.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from translate_step import copy_weights, painter

from impasto.data.augment import to_pixels
from impasto.paint.quick import quicken
from impasto.recipe import Recipe
from impasto.style import Card, Style

CPU = torch.device("cpu")


def style() -> Style:
    """ResNet-9 as CycleGAN has it, untrained."""
    recipe = Recipe.load("cyclegan-resnet").replace(["generator.up=transpose", "generator.residual=false"])
    torch.manual_seed(0)
    from impasto.networks import build_generator

    card = Card(
        turns="photos into paintings",
        recipe=recipe.values(),
        source={"name": "none", "pictures": 0},
        steps=0,
        pictures=0,
        seconds=0,
        seed=0,
        created=datetime.now(UTC).isoformat(),
        impasto="benchmark",
    )
    return Style(build_generator(**recipe.painter()).eval(), card)


@torch.no_grad()
def plain(network: nn.Module, photos: list[Path], out: Path) -> None:
    """Paints as notebooks do."""
    with zipfile.ZipFile(out, "w") as archive:
        for path in photos:
            photo = np.asarray(Image.open(path).convert("RGB"))
            pictures = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            painting = Image.fromarray(to_pixels(network(pictures))[0].numpy())
            data = BytesIO()
            painting.save(data, "JPEG", quality=95, subsampling="4:4:4")
            archive.writestr(path.name, data.getvalue())


def command(*arguments: str | Path) -> tuple[float, int]:
    """Runs Python or ``impasto`` with these arguments: seconds, and bytes of memory at most."""
    start = time.perf_counter()
    subprocess.run([*map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


def convolutions(network: nn.Module) -> float:
    """Seconds that the convolutions of a painting of 256 pixels take by themselves, as ours are computed."""
    shapes: list[tuple[nn.Module, Tensor]] = []
    quick = quicken(network, CPU)
    handle = nn.modules.module.register_module_forward_pre_hook(
        lambda module, given: (
            shapes.append((module, given[0])) if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) else None
        )
    )
    with torch.inference_mode():
        quick(torch.zeros(1, 3, 256, 256))
        handle.remove()
        for _ in range(3):
            start = time.perf_counter()
            for module, maps in shapes:
                module(maps.to(module.weight.dtype))  # type: ignore[arg-type]
            seconds = time.perf_counter() - start
    return seconds
