"""Measure the speed of ``impasto pack`` against a plain loop of Pillow's open, resize and array.

    python benchmarks/pack.py IMAGES [--size 256] [--rounds 3]

Both write the same ``.npy``. The plain loop ignores duplicates, colour profiles, orientation and damaged files. Rounds
alternate, and the best of each counts. Processor time is printed beside wall-clock time, for busy machines.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from numpy.lib.format import open_memmap
from PIL import Image

from impasto.data.pixel_store import PixelStore, pack


def plain(folder: Path, out: Path, size: int) -> int:
    """Pack with a plain loop into a memory-mapped array."""
    files = sorted(folder.iterdir())
    pixels = open_memmap(out, mode="w+", dtype=np.uint8, shape=(len(files), size, size, 3))
    for row, file in zip(pixels, files, strict=True):
        with Image.open(file) as image:
            row[:] = np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))
    pixels.flush()
    return len(files)


def ours(folder: Path, out: Path, size: int) -> int:
    """Pack with impasto."""
    return len(pack(folder, out, size).pixels)


def timed(work: Callable[[], int]) -> tuple[float, float, int]:
    """Return wall-clock seconds, processor seconds and the number of images."""
    clock, processor = time.perf_counter(), time.process_time()
    count = work()
    return time.perf_counter() - clock, time.process_time() - processor, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a folder that contains only images")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder, size = arguments.images, arguments.size

    best: dict[str, tuple[float, float, int]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(arguments.rounds):
            pack_path, plain_path = Path(scratch) / f"{number}", Path(scratch) / f"{number}.npy"
            methods: dict[str, Callable[[], int]] = {
                "plain": partial(plain, folder, plain_path, size),
                "ours": partial(ours, folder, pack_path, size),
            }
            for name, work in methods.items():
                best[name] = min(best.get(name, (float("inf"), 0.0, 0)), timed(work))
            plain_path.unlink()
        load, cores = psutil.getloadavg()[0], os.cpu_count()
        print(f"{folder} at {size}×{size}, {cores} cores, load {load:.1f}")
        for name, (clock, processor, count) in best.items():
            print(
                f"{name:>6}: {count:,} images in {clock:.1f} s, {count / clock:,.0f} per second; "
                f"{1000 * processor / count:.2f} ms of processor time each"
            )
        rates = {name: count / clock for name, (clock, _, count) in best.items()}
        print(f" ratio: {rates['ours'] / rates['plain']:.2f}")

        before, start = psutil.Process().memory_info().rss, time.perf_counter()
        store = PixelStore.open(Path(scratch) / "0")
        opened, rss = time.perf_counter() - start, psutil.Process().memory_info().rss - before
        print(f"  open: {1000 * opened:.1f} ms, {rss / 2**20:.1f} MB resident of {store.pixels.nbytes / 2**20:,.0f}")


if __name__ == "__main__":
    main()
