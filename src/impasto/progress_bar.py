"""Progress bars in the terminal and in notebooks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from impasto.notebook import NotebookOutput, in_notebook
from impasto.terminal import console

if TYPE_CHECKING:
    from rich.progress import Progress

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds between updates in a notebook.
NOTEBOOK_EVERY = 0.5


class Advance(Protocol):
    """Called with the number of items done, parts included, and the total once it is known."""

    def __call__(self, done: float, total: int | None = None) -> None: ...


@contextmanager
def bar(description: str, total: int | None = None) -> Iterator[Advance]:
    """Show a progress bar inside; yields the function that updates it. Nothing is shown where the output is neither a
    terminal nor a notebook."""
    notebook = NotebookOutput() if in_notebook() else None
    progress = _progress()
    task = progress.add_task(description, total=total)
    shown = float("-inf")

    def advance(done: float, total: int | None = total) -> None:
        nonlocal shown
        progress.update(task, completed=done, total=total)
        if notebook is not None and time.monotonic() - shown >= NOTEBOOK_EVERY:
            shown = time.monotonic()
            notebook.update(progress.get_renderable())

    if progress.console.is_terminal:
        with progress:
            yield advance
        return
    yield advance
    if notebook is not None:
        notebook.update(progress.get_renderable())


def bar_in_notebooks(description: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function that takes ``progress`` show a bar in a notebook, unless one is given."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def decorated(*args: P.args, **kwargs: P.kwargs) -> R:
            if not in_notebook() or kwargs.get("progress") is not None:
                return function(*args, **kwargs)
            with bar(description) as advance:
                kwargs["progress"] = advance
                return function(*args, **kwargs)

        return decorated

    return decorate


def _progress() -> "Progress":
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
    return Progress(*columns, console=console(), transient=True)
