"""How time and memory of every command grow with the number of pictures, and of reports with the length of the log.

    python benchmarks/growth.py [--sizes 2000 8000 32000] [--only pack paint …] [--scratch FOLDER]

Each command runs in a process of its own over tiny pictures, with styles that take next to no time. The exponent is the
slope of log(processor seconds − those of the start) over log(size) between the two largest sizes, where the start, the
same command with ``START`` pictures, matters least. 1 is linear; commands that look at a bounded sample are below. The
scratch folder is deleted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from command import Cost
from fixtures import noise_style
from fixtures.invented_runs import begin, log_rows, write_log
from fixtures.translators import translator
from results import record

#: Pictures from which the time of the start is taken, and side of the pictures.
START, SIDE = 40, 32
#: Fewest and most images of a submission.
SUBMISSION = (7_000, 10_000)
TINY = "size=16 batch=8 generator.width=8 generator.max_width=16 discriminator.width=8 discriminator.max_width=16"


@dataclass(frozen=True)
class Place:
    """Inputs of one size, and the folder for outputs."""

    folder: Path
    count: int

    def pictures(self, kind: str = "paintings") -> str:
        """Return a folder of that many different pictures; it is made at the first call."""
        folder = self.folder / f"{kind}-{self.count}"
        if not folder.exists():
            folder.mkdir()
            for number in range(self.count):
                picture(number, kind).save(folder / f"{number:05d}.png", compress_level=1)
        return str(folder)

    def out(self, name: str) -> str:
        return str(self.folder / f"{name}-{self.count}")


def picture(number: int, kind: str) -> Image.Image:
    """Return a small blurred noise image; every tenth of "alike" is nearly the same."""
    random = np.random.default_rng([number - number % 10 if kind == "alike" else number, len(kind)])
    coarse = random.integers(0, 256, (8, 8, 3), np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)).copy()
    image[0, 0] = number % 256, number // 256 % 256, 0
    return Image.fromarray(image)


#: The command, with few images to score in a training: that takes the same time for any number of pictures.
IMPASTO = """
import sys
if sys.argv[1] == "train":
    from impasto.api import training_data
    from impasto.inference import image_sets
    from impasto.training import evaluator
    image_sets.GENERATED = evaluator.SCORE_IMAGES = training_data.MAX_REALS = 48
from impasto.cli import main
main()
"""
#: Runs ``impasto`` and prints what it took. In between, as a child begins with the peak memory of its parent.
LAUNCH = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
done = subprocess.run([sys.executable, "-c", *sys.argv[1:]], stdout=subprocess.DEVNULL)
seconds, usage = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
sys.exit(done.returncode)
"""


def run(arguments: Iterable[object]) -> Cost:
    """Run ``impasto`` with these arguments."""
    command = [sys.executable, "-c", LAUNCH, IMPASTO, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"impasto {' '.join(command[4:])}\n{done.stderr}")
    return Cost(*json.loads(done.stdout))


def pack(place: Place) -> Cost:
    return run(["pack", place.pictures(), place.out("pack"), "--size", SIDE])


def near_duplicates(place: Place) -> Cost:
    return run(["pack", place.pictures("alike"), place.out("alike-pack"), "--size", SIDE])


def train(place: Place) -> Cost:
    settings = [part for setting in TINY.split() for part in ("--set", setting)]
    options = ["--paintings", place.pictures(), "--out", place.out("run"), "--budget", "5steps", *settings]
    return run(["train", "dcgan-64", *options])


def explore(place: Place) -> Cost:
    return run(["explore", place.pictures(), "--out", place.out("exploration"), "--recipe", "dcgan-64"])


def evaluate(place: Place) -> Cost:
    options = ["--against", place.pictures("reals"), "--out", place.out("evaluation")]
    return run(["evaluate", place.pictures(), *options])


def paint(place: Place) -> Cost:
    style = place.folder / "same.safetensors"
    return run(["paint", place.pictures(), "--style", style, "--out", place.out("painted"), "--format", "png"])


def resume(place: Place) -> Cost:
    """Find that everything is painted."""
    if not Path(place.out("painted")).exists():
        paint(place)
    return paint(place)


def paint_zip(place: Place) -> Cost:
    style, out = place.folder / "same.safetensors", f"{place.out('painted')}.zip"
    return run(["paint", place.pictures(), "--style", style, "--out", out, "--format", "png"])


