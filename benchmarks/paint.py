"""Speed and memory of stylisation, compared with a typical notebook.

    python benchmarks/paint.py PHOTOS [LARGE.jpg] [--count 256]

Many: photos to JPEGs in a zip with CycleGAN's ResNet-9 (64 channels). The baseline, as in the competition's notebooks:
float32, contiguous, InstanceNorm2d, one photo after the other is opened, painted, encoded and written. Ours:
``impasto paint``. Both have the same random weights, which amplify rounding, and use the GPU if there is one. The lower
bound: our convolutions alone.

One: a large photo with the style ``monet``, at 1/16, 1/4 and all of its area: time and peak memory of the process.

Start-up: ``impasto paint`` of one photo of 256 pixels with ``monet``, the whole command.
"""

import argparse
import copy
import shutil
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from command import run
from impasto.config.recipe import Recipe
from impasto.data.augment import to_pixels
from impasto.device import choose_device
from impasto.inference.precision import optimise_network
from impasto.networks import build_generator
from impasto.style import Card, Style
from results import record
from translate_step import copy_weights, resnet_9

DEVICE = choose_device("auto")


def style() -> Style:
    """Return an untrained style with CycleGAN's ResNet-9."""
    recipe = Recipe.load("cyclegan-resnet")
    torch.manual_seed(0)
    card = Card(
        task="translation",
        source="photos",
        target="paintings",
        recipe=recipe.values(),
        target_data={"name": "none", "pictures": 0},
        steps=0,
        pictures=0,
        seconds=0,
        seed=0,
        created=datetime.now(UTC).isoformat(),
        impasto="benchmark",
    )
    return Style(build_generator(**recipe.generator_kwargs()).eval(), card)


@torch.no_grad()
def plain(network: nn.Module, photos: list[Path], out: Path) -> None:
    """Paint as notebooks do."""
    with zipfile.ZipFile(out, "w") as archive:
        for path in photos:
            photo = np.asarray(Image.open(path).convert("RGB"))
            pictures = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float().to(DEVICE) / 127.5 - 1
            painting = Image.fromarray(to_pixels(network(pictures))[0].cpu().numpy())
            data = BytesIO()
            painting.save(data, "JPEG", quality=95, subsampling="4:4:4")
            archive.writestr(path.name, data.getvalue())


@torch.inference_mode()
def convolutions(network: nn.Module) -> float:
    """Return the seconds that the convolutions of our network take for one photo of 256 pixels."""
    fast, calls = optimise_network(network, DEVICE), list[tuple[nn.Conv2d, Tensor]]()

    def record(module: nn.Module, given: Any) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            maps = given[0].to(module.weight.dtype).contiguous(memory_format=torch.channels_last)
            calls.append((copy.deepcopy(module), maps))  # type: ignore[arg-type]

    handle = nn.modules.module.register_module_forward_pre_hook(record)
    fast(torch.zeros(1, 3, 256, 256, device=DEVICE))
    handle.remove()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for module, maps in calls:
            maps = module(maps)
        maps.sum().item()  # synchronises with a GPU
        times.append(time.perf_counter() - start)
    return min(times)


def many(photos: list[Path], folder: Path) -> None:
    """Compare the command, in its own process, with the baseline, here."""
    ours = style()
    ours.save(folder / "resnet.safetensors")
    theirs = resnet_9().eval().to(DEVICE)
    copy_weights(ours.network, theirs)
    plain(theirs, photos[:2], folder / "warm.zip")
    start = time.perf_counter()
    plain(theirs, photos, folder / "plain.zip")
    slow = time.perf_counter() - start
    some = folder / "photos"
    some.mkdir()
    for path in photos:
        shutil.copy(path, some)
    cost = run("paint", some, "--style", folder / "resnet.safetensors", "--out", folder / "ours.zip")
    fast, memory = cost.seconds, cost.memory
    limit = len(photos) * convolutions(ours.network)
    print(f"{len(photos)} photos into a zip, ResNet-9 of 64 channels, {DEVICE}, {torch.get_num_threads()} threads")
    print(f"  baseline                 {slow:7.1f} s")
    print(f"  ours, start-up included  {fast:7.1f} s   {slow / fast:.2f} times as fast, {memory / 1e6:.0f} MB")
    print(f"  our convolutions alone   {limit:7.1f} s   {slow / limit:.2f} times as fast")
    with zipfile.ZipFile(folder / "plain.zip") as one, zipfile.ZipFile(folder / "ours.zip") as other:
        pairs = [
            [np.asarray(Image.open(BytesIO(each.read(path.name))), float) for each in (one, other)] for path in photos
        ]
    apart = f"differ by {np.mean([np.abs(a - b).mean() for a, b in pairs]):.2f} grey levels on average"
    print(f"  the paintings {apart}")
    record(
        f"impasto paint, {len(photos)} photos into a zip, ResNet-9",
        fast,
        slow,
        limit,
        f"{memory / 1e6:.0f} MB, {apart}",
    )


def large(photo: Path, folder: Path) -> None:
    """Paint a photo at a quarter, half and all of its width."""
    with Image.open(photo) as image:
        whole = image.convert("RGB")
    for share in (4, 2, 1):
        smaller = whole.resize((whole.width // share, whole.height // share), Image.Resampling.LANCZOS)
        path = folder / f"large-{share}.jpg"
        smaller.save(path, quality=92)
        cost = run("paint", path, "--out", folder / f"painted-{share}.jpg")
        seconds, memory = cost.seconds, cost.memory
        size = smaller.width * smaller.height / 1e6
        print(f"{size:6.1f} megapixels with monet {seconds:7.1f} s   {memory / 1e6:.0f} MB")
        record(f"impasto paint, {size:.1f} megapixels with monet", seconds, note=f"{memory / 1e6:.0f} MB")


def start(photo: Path, folder: Path) -> None:
    """Run the whole command for one small photo."""
    times = [run("paint", photo, "--out", folder / f"start-{number}").seconds for number in range(5)]
    print(f"one photo of 256 pixels, the whole command: {min(times):.2f} to {max(times):.2f} s")
    record("impasto paint, one photo of 256 pixels", min(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder of photos of 256 pixels")
    parser.add_argument("large", type=Path, nargs="?", help="a large photo")
    parser.add_argument("--count", type=int, default=256)
    arguments = parser.parse_args()
    photos = sorted(arguments.photos.glob("*.jpg"))[: arguments.count]
    with tempfile.TemporaryDirectory() as scratch:
        start(photos[0], Path(scratch))
        if arguments.large is not None:
            large(arguments.large, Path(scratch))
        many(photos, Path(scratch))


if __name__ == "__main__":
    main()
