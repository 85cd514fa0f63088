"""A progress bar in the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from impasto.terminal import console


class Advance(Protocol):
    """Called with the number of items done, parts included, and the total once it is known."""

    def __call__(self, done: float, total: int | None = None) -> None: ...


@contextmanager
def bar(description: str, total: int | None = None) -> Iterator[Advance]:
    """Show a progress bar inside; yields the function that updates it. Nothing is shown where the output is not a
    terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class CountColumn(MofNCompleteColumn):
        """The number of items done; of a single one, such as a large photo, the share."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.percentage:3.0f} %") if task.total == 1 else super().render(task)

    columns = (
        TextColumn("{task.description}"),
        BarColumn(30),
        CountColumn(),
        TimeElapsedColumn(),
        TextColumn("·"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    terminal = console()
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task(description, total=total)

        def advance(done: float, total: int | None = total) -> None:
            progress.update(task, completed=done, total=total)

        yield advance