def paint_from_zip(place: Place) -> Cost:
    folder, archive = Path(place.pictures()), place.folder / f"paintings-{place.count}.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.iterdir()):
            target.write(path, path.name)
    style = place.folder / "same.safetensors"
    return run(["paint", archive, "--style", style, "--out", place.out("from-zip"), "--format", "png"])


def generate(place: Place) -> Cost:
    style = place.folder / "noise.safetensors"
    return run(["generate", style, "--count", place.count, "--out", place.out("generated")])


def submit(place: Place) -> Cost:
    style, out = place.folder / "noise.safetensors", f"{place.out('submission')}.zip"
    return run(["submit", style, "--count", place.count, "--out", out])


def submit_photos(place: Place) -> Cost:
    style, out = place.folder / "same.safetensors", f"{place.out('photos')}.zip"
    return run(["submit", style, "--photos", place.pictures(), "--count", place.count, "--out", out])


def check(place: Place) -> Cost:
    out = Path(f"{place.out('submission')}.zip")
    if not out.exists():
        submit(place)
    return run(["submit", "--check", out])


def report(place: Place) -> Cost:
    """Of a run with that many lines in its log."""
    folder = begin(Path(place.out("logged")))
    write_log(folder, log_rows(place.count))
    return run(["report", folder])


#: Commands, and the sizes at which they are measured if not at the usual ones.
COMMANDS: dict[str, tuple[Callable[[Place], Cost], tuple[int, ...] | None]] = {
    "pack": (pack, None),
    "near duplicates": (near_duplicates, None),
    "train, reading": (train, None),
    "explore": (explore, None),
    "evaluate": (evaluate, None),
    "paint": (paint, None),
    "paint, resume": (resume, None),
    "paint into a zip": (paint_zip, None),
    "paint from a zip": (paint_from_zip, None),
    "generate": (generate, None),
    "submit": (submit, SUBMISSION),
    "submit photos": (submit_photos, SUBMISSION),
    "submit --check": (check, SUBMISSION),
    "report, log lines": (report, None),
}


def exponent(sizes: list[int], costs: list[Cost], start: Cost) -> float:
    """Return the slope of log(processor seconds − start) over log(size) between the two largest sizes."""
    before, after = (max(cost.processor - start.processor, 0.05) for cost in costs[-2:])
    return float(np.log(after / before) / np.log(sizes[-1] / sizes[-2]))


def measure(name: str, usual: list[int], scratch: Path) -> float:
    """Measure one command at all its sizes, print a line for each, and return the exponent."""
    command, own = COMMANDS[name]
    sizes = list(own or usual)
    smallest = sizes[0] // 10 if name == "report, log lines" else START
    start = Cost(0.0, 0.0, 0) if own else command(Place(scratch, smallest))
    costs = []
    for size in sizes:
        costs.append(command(Place(scratch, size)))
        found = f"{exponent(sizes, costs, start):9.2f}" if len(costs) == len(sizes) > 1 else " " * 9
        cost = costs[-1]
        print(
            f"{name:<20}{size:>7,} {cost.seconds:>8.1f} s {cost.processor:>8.1f} s {found} {cost.memory >> 20:>6,} MiB",
            flush=True,
        )
    slope = exponent(sizes, costs, start) if len(sizes) > 1 else 0.0
    times = ", ".join(f"{size:,}: {cost.processor:.1f} s" for size, cost in zip(sizes, costs, strict=True))
    record(f"{name}, growth", costs[-1].seconds, note=f"exponent {slope:.2f} (processor time {times})")
    return slope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 8_000, 32_000])
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), metavar="COMMAND")
    parser.add_argument("--scratch", type=Path)
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="impasto-growth-", dir=arguments.scratch))
    try:
        os.environ["IMPASTO_CACHE"] = str(scratch / "cache")
        noise_style.style().save(scratch / "noise.safetensors")
        translator(1).save(scratch / "same.safetensors")
        print(f"{'command':<20} {'size':>7} {'wall':>10} {'processor':>10} {'exponent':>9} {'peak memory':>11}")
        found = {name: measure(name, arguments.sizes, scratch) for name in arguments.only}
        steep = [f"{name} ({value:.2f})" for name, value in found.items() if value >= 1.1]
        print(f"Exponent of 1.1 or more: {', '.join(steep) or 'none'}")
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
