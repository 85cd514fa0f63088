"""Progress through the work on one image, as a share of it.

A function that takes long calls its ``progress`` as it goes, and hands parts of it on to the functions that it calls.
"""

from collections.abc import Callable

#: Called with the share of the work that is done, 0…1. What it raises stops the work.
ShareDone = Callable[[float], object]
#: Called with how many photos are done, the done part of a large one included, and of how many if that is known.
PhotoProgress = Callable[[float, int | None], object]


def unreported(share: float) -> None:
    """Progress that nobody asked for."""


def span(progress: ShareDone, start: float, end: float) -> ShareDone:
    """Return the progress of a part of the work that goes from ``start`` to ``end`` of the whole."""
    return lambda share: progress(start + share * (end - start))
