"""What a person sees of a training while it runs: a bar and a live line, or plain lines where there is no terminal."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

#: Seconds between plain lines.
PLAIN_EVERY = 10.0


def clock(seconds: float) -> str:
    """Seconds as 0:42, 12:05 or 3:07:00."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def memory(size: float) -> str:
    """Bytes as 850 MB or 1.2 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def status(row: Mapping[str, Any], total: int | None, left: float | None) -> str:
    """One line that says how a training stands."""
    parts = [f"step {row['step']}/{total}" if total else f"step {row['step']}"]
    losses = {name: value for name, value in row.items() if name.startswith("loss_")}
    parts.append("loss " + " ".join(f"{name[5:6].upper()} {value:.2f}" for name, value in losses.items()))
    seen = [(name[9:], value) for name, value in row.items() if name.startswith("accuracy_")]
    if seen:
        parts.append("D right " + " ".join(f"{name} {value:.0%}" for name, value in seen))
    parts += [f"{row['pictures_per_second']:.0f} img/s", memory(row["memory"])]
    parts.append(f"{clock(left)} left" if left is not None else "measuring the speed")
    return " · ".join(parts)


class Progress:
    """Shows rows of the log as they come."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._shown = -PLAIN_EVERY
        self._last = ""
        self._row: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self._live.stop()
        if self._last:
            self.console.print(self._last, highlight=False, soft_wrap=True)

    def update(self, rows: Sequence[Mapping[str, Any]], total: int | None, left: float | None) -> None:
        """Shows the newest of what ``rows`` hold: ``total`` steps in all, ``left`` seconds to go, None where not
        known yet."""
        for row in rows:
            self._row |= row
        line = status(self._row, total, left)
        if self.console.is_terminal:
            bar = ProgressBar(total=total, completed=self._row["step"], width=min(60, self.console.width))
            self._live.update(Group(bar, Text(line)), refresh=True)
            self._last = line
        elif time.monotonic() - self._shown >= PLAIN_EVERY:
            self._shown = time.monotonic()
            self.console.print(line, highlight=False, soft_wrap=True)
            self._last = ""
        else:
            self._last = line

    def tell(self, text: str) -> None:
        """Says something that stays on the screen."""
        self.console.print(text, highlight=False, soft_wrap=True)
