"""Settings in image files survive writing and Pillow's rewriting; whatever else a file holds does no harm."""

import io
import json
import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from impasto.inference.output import encode
from impasto.inference.settings_metadata import MAX_SETTINGS, read_settings, settings_xmp

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
SUFFIXES = [".jpg", ".png", ".webp"]
TEXT = st.text(max_size=20)
NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
SETTINGS = st.dictionaries(TEXT, VALUES, max_size=6)
MADE = {"style": "monet", "strength": 0.5, "mood": [3, 1], "said": "<\"'&>\n\0 é 🎨"}


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40)
@given(made=SETTINGS)
@example(made=MADE)
def test_settings_are_read_back_from_each_format(suffix: str, made: dict[str, Any]) -> None:
    assert read_settings(encode(f"a{suffix}", PICTURE, settings_xmp(made))) == made


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("again", SUFFIXES)
def test_settings_stay_in_a_file_that_pillow_saves_with_its_xmp(suffix: str, again: str) -> None:
    with Image.open(io.BytesIO(encode(f"a{suffix}", PICTURE, settings_xmp(MADE)))) as image:
        image.load()
        held = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
        (description,) = ElementTree.fromstring(held)[0]  # well-formed XML for other programs
        assert json.loads(description.attrib["{urn:impasto:settings}settings"]) == MADE
    assert read_settings(encode(f"b{again}", image, held)) == MADE


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_without_settings_has_none_and_the_same_pixels(suffix: str) -> None:
    plain, marked = encode(f"a{suffix}", PICTURE), encode(f"a{suffix}", PICTURE, settings_xmp(MADE))
    assert read_settings(plain) is None
    decoded = [np.asarray(Image.open(io.BytesIO(data))) for data in (plain, marked)]
    assert (decoded[0] == decoded[1]).all()


@given(st.binary(max_size=300), SETTINGS, st.binary(max_size=300))
def test_settings_are_found_among_any_bytes(before: bytes, made: dict[str, Any], after: bytes) -> None:
    assert read_settings(before + settings_xmp(made) + after) == made


@given(st.binary(max_size=500))
def test_any_bytes_as_settings_give_finite_json_or_nothing(value: bytes) -> None:
    packet = settings_xmp({"style": "x"})
    begin, end = packet.index(b'impasto:settings="') + len(b'impasto:settings="'), packet.index(b'"/></rdf')
    for data in (value, packet[:begin] + value + packet[end:], packet[: begin + len(value) % 9] + value):
        require_harmless(read_settings(data))


def require_harmless(found: dict[str, Any] | None) -> None:
    assert found is None or json.loads(json.dumps(found, allow_nan=False, ensure_ascii=False).encode()) == found


@pytest.mark.parametrize(
    "value",
    [
        '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": "\\ud800"}', '["a"]', "7", "null", '{"a": ',
        "[" * 9_000, '{"a":' * 4_000, f'{{"a": {"9" * 9_000}}}', "",
    ],
)  # fmt: skip
def test_hostile_settings_are_none(value: str) -> None:
    text = value.replace("&", "&amp;").replace('"', "&quot;")
    packet = settings_xmp({}).replace(b'"{}"', f'"{text}"'.encode())
    assert read_settings(packet) is None


@pytest.mark.parametrize("made", [{"a": math.nan}, {"a": math.inf}, {"a": "x" * MAX_SETTINGS}])
def test_settings_that_could_not_be_read_are_not_written(made: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        settings_xmp(made)
