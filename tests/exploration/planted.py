"""A folder with one of everything that can be wrong with people's pictures, planted among good ones."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

import impasto

#: Width and height of the good pictures, and their formats by file ending.
SIZES = [(256, 256), (320, 240), (240, 320), (300, 300), (400, 256), (256, 400)]
GOOD = ["jpg", "png", "webp", "tif", "bmp", "jpeg"]

BOMB = (20_000, 10_000)  # pixels: 200 million, more than is read


def plant(folder: Path) -> dict[str, str]:
    """Fill an empty or missing ``folder``; say of every entry, by its name, what it is.

    The words begin with ``good`` for the 12 sound pictures, ``readable`` for what is odd but a picture,
    ``duplicate`` and ``near duplicate``, ``unreadable``, ``framed``, ``watermark`` and ``junk``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _paintings()
    planted: dict[str, str] = {}

    def put(name: str, data: bytes, what: str) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        planted[name] = what

    for i, picture in enumerate(pictures[:12]):
        ending = GOOD[i % len(GOOD)]
        name = f"good-{i:02}.{ending}"
        put(name, _encoded(ImageOps.fit(picture, SIZES[i % len(SIZES)]), ending), f"good: {ending}")
    put("twin.jpg", (folder / "good-00.jpg").read_bytes(), "duplicate of good-00.jpg")
    with Image.open(folder / "good-03.tif") as whole:
        near = whole.resize((220, 220), Image.Resampling.LANCZOS)
    put("recompressed.jpg", _encoded(near, "jpg", quality=60), "near duplicate of good-03.tif")

    odd = pictures[12:]
    cut = _encoded(odd[0], "jpg")
    put("cut.jpg", cut[: len(cut) // 2], "unreadable: a truncated JPEG")
    cut = _encoded(odd[0], "png")
    put("cut.png", cut[: len(cut) // 2], "unreadable: a truncated PNG")
    put("empty.jpg", b"", "unreadable: an empty file")
    put("letter.jpg", b"Dear Claude, the lilies are in bloom.\n" * 20, "unreadable: text named .jpg")
    put("bomb.png", _bomb(*BOMB), "unreadable: 200 megapixels")
    put("cmyk.jpg", _encoded(odd[1].convert("CMYK"), "jpg"), "readable: a CMYK JPEG")
    put("deep.png", _encoded(_sixteen_bits(odd[2]), "png"), "readable: 16-bit grey")
    put("clear.png", _encoded(_see_through(odd[3]), "png"), "readable: RGBA")
    put("palette.gif", _encoded(odd[4].quantize(64), "gif"), "readable: a palette")
    put("dot.png", _encoded(Image.new("RGB", (1, 1), "red"), "png"), "readable: one pixel")
    put("山水 – Ölbild №1.jpg", _encoded(odd[5], "jpg"), "readable: a name beyond ASCII")
    put("white-border.png", _encoded(ImageOps.expand(odd[6], 24, "white"), "png"), "framed: a white border")
    put("dark-frame.jpg", _encoded(ImageOps.expand(odd[7], 30, (38, 24, 16)), "jpg"), "framed: a dark frame")
    put("stamped.jpg", _encoded(stamped(odd[8]), "jpg"), "watermark: www.example.com")
    put("__MACOSX/._good-00.jpg", b"\0\5\26\7", "junk: left by macOS")
    put(".DS_Store", b"\0\0\0\1Bud1", "junk: left by macOS")
    return planted


def stamped(
    picture: Image.Image,
    text: str = "www.example.com",
    *,
    size: float = 0.07,
    alpha: float = 0.75,
    place: tuple[float, float] = (0.97, 0.97),
    colour: str = "white",
) -> Image.Image:
    """The picture with a text over it, in one colour and evenly see-through, as sites stamp their pictures.

    ``size`` is the font's height as a share of the short side; ``place`` says how far the text is moved to the right
    and down, each from 0 to 1, of what room there is.
    """
    font = ImageFont.load_default(max(size * min(picture.size), 9))
    left, top, right, bottom = font.getbbox(text)
    corner = (place[0] * (picture.width - (right - left)) - left, place[1] * (picture.height - (bottom - top)) - top)
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).text(corner, text, round(255 * alpha), font)
    return Image.composite(Image.new("RGB", picture.size, colour), picture, mask)


def _paintings() -> list[Image.Image]:
    """The sample's first 21 paintings."""
    with zipfile.ZipFile(Path(impasto.__file__).parent / "sample" / "paintings.zip") as archive:
        names = sorted(archive.namelist())[:21]
        return [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]


def _encoded(picture: Image.Image, ending: str, quality: int = 92) -> bytes:
    file = io.BytesIO()
    picture.save(file, Image.registered_extensions()[f".{ending}"], quality=quality)
    return file.getvalue()


def _sixteen_bits(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def _see_through(picture: Image.Image) -> Image.Image:
    alpha = Image.linear_gradient("L").resize(picture.size)
    return Image.merge("RGBA", (*picture.split(), alpha))


def _bomb(width: int, height: int) -> bytes:
    """A sound PNG of black, one bit a pixel; its rows are compressed one by one, so nothing large is ever held."""
    deflate = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    rows = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
