"""Measure ``impasto explore``, the whole command, on paintings and photos.

python benchmarks/explore.py PAINTINGS PHOTOS
"""

import argparse
import tempfile
from pathlib import Path

from command import run
from results import record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paintings", type=Path, help="a folder of pictures")
    parser.add_argument("photos", type=Path, help="another")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        cost = run("explore", arguments.paintings, "--photos", arguments.photos, "--out", Path(scratch) / "explored")
    count = sum(1 for folder in (arguments.paintings, arguments.photos) for _ in folder.iterdir())
    memory = f"{cost.memory / 1e6:.0f} MB"
    print(f"{count:,} pictures: {cost.seconds:.1f} s, {cost.processor:.1f} s of processor time, {memory}")
    record(f"impasto explore, {count:,} pictures", cost.seconds, note=f"{cost.processor:.1f} s processor, {memory}")


if __name__ == "__main__":
    main()
