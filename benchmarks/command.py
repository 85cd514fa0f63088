"""Run ``impasto`` as users run it, and measure what it takes."""

import contextlib
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

IMPASTO = Path(sys.executable).with_name("impasto")


@dataclass(frozen=True)
class Cost:
    """Wall-clock and processor seconds of a command, and its peak memory in bytes."""

    seconds: float
    processor: float
    memory: int


def run(*arguments: str | Path) -> Cost:
    """Run ``impasto`` with these arguments, or exit with what it said."""
    before, start = _processor(), time.perf_counter()
    process = psutil.Popen([str(IMPASTO), *map(str, arguments)], stdout=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            most = max(most, process.memory_info().rss)
        time.sleep(0.005)
    if process.returncode:
        sys.exit(f"impasto {' '.join(map(str, arguments))} failed")
    return Cost(time.perf_counter() - start, _processor() - before, most)


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
