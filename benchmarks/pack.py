"""Measure ``impasto pack``, the whole command, against a plain loop of Pillow's open, resize and array.

    python benchmarks/pack.py IMAGES [--size 256] [--rounds 3]

Both write the same ``.npy``. The plain loop ignores duplicates, colour profiles, orientation and damaged files; its
start-up is not counted. Rounds alternate, and the best of each counts. Processor time is printed beside wall-clock
time, for busy machines.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from numpy.lib.format import open_memmap
from PIL import Image

from command import Cost, run
from impasto.data.pixel_store import PixelStore
from results import record


def plain(folder: Path, out: Path, size: int) -> Cost:
    """Pack with a plain loop into a memory-mapped array."""
    clock, processor = time.perf_counter(), time.process_time()
    files = sorted(folder.iterdir())
    pixels = open_memmap(out, mode="w+", dtype=np.uint8, shape=(len(files), size, size, 3))
    for row, file in zip(pixels, files, strict=True):
        with Image.open(file) as image:
            row[:] = np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))
    pixels.flush()
    return Cost(time.perf_counter() - clock, time.process_time() - processor, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a folder that contains only images")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder, size = arguments.images, arguments.size
    costs: dict[str, list[Cost]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as scratch:
        packed, array = Path(scratch) / "pack", Path(scratch) / "plain.npy"
        for _ in range(arguments.rounds):
            shutil.rmtree(packed, ignore_errors=True)
            costs["plain"].append(plain(folder, array, size))
            costs["ours"].append(run("pack", folder, packed, "--size", str(size)))
        before, start = psutil.Process().memory_info().rss, time.perf_counter()
        store = PixelStore.open(packed)
        opened, rss = time.perf_counter() - start, psutil.Process().memory_info().rss - before
        count, of = len(store.pixels), store.pixels.nbytes
    best = {name: min(each, key=lambda cost: cost.seconds) for name, each in costs.items()}
    print(f"{folder} at {size}×{size}, {os.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}")
    for name, cost in best.items():
        print(
            f"{name:>6}: {count:,} images in {cost.seconds:.1f} s, {count / cost.seconds:,.0f} per second; "
            f"{1000 * cost.processor / count:.2f} ms of processor time each"
        )
    print(f" ratio: {best['plain'].seconds / best['ours'].seconds:.2f}")
    print(f"  open: {1000 * opened:.1f} ms, {rss / 2**20:.1f} MB resident of {of / 2**20:,.0f}")
    record(f"impasto pack, {count:,} images", best["ours"].seconds, best["plain"].seconds)


if __name__ == "__main__":
    main()
