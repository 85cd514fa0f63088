"""The image file formats that Pillow decodes by itself."""

from impasto.data.formats import IMAGE_FORMATS, ImageFormat


@IMAGE_FORMATS.register("WEBP")
class WebP(ImageFormat):
    """WebP, of an animated one the first frame."""

    title, pillow = "WebP", "WEBP"
    suffixes = (".webp",)

    @classmethod
    def matches(cls, head: bytes) -> bool:
        return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


@IMAGE_FORMATS.register("GIF")
class Gif(ImageFormat):
    """GIF, of an animated one the first frame."""

    title = pillow = "GIF"
    suffixes = (".gif",)
    magic = (b"GIF8",)
