"""Trains from scratch, and tells whether the style reaches a fixed score, and in what time.

    python benchmarks/speedrun.py monet --paintings PAINTINGS --photos PHOTOS [--target 9] [--budget 75m] [--set …]

300 photos, every 23rd by name, are held out. The style of ``impasto train`` stylises them at 256
pixels, and they are compared with all paintings by KID through VGG16, which no part of the training sees: neither a
generator, a discriminator nor the choice of the best style. What counts is the training's own time, as its card has it.
A line for docs/speedrun.md is printed at the end.
"""

import argparse
import os
import platform
import subprocess
import tempfile
from pathlib import Path

import psutil
import torch

import impasto
from impasto.style import Style

#: Every so many-th photo is kept out, up to so many.
EVERY, HELD_OUT = 23, 300
NETWORK = "vgg16"


def divided(photos: Path, scratch: Path) -> tuple[Path, Path]:
    """Two folders of links to photos: to train on, and those that are kept out."""
    train, held = scratch / "train", scratch / "held-out"
    for folder in (train, held):
        folder.mkdir()
    files = sorted(file for file in photos.iterdir() if file.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
    chosen = set(files[::EVERY][:HELD_OUT])
    for file in files:
        ((held if file in chosen else train) / file.name).symlink_to(file.resolve())
    return train, held


def machine() -> str:
    """What it ran on, as a reader of the table wants to know it."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    kinds = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 bf16", "avx512f": "AVX-512", "avx2": "AVX2"}
    best = next((name for flag, name in kinds.items() if flag in flags), platform.machine())
    return f"{torch.get_num_threads()} of {psutil.cpu_count(logical=False) or os.cpu_count()} cores, {best}"


def commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return found.stdout.strip() or impasto.__version__


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--paintings", required=True)
    parser.add_argument("--photos", required=True, type=Path, help="a folder")
    parser.add_argument("--target", type=float, default=9.0, help="KID × 1000 through VGG16")
    parser.add_argument("--budget", default="75m")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="as in impasto train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="speedrun", help="run folder to create")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        train, held = divided(given.photos, Path(scratch))
        impasto.train(
            given.recipe,
            given.paintings,
            given.out,
            photos=train,
            budget=given.budget,
            settings=given.settings,
            seed=given.seed,
        )
        found = impasto.evaluate(given.out, given.paintings, photos=held, networks=[NETWORK], size=256)
    kid = found.scores[0].values["KID"]
    card = Style.load(given.out).card
    reached = "yes" if 1000 * kid.value <= given.target else "no"
    error = f" ± {1000 * kid.error:.1f}" if kid.error is not None else ""
    changed = " ".join(given.settings) or "as it is"
    row = [f"{given.recipe} ({changed})", f"{card.seconds / 60:.0f} min", f"{card.steps:,}"]
    row += [f"{1000 * kid.value:.1f}{error}", f"{reached} (≤ {given.target:g})", machine(), commit()]
    print(f"\n| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
