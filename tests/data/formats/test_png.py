"""PNG as browsers show it, and sound pixels whatever the other chunks hold."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from fixtures.png_files import GREY, GREY_ALPHA, INDEXED, RGB, RGBA, chunk, png
from impasto.data.decode import decode, upright
from impasto.data.entry import UnreadableError

SCENE = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
LINEAR, SRGB_LIKE = (chunk(b"gAMA", struct.pack(">I", value)) for value in (100_000, 45_455))
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
P3_PRIMARIES = chunk(b"cHRM", struct.pack(">8I", *(round(each * 100_000) for each in P3)))
P3_CODES, SRGB_CODES = chunk(b"cICP", bytes([12, 13, 0, 1])), chunk(b"cICP", bytes([1, 13, 0, 1]))
SRGB = chunk(b"sRGB", b"\0")
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = PROFILE.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")  # red is blue
SWAP = chunk(b"iCCP", b"swapped\0\0" + zlib.compress(SWAPPED))


def seen(data: bytes) -> np.ndarray:
    return np.asarray(decode(data).image)


def encoded(light: np.ndarray) -> np.ndarray:
    """Return the sRGB levels of light 0…1."""
    level: np.ndarray = np.rint(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))
    return level


def rgb(*chunks: bytes, after: bytes = b"") -> bytes:
    return png(SCENE, RGB, 8, *chunks, after=after)


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"tEXt", b"Comment\0" + b"x" * (2 << 20))],
        [chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (80 << 20)))],
        [chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * (80 << 20)))],
        [chunk(b"iCCP", b"large\0\0" + zlib.compress(bytes(3 << 20)))],
        [chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(80 << 20)))],
        [chunk(b"iCCP", b"damaged\0\0nothing")],
        [chunk(b"tEXt", b"a\0b", sound=False)],
        [chunk(b"gAMA", struct.pack(">I", 100_000), sound=False)],
        [chunk(b"tRNS", bytes(6), sound=False)],
        [chunk(b"gAMA", b"\0\1"), chunk(b"cHRM", bytes(7)), chunk(b"sRGB"), chunk(b"cICP", b"\x0c")],
        [chunk(b"gAMA", bytes(4)), chunk(b"cHRM", bytes(32))],
        [chunk(b"eXIf", b"MM")],
        [chunk(b"acTL", b"\0"), chunk(b"fcTL", b"\0")],
        [chunk(b"prVt", bytes(9)), chunk(b"tIME")],
    ],
    ids=str,
)
def test_ancillary_chunks_that_are_large_damaged_or_unknown_do_not_matter(chunks: list[bytes]) -> None:
    for data in (rgb(*chunks), rgb(after=b"".join(chunks))):
        assert (seen(data) == SCENE).all()


def test_pixels_in_chunks_apart_are_read() -> None:
    whole = rgb()
    start = whole.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", whole, start)
    pixels = whole[start + 8 : start + 8 + length]
    parts = [chunk(b"IDAT", pixels[:30]), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT"), chunk(b"IDAT", pixels[30:])]
    assert (seen(whole[:start] + b"".join(parts)) == SCENE).all()


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_missing_pixels_are_an_error(cut: float) -> None:
    with pytest.raises(UnreadableError, match="truncated"):
        decode(rgb()[: int(len(rgb()) * cut)])


def test_a_damaged_header_is_an_error() -> None:
    data = bytearray(rgb())
    data[19] ^= 4  # the width
    with pytest.raises(UnreadableError, match="checksum mismatch in IHDR"):
        decode(bytes(data))


def test_linear_light_is_shown_by_the_srgb_curve() -> None:
    assert np.abs(seen(rgb(LINEAR)) - encoded(SCENE / 255)).max() <= 1
    grey = SCENE[..., 0]
    assert np.abs(seen(png(grey, GREY, 8, LINEAR))[..., 0] - encoded(grey / 255)).max() <= 1
    deep = np.random.default_rng(1).integers(0, 3000, SCENE.shape)  # of 65535: dark tones that 8 bits do not tell apart
    assert np.abs(seen(png(deep, RGB, 16, LINEAR)) - encoded(deep / 65535)).max() <= 1
    assert np.abs(seen(png(deep[..., 0], GREY, 16, LINEAR))[..., 0] - encoded(deep[..., 0] / 65535)).max() <= 1


def test_linear_palettes_and_alpha_channels_are_converted() -> None:
    palette = SCENE.reshape(-1, 3)
    indices = np.arange(96).reshape(8, 12)
    data = png(indices, INDEXED, 8, LINEAR, chunk(b"PLTE", palette.tobytes()))
    assert np.abs(seen(data) - encoded(SCENE / 255)).max() <= 1
    translucent = np.concatenate([np.zeros_like(SCENE), np.full((8, 12, 1), 128, np.uint8)], axis=2)
    assert (seen(png(translucent, RGBA, 8, LINEAR)) == 127).all(), "browsers convert the colour, then composite"


def test_primaries_alone_or_by_number_are_applied() -> None:
    by_number, by_chromaticities = seen(rgb(P3_CODES)), seen(rgb(P3_PRIMARIES))
    assert np.abs(by_number.astype(int) - SCENE).max() > 20
    assert np.abs(by_number.astype(int) - by_chromaticities).max() <= 1


@pytest.mark.parametrize(
    ("chunks", "counts"),
    [
        ([P3_CODES, SWAP, SRGB, LINEAR], P3_CODES),
        ([LINEAR, SRGB, SWAP, P3_CODES], P3_CODES),
        ([SRGB_CODES, SWAP, LINEAR], SRGB),
        ([SWAP, SRGB, LINEAR, P3_PRIMARIES], SWAP),
        ([SRGB, LINEAR, P3_PRIMARIES], SRGB),
        ([LINEAR, SRGB], SRGB),
        ([SRGB_LIKE], SRGB),
        ([chunk(b"cICP", bytes([2, 2, 0, 1])), LINEAR], LINEAR),  # unspecified
        ([chunk(b"cICP", bytes([12, 13, 1, 1])), LINEAR], LINEAR),  # no RGB
    ],
)
def test_cicp_counts_before_a_profile_before_srgb_before_gamma(chunks: list[bytes], counts: bytes) -> None:
    assert (seen(rgb(*chunks)) == seen(rgb(counts))).all()
    assert counts == SRGB or (seen(rgb(counts)) != SCENE).any()


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_refused(transfer: int) -> None:
    with pytest.raises(UnreadableError, match=r"high dynamic range \(HDR\)"):
        decode(rgb(chunk(b"cICP", bytes([9, transfer, 0, 1]))))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey_of_any_depth_is_white(bits: int) -> None:
    top = 2**bits - 1
    samples = np.arange(8 * 12).reshape(8, 12) * (257 if bits == 16 else 1) % (top + 1)
    for clear in (0, top // 3 if bits > 1 else 1):
        transparent = chunk(b"tRNS", struct.pack(">H", clear))
        expected = np.where(samples == clear, 255, np.rint(samples * (255 / top)))
        assert np.abs(seen(png(samples, GREY, bits, transparent))[..., 0] - expected).max() <= 1


def test_a_transparent_grey_of_16_bits_is_compared_in_all_of_them() -> None:
    samples = np.array([[0x1234, 0x1235], [0x1200, 0xFFFF]])
    values = seen(png(samples, GREY, 16, chunk(b"tRNS", struct.pack(">H", 0x1234))))[..., 0]
    assert values.tolist() == [[255, 18], [18, 255]]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour_is_compared_in_all_bits(bits: int) -> None:
    unit = 1 if bits == 8 else 257
    samples = np.full((1, 4, 3), 100 * unit)
    samples[0, 1, 2] += 1
    samples[0, 2, 0] += 1
    samples[0, 3] = 0
    data = png(samples, RGB, bits, chunk(b"tRNS", struct.pack(">3H", *[100 * unit] * 3)))
    assert seen(data)[0, 0].tolist() == [255, 255, 255]
    assert np.abs(seen(data)[0, 1:].astype(int) - samples[0, 1:] // unit).max() <= 1


def test_a_transparent_index_and_grey_with_alpha_are_white_where_they_are_clear() -> None:
    palette = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    assert seen(png(np.array([[0, 1]]), INDEXED, 1, palette, chunk(b"tRNS", b"\0"))).tolist() == [
        [[255] * 3, [40, 50, 60]]
    ]
    grey = np.array([[[7, 0], [7, 255]]])
    assert seen(png(grey, GREY_ALPHA, 8))[0, :, 0].tolist() == [255, 7]
    assert seen(png(grey * 257, GREY_ALPHA, 16))[0, :, 0].tolist() == [255, 7]


def test_orientation_is_read_from_exif_and_from_texts_before_and_behind_the_pixels() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    raw = b"\nexif\n%8d\n%s" % (len(exif.tobytes()), exif.tobytes().hex().encode())
    for oriented in (
        chunk(b"eXIf", exif.tobytes()[6:]),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
    ):
        for data in (rgb(oriented), rgb(after=oriented), rgb(oriented, LINEAR)):
            assert decode(data).image.size == (8, 12)


def test_apples_variant_is_named() -> None:
    data = rgb()
    with pytest.raises(UnreadableError, match="Apple's variant of PNG"):
        decode(data[:8] + chunk(b"CgBI", bytes(4)) + data[8:])


def test_the_first_image_of_an_animation_is_read() -> None:
    frames = [Image.fromarray(SCENE), Image.fromarray(255 - SCENE)]
    file = BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    assert (seen(file.getvalue()) == SCENE).all()


@pytest.mark.parametrize("chunks", [[LINEAR], [SWAP], [], [chunk(b"tRNS", struct.pack(">3H", *SCENE[2, 3]))]])
def test_an_image_that_pillow_opened_is_seen_the_same_way_and_not_changed(chunks: list[bytes]) -> None:
    with Image.open(BytesIO(rgb(*chunks))) as image:
        before = dict(image.info)
        assert (np.asarray(upright(image)) == seen(rgb(*chunks))).all()
        assert image.info == before and (np.asarray(image) == SCENE).all()


def test_of_several_chunks_of_a_kind_the_first_counts_and_colours_come_before_the_pixels() -> None:
    plain = seen(rgb())
    assert np.array_equal(seen(rgb(SRGB_LIKE, LINEAR)), plain)
    assert np.array_equal(seen(rgb(after=LINEAR)), plain)
    assert not np.array_equal(seen(rgb(LINEAR, SRGB_LIKE)), plain)


def test_a_file_of_very_many_chunks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = chunk(b"IDAT", b"")
    assert np.array_equal(seen(rgb(empty * 1000)), seen(rgb()))
    monkeypatch.setattr("impasto.data.formats.png.MAX_CHUNKS", 100)
    with pytest.raises(UnreadableError, match="too many parts"):
        decode(rgb(empty * 1000))


def test_large_images_are_converted_in_bands() -> None:
    scene = np.random.default_rng(1).integers(0, 65536, (600, 3, 3), np.uint16)
    scene[5] = scene[595] = 1000
    clear = chunk(b"tRNS", struct.pack(">3H", 1000, 1000, 1000))
    image = seen(png(scene, RGB, 16, clear))
    expected = np.rint(scene / 257)
    expected[[5, 595]] = 255
    assert np.abs(image - expected).max() <= 1
