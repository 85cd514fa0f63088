"""Run a target many times, and collect what it should not raise."""

import random
import time
import traceback
import warnings
from dataclasses import dataclass, field

from fuzz.mutations import mutate
from fuzz.targets import EXPECTED, TARGETS
from impasto.errors import ImpastoError

#: Seconds after which an input takes too long.
SLOW = 10.0


@dataclass
class Run:
    """Executions of one target, whose findings are printed.

    Attributes:
        name: of the target.
        executions: their number.
        findings: the first input of each, by error and place.
    """

    name: str
    executions: int = 0
    findings: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.executions:,} executions, {len(self.findings)} findings"

    def once(self, data: bytes) -> None:
        """Read an input, and report what it raises, unless that is expected or known."""
        self.executions += 1
        begun, found = time.monotonic(), ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                TARGETS[self.name].read(data)
        except EXPECTED as error:
            if isinstance(error, ImpastoError) and not str(error).isprintable():
                found = "control characters in a message"
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in last if "impasto" in frame.filename] or last
            found = f"{type(error).__name__} at {ours[-1].filename.rpartition('impasto/')[2]}:{ours[-1].lineno}"
            found += f" ({str(error).partition(chr(10))[0][:100]})"
        if time.monotonic() - begun > SLOW:
            found = found or "slow"
        place = found.partition(" (")[0]
        if found and place not in self.findings:
            self.findings[place] = data
            print(f"{self.name}: {found}: {data[:2000].hex()}", flush=True)

    def random(self, seed: int, *, executions: int = 10**12, seconds: float = float("inf")) -> None:
        """Read the corpus, then random mutations of it, until so many executions or seconds are over."""
        rng, end = random.Random(f"{self.name}/{seed}"), time.monotonic() + seconds
        corpus = TARGETS[self.name].corpus()
        for data in corpus:
            self.once(data)
        while self.executions < executions and time.monotonic() < end:
            self.once(mutate(rng, corpus))
