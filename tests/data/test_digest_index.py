"""The first position of every digest is found, in few bytes a digest."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.data import digest_index
from impasto.data.digest_index import DigestIndex


def digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@given(numbers=st.lists(st.integers(0, 60)), known=st.integers(0, 20), recent=st.integers(1, 9))
@settings(deadline=None)
def test_it_is_a_dictionary_of_first_positions(numbers: list[int], known: int, recent: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digest_index, "RECENT", recent)
        index, expected = DigestIndex(), {digest(number): number for number in range(known)}
        index.extend(np.array([list(each) for each in expected], np.uint8).reshape(-1, 32), 0)
        for position, number in enumerate(numbers, known):
            assert index.add(digest(number), position) == expected.get(digest(number))
            expected.setdefault(digest(number), position)


def test_digests_that_agree_in_64_bits_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_index, "RECENT", 2)
    index = DigestIndex()
    alike = [b"8 bytes." + bytes([number]) * 24 for number in range(9)]
    assert [index.add(each, position) for position, each in enumerate(alike)] == [None] * 9
    assert [index.add(each, 99) for each in alike] == list(range(9))


def test_a_digest_takes_sixteen_bytes() -> None:
    index = DigestIndex()
    for number in range(3 * digest_index.RECENT):
        index.add(digest(number), number)
    assert sum(keys.nbytes + rest.nbytes for keys, rest in index._runs) == 16 * 3 * digest_index.RECENT
    assert len(index._recent) == 0 and len(index._runs) == 2
