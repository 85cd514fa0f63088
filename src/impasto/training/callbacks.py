"""Callbacks: loggers, the progress display, and whatever else follows a training from outside."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from impasto.config.types import Pixels
from impasto.metrics.candidates import Candidate

_log = logging.getLogger(__name__)

#: A row of the log: the numbers of one step by name, always with "step".
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """The length of a training: steps in all and seconds left, None where the speed is not measured yet."""

    total_steps: int | None = None
    seconds_left: float | None = None


class Callback:
    """Base class of callbacks; every method does nothing unless overridden.

    Attributes:
        required: whether an error in it ends the training. Otherwise it is reported once, and the callback is dropped.
    """

    required = True

    def on_start(self) -> None:
        """Called before the first step of this process."""

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        """Called with the rows of the last steps, several times a second at most."""

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        """Called with a grid of images, uint8 (H, W, 3): ``samples``, ``samples_reverse``, ``real`` or ``photos``."""

    def on_event(self, step: int, text: str) -> None:
        """Called with a message that belongs to ``step``, such as a rollback."""

    def on_rewind(self, step: int) -> None:
        """Called when the training continues from ``step``: what was reported of later steps is void."""

    def close(self) -> None:
        """Called once, however the training ends."""


class CallbackList(Callback):
    """Several callbacks as one."""

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self.callbacks = list(callbacks)

    def __enter__(self) -> Self:
        with self.closed_on_error():
            self.on_start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.suppress(*([Exception] if kind else [])):  # the first error is the one to report
            self.close()

    @contextlib.contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """Close the callbacks if the body raises."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to report
                self.close()
            raise

    def on_start(self) -> None:
        self._call(lambda each: each.on_start())

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        self._call(lambda each: each.on_rows(rows, estimate))

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        self._call(lambda each: each.on_image(name, step, image))

    def on_event(self, step: int, text: str) -> None:
        self._call(lambda each: each.on_event(step, text))

    def on_rewind(self, step: int) -> None:
        self._call(lambda each: each.on_rewind(step))

    def close(self) -> None:
        """Close all, the later ones even if an earlier one fails."""
        failed: Exception | None = None
        for each in self.callbacks:
            try:
                each.close()
            except Exception as error:
                if each.required:
                    failed = failed or error
                else:
                    _warn(each, error)
        self.callbacks = []
        if failed is not None:
            raise failed

    def _call(self, method: Callable[[Callback], None]) -> None:
        for each in list(self.callbacks):
            try:
                method(each)
            except Exception as error:
                if each.required:
                    raise
                _warn(each, error)
                self.callbacks.remove(each)
                with contextlib.suppress(Exception):  # it has failed already
                    each.close()


def _warn(callback: Callback, error: Exception) -> None:
    _log.warning("%s failed and is switched off: %s", type(callback).__name__, str(error).partition("\n")[0])


@dataclass(frozen=True)
class Observer:
    """A hyperparameter search that follows the scores of a training, and may end it.

    Attributes:
        score_at: progress values, 0…1, at which to score, instead of the usual ones.
        on_scores: called with the progress and the scores; False ends the training.
    """

    score_at: tuple[float, ...]
    on_scores: Callable[[float, Candidate], bool]
