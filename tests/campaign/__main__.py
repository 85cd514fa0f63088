"""Play rounds and print a line for each; see the docstring of the package."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from campaign.jobs import jobs
from campaign.rounds import play, references
from impasto.cli.stop_signals import stop_signals_interrupt


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill commands at random moments, and compare what they come to.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the rounds to repeat")
    parser.add_argument("--jobs", nargs="+", help="names of jobs, such as 'paint zip'")
    parser.add_argument("--failures", nargs="+", help="kinds of failure, such as SIGTERM")
    parser.add_argument("--log", type=Path, default=Path("campaign.log"))
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="impasto-campaign-"))
    os.environ["IMPASTO_CACHE"] = str(scratch / "cache")
    chosen = [job for job in jobs() if arguments.jobs is None or job.name in arguments.jobs]
    numbers, equal = arguments.only or range(1, arguments.kills + 1), 0
    try:
        known = references(scratch, chosen)
        with arguments.log.open("w", encoding="utf-8") as log:
            for number in numbers:
                line = play(number, arguments.seed, scratch, known, arguments.failures)
                equal += line.endswith("equal")
                for file in (sys.stdout, log):
                    print(line, file=file, flush=True)
            for file in (sys.stdout, log):
                print(f"{equal} of {len(numbers)}", file=file)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(equal != len(numbers))


if __name__ == "__main__":
    with stop_signals_interrupt():  # so that no file system stays mounted
        main()
