"""Records of a shard come back as they were written."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.data.inventory import ImageRecord
from impasto.data.shard_records import RecordColumns, ShardRecords
from impasto.errors import ImpastoError

SIDES = st.integers(1, 2**31 - 1)
PICTURES = st.builds(
    ImageRecord,
    name=st.text(),
    format=st.sampled_from(["JPEG", "PNG"]),
    mode=st.sampled_from(["RGB", "I;16"]),
    width=SIDES,
    height=SIDES,
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    frame=st.none() | st.tuples(*[st.integers(0, 2**31 - 1)] * 4),
)


def encoded(pictures: list[ImageRecord]) -> bytes:
    columns = RecordColumns()
    for number, picture in enumerate(pictures):
        columns.add(picture, hashlib.sha256(str(number).encode()).digest(), np.full((16, 16), number, np.uint8))
    return columns.encode()


@given(pictures=st.lists(PICTURES, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_records_round_trip(pictures: list[ImageRecord], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("records") / "a.npz"
    path.write_bytes(encoded(pictures))
    records = ShardRecords(path, len(pictures), "pack")
    assert list(records.pictures()) == pictures
    assert records.names == [picture.name for picture in pictures]
    assert [each.tobytes().hex() for each in records.digests] == [picture.digest for picture in pictures]
    assert records.squares[-1].tobytes() == hashlib.sha256(str(len(pictures) - 1).encode()).digest()
    assert (records.thumbnails[:, 3, 3] == np.arange(len(pictures))).all()
    assert encoded(pictures) == path.read_bytes()


def test_another_number_of_images_is_damage(tmp_path: Path) -> None:
    record = ImageRecord(name="a", format="PNG", mode="RGB", width=1, height=1, digest="00" * 32)
    (tmp_path / "a.npz").write_bytes(encoded([record]))
    for column in ("names", "digests", "squares", "thumbnails"):
        with pytest.raises(ImpastoError, match=r"The pack \S+ is damaged, a.npz is truncated or missing"):
            getattr(ShardRecords(tmp_path / "a.npz", 2, "my/pack"), column)
