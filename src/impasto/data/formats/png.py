"""PNG files: read as browsers show them (PNG specification, third edition), whatever their ancillary chunks hold."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from impasto.data.colour_space import HDR_TRANSFERS, PRIMARIES, TRANSFERS, ColourSpace
from impasto.data.entry import UnreadableError
from impasto.data.formats import IMAGE_FORMATS, ImageFormat
from impasto.data.sample_range import BAND, to_eight_bits

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Bytes of a colour profile, and of a text, from which on it is ignored.
MAX_PROFILE, MAX_TEXT = 1 << 22, 1 << 20
#: Number of chunks, beside one for each kilobyte, from which on a file is refused.
MAX_CHUNKS = 100_000
#: Chunks that tell the colours, if they come before the palette and the pixels; chunks with a text behind a keyword.
COLOUR_CHUNKS, TEXT_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"), (b"tEXt", b"zTXt", b"iTXt")
#: Bytes of a keyword, with the zero byte behind it.
KEYWORD = 80
#: Texts that may hold the orientation.
ORIENTING_TEXTS = (b"XML:com.adobe.xmp", b"Raw profile type exif")
#: Levels of 255 per level of a grey image of fewer bits, by Pillow's name of its samples.
GREY_STEPS = {"L;2": 85, "L;4": 17}


@IMAGE_FORMATS.register("PNG")
class Png(ImageFormat):
    """PNG, of an animated one the first image."""

    title = pillow = "PNG"
    suffixes = (".png", ".apng")
    magic = (b"\x89PNG",)

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        """Return the image of the chunks that hold pixels. What other chunks say of colours and orientation, if they
        are sound, is put where Pillow does."""
        needed, pixels = list[tuple[bytes, memoryview]](), list[memoryview]()
        info, seen = dict[str, Any](), set[tuple[bytes, bytes]]()
        for number, (name, content, sound) in enumerate(_chunks(data)):
            if number > MAX_CHUNKS + len(data) // 1024:
                raise UnreadableError("a PNG of too many parts: save it again")
            if name == b"CgBI":
                raise UnreadableError("Apple's variant of PNG, from an iOS app: open it on a Mac and save it as PNG")
            if name == b"IDAT":
                if content:
                    pixels.append(content)
            elif name in (b"IHDR", b"PLTE", b"tRNS") and sound:
                needed.append((name, content))
            elif name in (b"IHDR", b"PLTE"):
                raise ValueError(f"checksum mismatch in {name.decode()}")
            elif sound and not (name in COLOUR_CHUNKS and (pixels or any(each == b"PLTE" for each, _ in needed))):
                kind = name, bytes(content[:KEYWORD]).partition(b"\0")[0] if name in TEXT_CHUNKS else b""
                if kind not in seen:  # the first counts
                    seen.add(kind)
                    info |= _read_info(name, bytes(content))
        if info.get("cicp", (0, 0))[1] in HDR_TRANSFERS:
            raise UnreadableError("a high dynamic range (HDR) image: convert it to standard range first")
        image = super().open(_assemble(needed, pixels))
        image.info.update(info)
        return image

    @classmethod
    def load(cls, image: Image.Image) -> Image.Image:
        """Decode the pixels, with a transparent colour as alpha channel, and in sRGB unless they have a profile."""
        known, space = _colour_space(image.info)
        transparent = image.info.get("transparency") if image.mode != "P" else None
        if space is None and transparent is None:
            image.load()
        else:
            image = _convert(image, transparent, space)
        if known:
            image.info.pop("icc_profile", None)
        return image


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, bool]]:
    """Yield the name and content of each chunk, the last one as far as it goes, and whether its checksum is right."""
    place, view = len(SIGNATURE), memoryview(data)
    while place + 8 <= len(data) and data[place + 4 : place + 8] != b"IEND":
        (length,) = struct.unpack_from(">I", data, place)
        name, end = data[place + 4 : place + 8], place + 8 + length
        content = view[place + 8 : end]
        # Pixels have a checksum of their own.
        yield name, content, name != b"IDAT" and data[end : end + 4] == _checksum(name, content)
        place = end + 4


def _checksum(name: bytes, content: bytes | memoryview) -> bytes:
    return struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))


def _read_info(name: bytes, content: bytes) -> dict[str, Any]:
    """Return what an ancillary chunk adds to ``info``; nothing if it is not used here or has another length."""
    match name, len(content):
        case b"gAMA", 4:
            return {"gamma": int.from_bytes(content, "big") / 100_000}
        case b"cHRM", 32:
            return {"chromaticity": tuple(value / 100_000 for value in struct.unpack(">8I", content))}
        case b"sRGB", 1:
            return {"srgb": content[0]}
        case b"cICP", 4:
            return {"cicp": tuple(content)}
        case b"iCCP", _:
            profile = _inflate(content.partition(b"\0")[2][1:], MAX_PROFILE)
            return {"icc_profile": profile} if profile else {}
        case b"eXIf", _:
            return {"exif": b"Exif\0\0" + content}
        case _ if name in TEXT_CHUNKS:
            keyword, _, text = content.partition(b"\0")
            if keyword in ORIENTING_TEXTS:
                return {keyword.decode(): _text(name, text)}
    return {}


def _text(name: bytes, content: bytes) -> str:
    """Return the text behind a keyword."""
    compressed = name == b"zTXt"
    if compressed:
        content = content[1:]  # the method, which can only be deflate
    elif name == b"iTXt":  # compression flag and method, language, translated keyword
        compressed, content = content[:1] == b"\1", content[2:].split(b"\0", 2)[-1]
    if compressed:
        content = _inflate(content, MAX_TEXT)
    return content[:MAX_TEXT].decode("utf-8", "replace")


def _inflate(data: bytes, most: int) -> bytes:
    """Decompress zlib data; nothing if they are damaged or have more than ``most`` bytes."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data, most)
    except zlib.error:
        return b""
    return b"" if stream.unconsumed_tail else content


