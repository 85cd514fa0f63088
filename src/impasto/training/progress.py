"""What a person sees of a training while it runs: a bar and a live line, or plain lines where there is no terminal."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from impasto.training.diagnostics import diagnose, memorises

#: Seconds between plain lines.
PLAIN_EVERY = 10.0
#: Measures of the discriminator that are averaged, since single batches are noisy.
RECENT = 20
#: The losses of the line, and what they are called there; the parts of them are in the log.
LOSSES = {"loss_generator": "G", "loss_discriminator": "D", "loss_discriminator_back": "D back"}


def clock(seconds: float) -> str:
    """Seconds as 0:42, 12:05 or 3:07:00."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def memory(size: float) -> str:
    """Bytes as 850 MB or 1.2 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def status(
    row: Mapping[str, Any], recent: Mapping[str, float], heldout: int, total: int | None, left: float | None
) -> str:
    """One line that says how a training stands.

    Args:
        row: the newest number of each name of the log.
        recent: how often the discriminator was right lately, ``accuracy_*`` by name.
        heldout: how many pictures are held out.
        total: steps in all, ``left``: seconds to go; None where not known yet.
    """
    parts = [f"step {row['step']}/{total}" if total else f"step {row['step']}"]
    losses = [f"{called} {row[name]:.2f}" for name, called in LOSSES.items() if name in row]
    parts += [f"loss {' '.join(losses)}"] if losses else []
    if {"accuracy_real", "accuracy_fake"} <= recent.keys():
        right = " ".join(f"{name.removeprefix('accuracy_')} {value:.0%}" for name, value in recent.items())
        parts.append(f"D right {right}: {_standing(recent, heldout)}")
    scored = [(*name.split(" ", 1), value) for name, value in row.items() if name.startswith("KID[")]
    parts += [f"{label} {value:.3f} ({counts})" for label, counts, value in scored]
    parts += [f"{row['pictures_per_second']:.0f} img/s", memory(row["memory"])]
    parts.append(f"{clock(left)} left" if left is not None else "measuring the speed")
    return " · ".join(parts)


def _standing(recent: Mapping[str, float], heldout: int) -> str:
    real, unseen = recent["accuracy_real"], recent.get("accuracy_heldout")
    if unseen is not None and memorises(real, unseen, heldout):
        return "it is memorising"
    return diagnose(real, recent["accuracy_fake"])


class Progress:
    """Shows rows of the log as they come, of a training that holds ``heldout`` pictures out."""

    def __init__(self, heldout: int = 0, console: Console | None = None) -> None:
        self.heldout = heldout
        self.console = console or Console()
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._shown = -PLAIN_EVERY
        self._last = ""
        self._row: dict[str, Any] = {}
        self._recent: dict[str, deque[float]] = {}

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self._live.stop()
        if self._last:
            self.console.print(self._last, highlight=False, markup=False, soft_wrap=True)

    def update(self, rows: Sequence[Mapping[str, Any]], total: int | None, left: float | None) -> None:
        """Shows the newest of what ``rows`` hold: ``total`` steps in all, ``left`` seconds to go, None where not
        known yet."""
        for row in rows:
            self._row |= row
            for name in row:
                if name.startswith("accuracy_"):
                    self._recent.setdefault(name, deque(maxlen=RECENT)).append(row[name])
        recent = {name: sum(values) / len(values) for name, values in self._recent.items()}
        line = status(self._row, recent, self.heldout, total, left)
        if self.console.is_terminal:
            bar = ProgressBar(total=total, completed=self._row["step"], width=min(60, self.console.width))
            self._live.update(Group(bar, Text(line)), refresh=True)
            self._last = line
        elif time.monotonic() - self._shown >= PLAIN_EVERY:
            self._shown = time.monotonic()
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
            self._last = ""
        else:
            self._last = line

    def tell(self, text: str) -> None:
        """Says something that stays on the screen."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
