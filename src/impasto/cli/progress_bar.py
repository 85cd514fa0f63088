"""A progress bar for a shell."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Is told how many are done, and of how many in all once that is known."""

    def __call__(self, done: int, total: int | None = None) -> None: ...


@contextmanager
def bar(doing: str, total: int | None = None) -> Iterator[Advance]:
    """A progress bar, gone when all is done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("·"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    console = Console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=total)

        def advance(done: int, total: int | None = total) -> None:
            progress.update(task, completed=done, total=total)

        yield advance
