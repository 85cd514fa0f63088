"""Decoding gives an upright sRGB image, or the reason why not."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw

from fixtures.png_files import GREY, INDEXED, RGB, SIGNATURE, chunk, png
from fixtures.tiff_files import tiff
from impasto.data.decode import TooManyPixelsError, count_pixels, decode, upright
from impasto.data.entry import UnreadableError


def scene(width: int = 48, height: int = 32) -> Image.Image:
    """Red at the upper left, green at the upper right, blue at the lower left, grey at the lower right."""
    image = Image.new("RGB", (width, height), (128, 128, 128))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), (200, 30, 30))
    draw.rectangle((width // 2, 0, width - 1, height // 2 - 1), (30, 160, 30))
    draw.rectangle((0, height // 2, width // 2 - 1, height - 1), (30, 30, 200))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image).astype(int)
    h, w = pixels.shape[:2]
    return pixels[[h // 4, h // 4, 3 * h // 4, 3 * h // 4], [w // 4, 3 * w // 4, w // 4, 3 * w // 4]]


def distance(image: Image.Image, other: Image.Image) -> int:
    assert image.mode == other.mode == "RGB"
    return int(np.abs(corners(image) - corners(other)).max())


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 6),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("BMP", {}, 0),
        ("GIF", {}, 1),
    ],
)
def test_each_format_is_decoded(kind: str, options: dict[str, object], tolerance: int) -> None:
    decoded = decode(saved(scene(), kind, **options))
    assert (decoded.format, decoded.width, decoded.height) == (kind, 48, 32)
    assert distance(decoded.image, scene()) <= tolerance


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = scene().transpose(undo[orientation]) if orientation in undo else scene()
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    decoded = decode(saved(stored, kind, exif=exif, **lossless))
    assert (decoded.width, decoded.height) == decoded.image.size == (48, 32)
    assert distance(decoded.image, scene()) <= 6


def test_damaged_exif_is_ignored() -> None:
    assert decode(saved(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xee" * 40)).image.size == (48, 32)


def test_transparency_is_composited_over_white() -> None:
    clear = scene().convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 0))
    half = scene().convert("RGBA")
    half.putalpha(128)
    grey = Image.merge("LA", (Image.new("L", (8, 8), 0), Image.new("L", (8, 8), 0)))
    indexed = Image.new("P", (8, 8), 3)
    indexed.putpalette(list(range(48)))
    assert corners(decode(saved(clear, "PNG")).image).min() == 255
    assert corners(decode(saved(clear, "WEBP", lossless=True)).image).min() == 255
    assert corners(decode(saved(grey, "PNG")).image).min() == 255
    assert corners(decode(saved(indexed, "PNG", transparency=3)).image).min() == 255
    assert corners(decode(saved(indexed, "GIF", transparency=3)).image).min() == 255
    blended = decode(saved(half, "PNG")).image
    assert np.abs(corners(blended) - (corners(scene()) + 255) / 2).max() <= 2


def test_grey_images_of_every_bit_depth_decode_to_the_same_levels() -> None:
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
    images = {
        "8 bits": saved(Image.fromarray(ramp), "PNG"),
        "16 bits": saved(Image.fromarray(ramp.astype(np.uint16) * 257), "PNG"),
        "16 bits, TIFF": saved(Image.fromarray(ramp.astype(np.uint16) * 257), "TIFF"),
        "32 bits": saved(Image.fromarray(ramp.astype(np.int32) * 257), "TIFF"),
        "floating, 0 to 1": saved(Image.fromarray(ramp.astype(np.float32) / 255), "TIFF"),
        "floating, 0 to 255": saved(Image.fromarray(ramp.astype(np.float32)), "TIFF"),
        "floating, any": saved(Image.fromarray(ramp.astype(np.float32) * 9 - 700), "TIFF"),
    }
    for name, data in images.items():
        pixels = np.asarray(decode(data).image)
        assert np.abs(pixels.astype(int) - ramp[..., None]).max() <= 1, name


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (16, 16), 1)
    image.paste(0, (0, 0, 8, 16))
    assert corners(decode(saved(image, "PNG")).image)[:, 0].tolist() == [0, 255, 0, 255]


def test_sixteen_bit_colour_is_read() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 0xC800, 0x1E00, 0x6400) * 4 for _ in range(4))
    chunks = ((b"IHDR", struct.pack(">2I5B", 4, 4, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    assert decode(data).image.getpixel((1, 1)) == (200, 30, 100)


def test_cmyk_is_converted_to_the_same_colours_from_jpeg_and_tiff() -> None:
    inks = scene().convert("CMYK")
    for data in (saved(inks, "JPEG", quality=97), saved(inks, "TIFF")):
        assert distance(decode(data).image, scene()) <= 12


def test_lab_is_converted() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = to_lab.apply(scene())
    assert distance(decode(saved(lab, "TIFF")).image, scene()) <= 15  # 8 bits are few for it


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")  # red is blue


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_embedded_colour_profile_is_applied(kind: str) -> None:
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {"quality": 97} if kind == "JPEG" else {}
    red, green, blue = scene().split()
    swapped = Image.merge("RGB", (blue, green, red))
    decoded = decode(saved(swapped, kind, icc_profile=SWAPPED, **options))
    assert distance(decoded.image, scene()) <= 10


def test_an_srgb_profile_changes_nothing_and_an_invalid_profile_is_ignored() -> None:
    for icc in (SRGB, b"nonsense" * 40, SRGB[:200]):
        assert decode(saved(scene(), "PNG", icc_profile=icc)).image.tobytes() == scene().tobytes()


def test_a_large_jpeg_is_decoded_smaller_but_not_below_min_side(shared_data: Path) -> None:
    for path in (shared_data / "photos_licensed").iterdir():
        data = path.read_bytes()
        with Image.open(path) as file:
            full = max(file.size), min(file.size)
        for min_side in (100, 256, 700, 5000):
            decoded = decode(data, min_side)
            assert (max(decoded.width, decoded.height), min(decoded.width, decoded.height)) == full
            assert min(decoded.image.size) >= min(min_side, full[1])
            assert min(decoded.image.size) < 2 * min_side or min(decoded.image.size) <= full[1] / 8 + 1


@given(size=st.tuples(st.integers(1, 90), st.integers(1, 90)), min_side=st.integers(1, 100))
def test_min_side_holds_at_every_size(size: tuple[int, int], min_side: int) -> None:
    decoded = decode(saved(Image.new("RGB", size), "JPEG"), min_side)
    assert (decoded.width, decoded.height) == size
    assert min(decoded.image.size) >= min(min_side, *size)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        ("Ein Text über Bilder".encode(), "text, not an image"),
        (b"\xff\xd8\xff\xe0", "a damaged or unsupported JPEG"),
        (bytes(range(256)), "not an image"),
        (saved(scene(), "JPEG")[:-200], "truncated"),
        (saved(scene(), "PNG")[:-40], "truncated"),
        (saved(scene(), "WEBP")[:-40], "damaged"),
        (saved(Image.effect_noise((64, 64), 50), "TIFF")[:-1000], "truncated"),
    ],
)
def test_a_file_that_cannot_be_decoded_gives_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        decode(data)


def test_decompression_bombs_are_refused_by_their_header() -> None:
    header = struct.pack(">2I5B", 16_000, 12_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    with pytest.raises(UnreadableError, match="larger than 150 megapixels"):
        decode(bomb + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))


def test_fewer_pixels_can_be_asked_for() -> None:
    data = saved(scene(480, 320), "JPEG")
    with pytest.raises(TooManyPixelsError, match=r"larger than 0\.1 megapixels"):
        decode(data, max_pixels=100_000)
    assert decode(data, min_side=100, max_pixels=100_000).width == 480  # decoded at half of its size


def test_a_profile_is_applied_before_transparency_is_composited() -> None:
    half = Image.new("RGBA", (8, 8), (200, 30, 100, 128))
    seen = decode(saved(half, "PNG", icc_profile=SWAPPED)).image.getpixel((1, 1))
    expected = [(value + 255) / 2 for value in (100, 30, 200)]
    assert isinstance(seen, tuple) and max(abs(a - b) for a, b in zip(seen, expected, strict=True)) <= 3


RAMP = np.arange(96, dtype=np.uint16).reshape(8, 12) * 690
SAMPLES = [
    *(saved(scene(), kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")),
    saved(scene(), "JPEG", progressive=True)[:-2],
    saved(scene(), "JPEG", restart_marker_blocks=2, icc_profile=SRGB),
    saved(scene().convert("CMYK"), "JPEG"),
    saved(scene().convert("RGBA"), "BMP"),
    saved(scene().convert("P"), "GIF"),
    *(saved(scene(), "TIFF", compression=name) for name in ("tiff_adobe_deflate", "tiff_lzw", "jpeg", "packbits")),
    saved(scene().convert("1"), "TIFF", compression="group4"),
    tiff((RAMP, {262: 0}), order=">"),
    tiff((RAMP.astype(np.float32), {254: 1}), (RAMP.astype(np.uint32), {262: 0, 259: 8}), big=True),
    tiff((RAMP, {254: 1, 330: 0}), (RAMP, {})),
    png(RAMP, GREY, 16, chunk(b"gAMA", b"\0\1\x86\xa0"), chunk(b"tRNS", b"\0\1")),
    png(np.stack([RAMP] * 3, axis=2), RGB, 16, chunk(b"cICP", b"\x0c\x0d\0\1"), chunk(b"tRNS", bytes(6))),
    png(RAMP % 4, INDEXED, 2, chunk(b"PLTE", bytes(12)), chunk(b"tRNS", b"\0\x80"), chunk(b"iCCP", b"a\0\0")),
]


@settings(max_examples=500)
@given(sample=st.sampled_from(SAMPLES), data=st.data())
def test_damaged_bytes_decode_or_raise_unreadable_and_nothing_else(sample: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sample)
    if data.draw(st.booleans()):  # a part is taken out, or put in twice
        start, end = sorted(data.draw(st.lists(st.integers(0, len(sample)), min_size=2, max_size=2)))
        damaged[start:end] = data.draw(st.sampled_from([b"", damaged[start:end] * 2]))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, max(0, len(damaged) - 1)))
        damaged[place : place + 1] = data.draw(st.binary(min_size=1, max_size=4))
    if sample.startswith(SIGNATURE) and data.draw(st.booleans()):
        damaged = bytearray(with_checksums(bytes(damaged)))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        decoded = decode(bytes(damaged))
        assert decoded.image.mode == "RGB" and decoded.image.width > 0 < decoded.image.height
    except UnreadableError as reason:
        assert str(reason).isprintable() and str(reason)
    assert count_pixels(bytes(damaged)) >= 0


def with_checksums(data: bytes) -> bytes:
    """Return a damaged PNG whose chunks have right checksums, so that the damage is not found by them."""
    parts, place = [data[:8]], 8
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        parts.append(chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return b"".join(parts)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1"])
def test_upright_gives_the_same_pixels_as_decode(mode: str) -> None:
    data = saved(scene().convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    with Image.open(io.BytesIO(data)) as image:
        seen = upright(image)
        assert image.mode == mode
    assert seen.mode == "RGB" and seen.tobytes() == decode(data).image.tobytes()


def test_pixels_are_counted_without_decoding() -> None:
    whole = saved(scene(480, 320), "PNG")
    assert count_pixels(whole) == count_pixels(whole[:100]) == 480 * 320
    assert count_pixels(b"") == count_pixels(b"no picture") == 0
