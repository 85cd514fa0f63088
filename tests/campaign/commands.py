"""Run the command ``impasto`` in processes that can be killed, starved and disturbed."""

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from impasto.training.interrupt import STOP_SIGNALS

#: Imported before a process is forked: a start takes milliseconds then.
PRELOAD = [
    "impasto.cli", "impasto.api.train", "impasto.api.tune", "impasto.api.paint", "impasto.api.generate",
    "impasto.api.submit", "impasto.data.pixel_store", "impasto.interop.export", "impasto.inference.video.translate",
    "impasto.reports.run", "campaign.commands", "optuna", "tensorboard", "matplotlib.figure", "scipy", "sklearn",
]  # fmt: skip
#: Seconds after which a command hangs.
PATIENCE = 3_600.0


@dataclass(frozen=True)
class Trouble:
    """What befalls a process from its start on.

    Attributes:
        memory: bytes of address space beyond those at the start.
        jump: seconds until the clocks jump, and by how many seconds.
    """

    memory: int | None = None
    jump: tuple[float, float] | None = None


@dataclass(frozen=True)
class Ended:
    """How a process ended: exit code (negative for a signal), standard output and error, and seconds."""

    code: int
    output: str
    error: str
    seconds: float

    @property
    def complaint(self) -> str | None:
        """What is wrong with how it ended; None if it succeeded, was killed, or said why in one line.

        A training and a study that are stopped say so on standard output, with the command that resumes them.
        """
        lines = [line for line in self.error.splitlines() if line.startswith("impasto: ")]
        lines += [line for line in self.output.splitlines() if line.startswith(("Stopped at step ", "Stopped. "))]
        if "Traceback" in self.error:
            return f"a traceback: {self.error.strip().splitlines()[-1]}"
        if self.code > 0 and self.code != 130 and len(lines) != 1 and "Left out" not in self.output:
            return f"exit code {self.code} with {len(lines)} lines of error: {self.error[-300:]!r}"
        return None


class Running:
    """A started process."""

    def __init__(self, arguments: list[str], folder: Path, trouble: Trouble) -> None:
        self._log = folder.with_name(f"{folder.name}-output")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self._begun = time.monotonic()
        self.process: BaseProcess = context.Process(target=_run, args=(arguments, folder, self._log, trouble))
        self.process.start()

    def kill(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, number)

    def wait(self, seconds: float = PATIENCE) -> Ended | None:
        """Wait until it has ended; None if it has not after that time."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            return None
        files = [self._log.with_suffix(end) for end in (".out", ".err")]  # not there if it was killed at once
        output, error = (file.read_text(errors="replace") if file.exists() else "" for file in files)
        return Ended(self.process.exitcode, output, error, time.monotonic() - self._begun)

    def finish(self) -> Ended:
        """Wait until it has ended. Raises TimeoutError, and kills it, if it hangs."""
        ended = self.wait()
        if ended is None:
            self.process.kill()
            raise TimeoutError("hangs")
        return ended


def _run(arguments: list[str], folder: Path, log: Path, trouble: Trouble) -> None:
    """Run the command in this process, with fewer images to score and more checkpoints than usual."""
    for number, end in ((1, ".out"), (2, ".err")):
        file = os.open(log.with_suffix(end), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in STOP_SIGNALS:  # the campaign handles them itself, or runs under nohup
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    from impasto.api import training_data
    from impasto.cli import main
    from impasto.inference import image_sets
    from impasto.interop import kaggle_submission
    from impasto.training import evaluator, plan

    image_sets.GENERATED = evaluator.SCORE_IMAGES = training_data.MAX_REALS = 24
    plan.SAVE_EVERY = (0.3, 0.3)
    kaggle_submission.FEWEST = 700
    if trouble.memory is not None:
        limit = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + trouble.memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if trouble.jump is not None:
        _jump(*trouble.jump)
    sys.argv = ["impasto", *arguments]
    main()


def _jump(after: float, by: float) -> None:
    """Let all clocks of Python jump once."""
    moment = time.monotonic() + after
    monotonic = time.monotonic

    def shifted(clock: Callable[[], float]) -> Callable[[], float]:
        return lambda: clock() + (by if monotonic() >= moment else 0.0)

    for name in ("time", "perf_counter"):
        setattr(time, name, shifted(getattr(time, name)))
