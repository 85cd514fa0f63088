"""The display of a training in a terminal or notebook: a bar and a live line, or plain lines where the output is
neither."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from impasto.metrics.results import DECIDING_METRIC
from impasto.notebook import NotebookOutput, in_notebook
from impasto.terminal import console as terminal_console
from impasto.training.callbacks import Callback, Estimate, Row
from impasto.training.diagnostics import diagnose, memorises

#: Seconds between plain lines, and between updates in a notebook.
PLAIN_EVERY, NOTEBOOK_EVERY = 10.0, 1.0
#: Measurements of the discriminator that are averaged, since single batches are noisy.
RECENT = 20
#: The losses of the line and their labels; the components are in the log.
LOSSES = {"loss_generator": "G", "loss_discriminator": "D", "loss_discriminator_back": "D back"}


def duration(seconds: float) -> str:
    """Format seconds as 0:42, 12:05 or 3:07:00."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def memory(size: float) -> str:
    """Format bytes as 850 MB or 1.2 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def status(row: Row, accuracies: Mapping[str, float], heldout: int, estimate: Estimate) -> str:
    """Return the line of a training.

    Args:
        row: the newest number of each column of the log.
        accuracies: recent means of the discriminator's accuracies, ``accuracy_*`` by name.
        heldout: number of held-out paintings.
        estimate: length of the training.
    """
    total, left = estimate.total_steps, estimate.seconds_left
    parts = [f"step {row['step']}/{total}" if total else f"step {row['step']}"]
    losses = [f"{label} {row[name]:.2f}" for name, label in LOSSES.items() if name in row]
    parts += [f"loss {' '.join(losses)}"] if losses else []
    if {"accuracy_real", "accuracy_fake"} <= accuracies.keys():
        shares = ", ".join(f"{name.removeprefix('accuracy_')} {value:.0%}" for name, value in accuracies.items())
        parts.append(f"D accuracy: {shares.replace('heldout', 'held-out')} ({_diagnosis(accuracies, heldout)})")
    scores = [(*name.split(" ", 1), value) for name, value in row.items() if name.startswith(f"{DECIDING_METRIC}[")]
    parts += [f"{label} {value:.3f} ({counts})" for label, counts, value in scores]
    parts += [f"{row['pictures_per_second']:.0f} img/s", f"memory {memory(row['memory'])}"]
    parts.append(f"ETA {duration(left)}" if left is not None else "measuring the speed")
    return " · ".join(parts)


def _diagnosis(accuracies: Mapping[str, float], heldout: int) -> str:
    real, unseen = accuracies["accuracy_real"], accuracies.get("accuracy_heldout")
    if unseen is not None and memorises(real, unseen, heldout):
        return "memorising"
    return diagnose(real, accuracies["accuracy_fake"])


class ProgressDisplay(Callback):
    """Show the newest rows of the log.

    Args:
        heldout: number of held-out paintings.
        console: where to print; standard output by default.
        clock: the time in seconds.
    """

    def __init__(
        self, heldout: int = 0, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.heldout = heldout
        self.console = console or terminal_console()
        self._clock = clock
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._notebook = NotebookOutput() if in_notebook() else None
        self._printed = -PLAIN_EVERY
        self._line = ""  # not printed yet
        self._row: dict[str, Any] = {}
        self._accuracies: dict[str, deque[float]] = {}

    def on_start(self) -> None:
        if self.console.is_terminal:
            self._live.start()

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        for row in rows:
            self._row |= row
            for name in row:
                if name.startswith("accuracy_"):
                    self._accuracies.setdefault(name, deque(maxlen=RECENT)).append(row[name])
        recent = {name: sum(values) / len(values) for name, values in self._accuracies.items()}
        self._line = status(self._row, recent, self.heldout, estimate)
        width = min(60, self.console.width)
        bar = ProgressBar(total=estimate.total_steps, completed=self._row["step"], width=width)
        if self.console.is_terminal:
            self._live.update(Group(bar, Text(self._line)), refresh=True)
        elif self._notebook is not None and self._clock() - self._printed >= NOTEBOOK_EVERY:
            self._printed = self._clock()
            self._notebook.update(Group(bar, Text(self._line)))
        elif self._notebook is None and self._clock() - self._printed >= PLAIN_EVERY:
            self._printed = self._clock()
            self._print()

    def close(self) -> None:
        if self.console.is_terminal:
            self._live.stop()
        if self._line and self._notebook is not None:
            self._notebook.update(Text(self._line))
        elif self._line:
            self._print()

    def _print(self) -> None:
        self.console.print(self._line, highlight=False, markup=False, soft_wrap=True)
        self._line = ""
