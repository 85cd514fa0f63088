"""Parts of a picture."""

import math
from collections.abc import Iterator
from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle of maps: rows ``top`` to ``bottom``, columns ``left`` to ``right``, the ends not among them."""

    top: int
    bottom: int
    left: int
    right: int

    def around(self, other: "Window") -> "Window":
        """The smallest that holds both."""
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def within(self, outer: "Window") -> tuple[slice, slice]:
        """Where it lies in ``outer``, which holds it."""
        rows = slice(self.top - outer.top, self.bottom - outer.top)
        return rows, slice(self.left - outer.left, self.right - outer.left)

    @property
    def places(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


def partition(height: int, width: int, side: int) -> Iterator[Window]:
    """Windows of at most that side and of nearly one size, that together are all of height × width places."""
    for top, bottom in _parts(height, side):
        for left, right in _parts(width, side):
            yield Window(top, bottom, left, right)


def _parts(length: int, most: int) -> Iterator[tuple[int, int]]:
    count = math.ceil(length / most)
    for number in range(count):
        yield length * number // count, length * (number + 1) // count
