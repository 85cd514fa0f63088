"""Windows bitmaps."""

from PIL import Image

from impasto.data.formats import IMAGE_FORMATS, ImageFormat


@IMAGE_FORMATS.register("BMP")
class Bmp(ImageFormat):
    """Windows bitmap. One whose alpha channel is zero everywhere has none: many programs leave that byte unset."""

    title = pillow = "BMP"
    suffixes = (".bmp",)
    magic = (b"BM",)

    @classmethod
    def load(cls, image: Image.Image) -> Image.Image:
        image.load()
        unset = image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0)
        return image.convert("RGB") if unset else image
