"""The image file formats that Pillow decodes by itself."""

from impasto.data.formats import IMAGE_FORMATS, ImageFormat


@IMAGE_FORMATS.register("JPEG")
class Jpeg(ImageFormat):
    """JPEG, also with further images inside (MPO), of which the first is read."""

    title = pillow = "JPEG"
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
    magic = (b"\xff\xd8\xff",)


@IMAGE_FORMATS.register("PNG")
class Png(ImageFormat):
    """PNG, of an animated one the first image."""

    title = pillow = "PNG"
    suffixes = (".png", ".apng")
    magic = (b"\x89PNG",)


@IMAGE_FORMATS.register("WEBP")
class WebP(ImageFormat):
    """WebP, of an animated one the first frame."""

    title, pillow = "WebP", "WEBP"
    suffixes = (".webp",)

    @classmethod
    def matches(cls, head: bytes) -> bool:
        return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


@IMAGE_FORMATS.register("TIFF")
class Tiff(ImageFormat):
    """TIFF and BigTIFF, in either byte order, the first page."""

    title = pillow = "TIFF"
    suffixes = (".tif", ".tiff")
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")


@IMAGE_FORMATS.register("BMP")
class Bmp(ImageFormat):
    """Windows bitmap."""

    title = pillow = "BMP"
    suffixes = (".bmp",)
    magic = (b"BM",)


@IMAGE_FORMATS.register("GIF")
class Gif(ImageFormat):
    """GIF, of an animated one the first frame."""

    title = pillow = "GIF"
    suffixes = (".gif",)
    magic = (b"GIF8",)
