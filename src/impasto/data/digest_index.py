"""Which digests have been seen, and at which position first, in 16 bytes each."""

import struct

import numpy as np
from numpy.typing import NDArray

#: Digests that are held in a dictionary before they are sorted.
RECENT = 4096
#: Digests that can be held, since a position takes 32 bits.
MAX_DIGESTS = 1 << 32


class DigestIndex:
    """Positions by digest, for billions of digests.

    The first 96 bits of a SHA-256 stand for it: among 10 million different digests two agree with a probability of
    10⁻¹⁵. They are held in sorted runs, each at least twice as long as the next (a log-structured merge tree): adding N
    of them takes O(N log N) time and a look-up O(log² N).
    """

    def __init__(self) -> None:
        self._recent: dict[tuple[int, int], int] = {}
        #: Of each run the first 64 bits, sorted, and the next 32 bits with the position.
        self._runs: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []

    def add(self, digest: bytes, position: int) -> int | None:
        """Return the position at which a digest was added before; None, and add it, if it was not."""
        key, check = struct.unpack_from("<QI", digest)
        found = self._recent.get((key, check))
        if found is not None:
            return found
        for keys, rest in self._runs:
            place = int(keys.searchsorted(np.uint64(key)))
            while place < len(keys) and keys[place] == key:
                if int(rest[place]) >> 32 == check:
                    return int(rest[place]) & 0xFFFFFFFF
                place += 1
        self._recent[key, check] = position
        if len(self._recent) == RECENT:
            columns = np.array([(*pair, where) for pair, where in self._recent.items()], np.uint64)
            self._recent = {}
            self._push(columns[:, 0], columns[:, 1] << np.uint64(32) | columns[:, 2])
        return None

    def extend(self, digests: NDArray[np.uint8], first: int) -> None:
        """Add different digests (N, 32) that have not been added, at positions from ``first`` on."""
        keys = np.ascontiguousarray(digests[:, :8]).view("<u8")[:, 0].astype(np.uint64)
        checks = np.ascontiguousarray(digests[:, 8:12]).view("<u4")[:, 0].astype(np.uint64)
        self._push(keys, checks << np.uint64(32) | np.arange(first, first + len(digests), dtype=np.uint64))

    def _push(self, keys: NDArray[np.uint64], rest: NDArray[np.uint64]) -> None:
        while self._runs and len(self._runs[-1][0]) < 2 * len(keys):
            older_keys, older_rest = self._runs.pop()
            keys, rest = np.concatenate([older_keys, keys]), np.concatenate([older_rest, rest])
        order = np.argsort(keys, kind="stable")
        self._runs.append((keys[order], rest[order]))
