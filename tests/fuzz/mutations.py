"""Random mutations of bytes, where no coverage guides them."""

import random
from collections.abc import Sequence

#: Bytes at which parsers stumble.
TOKENS = [
    b"", b"\0", b"\xff" * 4, b"\x80\0\0\0", b"\x7f\xff\xff\xff", b"-1", b"0", b"1e999", b"NaN", b"null", b"[]", b"{}",
    b"[[[[", b'"', b"\\ud800", b"\xed\xa0\x80", b"\n", b": ", b"999999999999999999999999", b"../", b"/", b"*", b"true",
]  # fmt: skip


def mutate(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Return an input of the corpus with one to eight changes."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        start = rng.randrange(len(data) + 1)
        length = min(rng.choice([0, 1, 1, 2, 4, 16, 1000]), len(data) - start)
        match rng.randrange(6):
            case 0 if data:
                data[start % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[start % len(data)] = rng.randrange(256)
            case 2:
                data[start : start + length] = rng.choice(TOKENS)
            case 3:
                del data[start : start + max(length, 1)]
            case 4:
                data[start:start] = data[start : start + length]
            case 5:
                other = rng.choice(corpus)
                data[start:] = other[rng.randrange(len(other) + 1) :]
    return bytes(data)
