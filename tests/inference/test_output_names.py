"""Paintings get the names of their photos, each its own."""

from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.inference.output import ImageWriter
from impasto.inference.output_names import UniqueNames, output_suffix


@pytest.mark.parametrize(
    ("photo", "format", "kind", "name"),
    [
        ("a.jpg", "JPEG", "keep", "a.jpg"),
        ("a.JPEG", "JPEG", "keep", "a.JPEG"),
        ("a.webp", "WEBP", "keep", "a.webp"),
        ("a.tiff", "TIFF", "keep", "a.png"),
        ("a.gif", "GIF", "jpg", "a.jpg"),
        ("a.jpg", "JPEG", "png", "a.png"),
        ("set.tfrec/0/monet", "JPEG", "keep", "set.tfrec/0/monet.jpg"),
        ("set.tfrec/0/v1.5", "PNG", "keep", "set.tfrec/0/v1.5.png"),
        ("../a\\b.jpg", "JPEG", "keep", "a/b.jpg"),
        ("C:a.jpg", "JPEG", "keep", "C_a.jpg"),
        ("12:30.jpg", "JPEG", "keep", "12_30.jpg"),
        ("aux.jpg", "JPEG", "keep", "aux_.jpg"),
        ("Con.tar/LPT1 .old.jpg", "JPEG", "keep", "Con_.tar/LPT1_ .old.jpg"),
        ("console/com10.jpg", "JPEG", "keep", "console/com10.jpg"),
        ("what?. /a<b>|c*.jpg", "JPEG", "keep", "what_/a_b__c_.jpg"),
        (".. ./a.jpg", "JPEG", "keep", "a.jpg"),
        ("..", "JPEG", "keep", "picture.jpg"),
        ("... /. ", "JPEG", "keep", "picture.jpg"),
    ],
)
def test_a_painting_has_the_name_of_its_photo(photo: str, format: str, kind: str, name: str) -> None:
    assert UniqueNames().assign(photo, output_suffix(photo, format, kind)) == (name, name)  # type: ignore[arg-type]


PART = st.sampled_from(["a", "A", "a-2", "..", "", ".", "b", "ß", "SS"])
NAME = st.builds(
    lambda parts, ending: "/".join(parts) + ending,
    st.lists(PART, min_size=1, max_size=3),
    st.sampled_from([".jpg", ".JPG", ".png", ".tif", ""]),
)


@given(st.lists(NAME, max_size=30), st.sampled_from(["keep", "jpg", "png"]))
def test_names_are_unique_ignoring_case_and_stay_in_the_output(photos: list[str], kind: str) -> None:
    names = UniqueNames()
    taken = [names.assign(photo, output_suffix(photo, "JPEG", kind))[0] for photo in photos]  # type: ignore[arg-type]
    assert len({name.casefold() for name in taken}) == len(photos)
    for name in taken:
        ImageWriter(lambda name, data: None).write(name, np.zeros((1, 1, 3), np.uint8))
        assert ".." not in PurePosixPath(name).parts


def test_a_name_of_ten_thousand_photos_gets_ten_thousand_names() -> None:
    """Without counting from 2 for each, which would look at fifty million names."""
    looked = 0

    class Counted:
        """A set of names that counts how often it is looked at."""

        def __init__(self) -> None:
            self._names = set[str]()

        def __contains__(self, name: object) -> bool:
            nonlocal looked
            looked += 1
            return name in self._names

        def add(self, name: str) -> None:
            self._names.add(name)

    names = UniqueNames(Counted())
    assigned = [names.assign("a.jpg", ".jpg")[0] for _ in range(10_000)]
    assert assigned[:3] == ["a.jpg", "a-2.jpg", "a-3.jpg"] and len(set(assigned)) == 10_000
    assert looked < 30_000
