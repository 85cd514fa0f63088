"""Fuzz targets and print what is found; see the docstring of the package."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.targets import TARGETS

#: Seconds of one process.
SLICE = 100


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz everything that reads files and text of other people.")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="target")
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="impasto-fuzz-", dir=memory if memory.is_dir() else None) as scratch:
        for name in arguments.targets or TARGETS:
            # Processes of their own, as a decoder may crash; of limited length, as Atheris keeps up to 30 MB a second.
            for begun in range(0, arguments.seconds, SLICE):
                seconds, seed = min(SLICE, arguments.seconds - begun), arguments.seed + begun
                command = [sys.executable, "-m", "fuzz.process", name, str(seconds), str(seed)]
                done = subprocess.run(command, env=os.environ | {"TMPDIR": scratch})
                if done.returncode:
                    print(f"{name}: the process ended with {done.returncode}", flush=True)


if __name__ == "__main__":
    main()