def _assemble(chunks: list[tuple[bytes, memoryview]], pixels: list[memoryview]) -> bytes:
    """Return a PNG of some chunks. Pillow does not look at the checksum of the pixels."""
    parts: list[bytes | memoryview] = [SIGNATURE]
    for name, content in chunks:
        parts += [struct.pack(">I", len(content)), name, content, _checksum(name, content)]
    parts += [struct.pack(">I", sum(map(len, pixels))), b"IDAT", *pixels, bytes(4)]
    return b"".join([*parts, bytes(4), b"IEND", _checksum(b"IEND", b"")])


def _colour_space(info: Mapping[Any, Any]) -> tuple[bool, ColourSpace | None]:
    """Return whether chunks other than a profile tell the colours, and the colour space if it is not sRGB.

    The first of cICP, iCCP, sRGB, and gAMA with cHRM counts.
    """
    cicp = info.get("cicp", (0, 0, 0, 0))
    if cicp[0] in PRIMARIES and cicp[1] in TRANSFERS and cicp[2] == 0:
        return True, _of_numbers(cicp)
    if info.get("icc_profile") or "srgb" in info:
        return False, None
    return False, _of_gamma(info.get("gamma"), info.get("chromaticity"))


@lru_cache(maxsize=32)
def _of_numbers(cicp: tuple[int, int, int, int]) -> ColourSpace | None:
    space = ColourSpace(PRIMARIES[cicp[0]], TRANSFERS[cicp[1]], narrow=not cicp[3])
    return None if space.is_srgb else space


@lru_cache(maxsize=32)
def _of_gamma(gamma: float | None, chromaticities: tuple[float, ...] | None) -> ColourSpace | None:
    space = ColourSpace.of_gamma(gamma, chromaticities)
    return None if space.is_srgb else space


def _convert(image: Image.Image, transparent: Any, space: ColourSpace | None) -> Image.Image:
    """Return the image with 8 bits a channel in sRGB, or as it is if ``space`` is None, and with an alpha channel for
    the colour that is ``transparent``."""
    raw = str(image.tile[0].args) if isinstance(image, ImageFile.ImageFile) and image.tile else ""
    low = _low_bytes(image, raw)
    image.load()
    info = {key: value for key, value in image.info.items() if key != "transparency"}
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if transparent is not None:
        alpha = Image.new("L", image.size)
    converted = Image.new("L" if image.mode in ("1", "L", "LA", "I;16") else "RGB", image.size)
    for top in range(0, image.height, BAND):  # the samples of a whole image take six times its memory
        box = (0, top, image.width, min(top + BAND, image.height))
        samples = _samples(image.crop(box))
        if low is not None:
            samples = samples.astype(np.uint16) << 8 | _samples(low.crop(box))
        if transparent is not None and alpha is not None:
            differs = samples != np.multiply(transparent, GREY_STEPS.get(raw, 1))
            mask = differs if samples.ndim == 2 else differs.any(axis=2)
            alpha.paste(Image.fromarray(mask.astype(np.uint8) * 255), box)
        if space is not None:
            samples = space.to_srgb(samples)
        elif samples.dtype == np.uint16:
            samples = to_eight_bits(samples)
        converted.paste(Image.fromarray(samples), box)
    if alpha is not None:
        converted.putalpha(alpha)
    converted.info.update(info)
    return converted


def _samples(image: Image.Image) -> NDArray[Any]:
    """Return grey (H, W) or RGB (H, W, 3) samples, without alpha."""
    match image.mode:
        case "1":
            return np.asarray(image.convert("L"))
        case "LA":
            return np.asarray(image.getchannel("L"))
        case "RGBA":
            return np.asarray(image.convert("RGB"))
    return np.asarray(image)


def _low_bytes(image: Image.Image, raw: str) -> Image.Image | None:
    """Return the lower 8 bits of 16-bit colours, of which Pillow reads the upper ones: those that come first if the
    samples are taken for little-endian."""
    if raw not in ("RGB;16B", "RGBA;16B") or not isinstance(image, ImageFile.ImageFile):
        return None
    if not isinstance(image.fp, BytesIO):
        return None
    low = Image.open(BytesIO(image.fp.getvalue()), formats=("PNG",))
    low.tile = [tile._replace(args=f"{raw[:-1]}L") for tile in low.tile]
    return low
