"""Rectangles of an image or a feature map."""

import math
from collections.abc import Iterator
from typing import NamedTuple


class Window(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def union(self, other: "Window") -> "Window":
        """Return the smallest window that contains both."""
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def within(self, outer: "Window") -> tuple[slice, slice]:
        """Return its rows and columns relative to ``outer``, which contains it."""
        rows = slice(self.top - outer.top, self.bottom - outer.top)
        return rows, slice(self.left - outer.left, self.right - outer.left)

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


def partition(height: int, width: int, side: int) -> Iterator[Window]:
    """Split height × width into windows of nearly equal size, at most ``side`` long."""
    for top, bottom in _parts(height, side):
        for left, right in _parts(width, side):
            yield Window(top, bottom, left, right)


def _parts(length: int, limit: int) -> Iterator[tuple[int, int]]:
    count = math.ceil(length / limit)
    for number in range(count):
        yield length * number // count, length * (number + 1) // count
