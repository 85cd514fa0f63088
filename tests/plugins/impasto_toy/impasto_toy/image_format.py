"""An image format: width and height as two big-endian numbers, then RGB bytes."""

import struct

from PIL import Image

from impasto.data.formats import IMAGE_FORMATS, ImageFormat


@IMAGE_FORMATS.register("TOY")
class ToyImage(ImageFormat):
    """``TOYIMG``, width, height (uint32 each), pixels."""

    title = "Toy image"
    suffixes = (".toyimg",)
    magic = (b"TOYIMG",)

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        width, height = struct.unpack(">II", data[6:14])
        return Image.frombytes("RGB", (width, height), data[14:])
