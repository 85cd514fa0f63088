"""How a command fails: signals, too little memory or disk, a disk that becomes read-only, clocks that jump."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from campaign.commands import Ended, Running, Trouble

#: Runs a command in a folder until it ends, somewhere on the way disturbed; ``seconds`` is what it takes undisturbed.
Failure = Callable[[random.Random, list[str], Path, float], Ended]


def killed_by(number: signal.Signals) -> Failure:
    """Send a signal at a random moment, from the first import to the end."""

    def fail(rng: random.Random, command: list[str], folder: Path, seconds: float) -> Ended:
        running = Running(command, folder, Trouble())
        ended = running.wait(rng.uniform(0.0, seconds))
        if ended is not None:
            return ended
        running.kill(number)
        return running.finish()

    return fail


def starved(rng: random.Random, command: list[str], folder: Path, seconds: float) -> Ended:
    """Allow from 0 to 400 MB of memory more than at the start."""
    return Running(command, folder, Trouble(memory=rng.randrange(400 << 20))).finish()


def clock_jumps(rng: random.Random, command: list[str], folder: Path, seconds: float) -> Ended:
    """Let the clocks jump by up to a week, back or forth."""
    days = rng.choice([-7.0, -0.1, 0.1, 7.0])
    return Running(command, folder, Trouble(jump=(rng.uniform(0.0, seconds), days * 86_400))).finish()


def disk_full(rng: random.Random, command: list[str], folder: Path, seconds: float) -> Ended:
    """Let the disk have room for a random part of what the job writes at most."""
    _remount(folder, f"size={rng.randrange(64, 6_000)}k")
    try:
        return Running(command, folder, Trouble()).finish()
    finally:
        _remount(folder, "size=2g")


def read_only(rng: random.Random, command: list[str], folder: Path, seconds: float) -> Ended:
    """Make the disk read-only at a random moment, as a system does after an error of the disk."""
    running = Running(command, folder, Trouble())
    try:
        ended = running.wait(rng.uniform(0.0, seconds))
        while ended is None and not _remount(folder, "ro", check=False):  # refused while a file is open for writing
            ended = running.wait(0.001)
        return ended or running.finish()
    finally:
        _remount(folder, "rw")


FAILURES: dict[str, Failure] = {
    "SIGKILL": killed_by(signal.SIGKILL),
    "SIGTERM": killed_by(signal.SIGTERM),
    "SIGINT": killed_by(signal.SIGINT),
    "SIGHUP": killed_by(signal.SIGHUP),
    "out of memory": starved,
    "clock jumps": clock_jumps,
}
#: Those that need a file system of their own.
MOUNTED: dict[str, Failure] = {"disk full": disk_full, "read-only": read_only}


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextmanager
def own_disk(folder: Path) -> Iterator[None]:
    """Mount a file system in memory at a folder, where that is permitted."""
    if not can_mount():
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        for _ in range(50):
            if not subprocess.run(["umount", folder], capture_output=True).returncode:
                break
            time.sleep(0.1)
        else:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _remount(folder: Path, options: str, *, check: bool = True) -> bool:
    command = ["mount", "-o", f"remount,{options}", str(folder)]
    return not subprocess.run(command, capture_output=True, check=check).returncode
