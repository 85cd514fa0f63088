"""TIFF: every kind of sample has the right sign, order and range; the main image is read, not its thumbnail."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fixtures.tiff_files import Order, tiff
from impasto.data.decode import decode, upright
from impasto.data.entry import UnreadableError

RAMP = np.linspace(0, 255, 12 * 20).round().astype(np.uint8).reshape(12, 20)
THUMBNAIL = np.full((6, 10), 99, np.uint8)
DEFLATE = {259: 8}

SAMPLES: dict[str, tuple[NDArray[Any], Any]] = {
    "uint8": (RAMP, 255),
    "uint16": (RAMP.astype(np.uint16) * 257, 65535),
    "uint32": (RAMP.astype(np.uint32) * 16_843_009, 2**32 - 1),
    "int16": (RAMP.astype(np.int16) * 128, 255 * 128),
    "int32": (RAMP.astype(np.int32) * 8_421_504, 255 * 8_421_504),
    "float32": (RAMP.astype(np.float32) / 255, 1),
}


def seen(data: bytes) -> np.ndarray:
    return np.asarray(decode(data).image)[..., 0].astype(int)


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [{}, DEFLATE])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_samples_of_any_type_and_order_are_read(
    kind: str, order: Order, compression: dict[int, Any], white_is_zero: bool
) -> None:
    samples, top = SAMPLES[kind]
    if white_is_zero:
        samples = (top - samples).astype(samples.dtype)
    data = tiff((samples, {262: 0 if white_is_zero else 1} | compression), order=order)
    assert np.abs(seen(data) - RAMP).max() <= 1


@pytest.mark.parametrize("kind", SAMPLES)
def test_big_tiff_is_read(kind: str) -> None:
    samples, top = SAMPLES[kind]
    data = tiff(((top - samples).astype(samples.dtype), {262: 0}), big=True)
    assert np.abs(seen(data) - RAMP).max() <= 1


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_few_bits_are_read(bits: int, white_is_zero: bool) -> None:
    values = RAMP[:, :16] >> (8 - bits)
    stored = 2**bits - 1 - values if white_is_zero else values
    digits = np.unpackbits(stored.astype(np.uint8)[..., None], axis=2)[..., 8 - bits :]
    packed = np.packbits(digits.reshape(12, -1), axis=1)
    data = tiff((packed, {256: 16, 258: bits, 262: 0 if white_is_zero else 1}))
    assert np.abs(seen(data) - np.rint(values * (255 / (2**bits - 1)))).max() <= 1


def test_twelve_bits_are_read() -> None:
    values = RAMP.astype(np.uint16) * 16
    pairs = values.reshape(12, -1, 2)
    packed = np.stack([pairs[..., 0] >> 4, (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8, pairs[..., 1] & 255], axis=2)
    data = tiff((packed.astype(np.uint8).reshape(12, -1), {256: 20, 258: 12}))
    assert np.abs(seen(data) - RAMP).max() <= 1


@pytest.mark.parametrize("unit", [1, 257])
def test_palettes_of_eight_and_sixteen_bits_are_read(unit: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (256, 3))
    palette = tuple(int(value) * unit for value in colours.T.ravel())
    assert (np.asarray(decode(tiff((RAMP, {262: 3, 320: palette}))).image) == colours[RAMP]).all()


def test_one_value_above_one_does_not_darken_a_floating_point_image() -> None:
    samples = RAMP.astype(np.float32) / 255
    samples[5, 5] = 1.02
    assert np.abs(seen(tiff((samples, {}))) - RAMP)[:5].max() <= 1


def test_a_fourth_sample_of_zeros_without_a_meaning_is_no_alpha() -> None:
    colours = np.stack([RAMP, RAMP, RAMP, np.zeros_like(RAMP)], axis=2)
    assert (seen(tiff((colours, {}))) == RAMP).all()
    assert (seen(tiff((colours, {338: 2}))) == 255).all()  # unassociated alpha


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("reduced", [{254: 1}, {255: 2}, {254: 4}])
@pytest.mark.parametrize("inside", [False, True])
def test_a_thumbnail_that_comes_first_is_passed_over(order: Order, reduced: dict[int, int], inside: bool) -> None:
    first = reduced | ({330: 0} if inside else {})
    data = tiff((THUMBNAIL, first), (65535 - RAMP.astype(np.uint16) * 257, {254: 0, 262: 0}), order=order)
    assert decode(data).width == 20
    assert np.abs(seen(data) - RAMP).max() <= 1


def test_a_main_image_that_comes_first_is_read_and_a_thumbnail_if_there_is_no_other() -> None:
    assert (seen(tiff((RAMP, {}), (THUMBNAIL, {254: 1}))) == RAMP).all()
    assert (seen(tiff((RAMP, {330: 0}), (THUMBNAIL, {254: 1}))) == RAMP).all()
    assert (seen(tiff((THUMBNAIL, {254: 1}))) == THUMBNAIL).all()


@pytest.mark.parametrize("where", [274, None])
def test_orientation_is_that_of_the_image_or_of_the_page_around_it(where: int | None) -> None:
    main = {262: 1} | ({274: 6} if where else {})
    data = tiff((THUMBNAIL, {254: 1, 330: 0} | ({} if where else {274: 6})), (RAMP.astype(np.uint16) * 257, main))
    decoded = decode(data)
    assert (decoded.width, decoded.height) == decoded.image.size == (12, 20)
    assert np.abs(seen(data) - np.rot90(RAMP, -1)).max() <= 1


@pytest.mark.parametrize("photometric", [32803, 34892])
def test_a_camera_raw_file_is_refused_and_not_seen_as_its_thumbnail(photometric: int) -> None:
    raw = RAMP.astype(np.uint16), {254: 0, 262: photometric}
    for data in (tiff(raw), tiff((THUMBNAIL, {254: 1, 330: 0}), raw), tiff((THUMBNAIL, {}), raw)):
        with pytest.raises(UnreadableError, match="a camera raw file: develop it first"):
            decode(data)
    plain = tiff((THUMBNAIL, {}))
    with pytest.raises(UnreadableError, match="a camera raw file: develop it first"):
        decode(plain[:8] + b"CR\2\0" + plain[12:])


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_samples_that_are_not_read_are_named(kind: type) -> None:
    with pytest.raises(UnreadableError, match=r"1 floating-point samples of (64|16) bits a pixel"):
        decode(tiff((RAMP.astype(kind), {})))


def test_an_image_that_pillow_opened_has_the_right_sign_and_is_not_changed() -> None:
    data = tiff((65535 - RAMP.astype(np.uint16) * 257, {262: 0}))
    with Image.open(BytesIO(data)) as image:
        assert np.abs(np.asarray(upright(image))[..., 0].astype(int) - RAMP).max() <= 1
        assert image.mode == "I;16"


@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_that_point_to_each_other_end(order: Order) -> None:
    data = bytearray(tiff((THUMBNAIL, {254: 1}), (THUMBNAIL, {254: 1}), order=order))
    data[-4:] = data[4:8]  # the last page is followed by the first
    assert (seen(bytes(data)) == THUMBNAIL).all()
