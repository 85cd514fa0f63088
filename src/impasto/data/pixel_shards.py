"""Images of one size that lie in several arrays, indexed as if they lay in one."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from impasto.config.types import Pixels

#: Shards that are open at a time: a memory map holds a file descriptor, of which a process has about 1,000.
MAX_OPEN = 64
#: Images that are copied at a time, which bounds the memory beside the result.
BLOCK = 256


class PixelShards:
    """Images of one size, read-only, in shards that are opened when they are needed.

    It has the length, ``shape``, iteration, slices and integer-array indexing of an array uint8 (N, size, size, 3).
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, size: int, counts: Sequence[int], open: Callable[[int], Pixels]) -> None:
        """
        Args:
            size: side of the images in pixels.
            counts: number of images in each shard.
            open: returns the images of a shard by its number, read-only.
        """
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
        self._open = lru_cache(MAX_OPEN)(open)
        self.shape = (int(self._starts[-1]), size, size, 3)

    @classmethod
    def of(cls, pixels: Pixels) -> "PixelShards":
        """Return images (N, size, size, 3) in memory as one shard."""
        pixels = pixels.view()
        pixels.setflags(write=False)
        return cls(pixels.shape[1], [len(pixels)], lambda _: pixels)

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return len(self) * self.shape[1] ** 2 * 3

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Pixels]:
        for shard in range(len(self._starts) - 1):
            yield from self._open(shard)

    def __getitem__(self, key: Any) -> Pixels:
        """Return one image by an integer, or several by a slice or by integers (n,) of any order."""
        if isinstance(key, slice):
            return self._slice(range(*key.indices(len(self))))
        if np.ndim(key) == 0:
            place = index(key) + (len(self) if index(key) < 0 else 0)
            if not 0 <= place < len(self):
                raise IndexError(f"image {key} of {len(self)}")
            shard = int(self._starts.searchsorted(place, "right")) - 1
            row: Pixels = self._open(shard)[place - self._starts[shard]]
            return row
        return self._gather(key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def _slice(self, places: range) -> Pixels:
        """Return a view if all images lie in one shard."""
        if places and places.step > 0:
            shard = int(self._starts.searchsorted(places[0], "right")) - 1
            first = int(self._starts[shard])
            if places[-1] < self._starts[shard + 1]:
                return self._open(shard)[places[0] - first : places[-1] - first + 1 : places.step]
        return self._gather(places)

    def _gather(self, key: ArrayLike | range) -> Pixels:
        places = np.asarray(key)
        if not len(places):
            places = places.astype(np.int64)
        if places.ndim != 1 or not np.issubdtype(places.dtype, np.integer):
            raise IndexError("images are indexed by one integer, a slice, or a list of integers")
        places = np.where(places < 0, places + len(self), places)
        if len(places) and not 0 <= places.min() <= places.max() < len(self):
            raise IndexError(f"images {places.min()} to {places.max()} of {len(self)}")
        found = np.empty((len(places), *self.shape[1:]), np.uint8)
        shards = self._starts.searchsorted(places, "right") - 1
        order = np.argsort(shards, kind="stable")
        present, firsts = np.unique(shards[order], return_index=True)
        for shard, members in zip(present.tolist(), np.split(order, firsts)[1:], strict=True):
            pixels = self._open(shard)
            for block in np.split(members, range(BLOCK, len(members), BLOCK)):
                found[block] = pixels[places[block] - self._starts[shard]]
        return found
