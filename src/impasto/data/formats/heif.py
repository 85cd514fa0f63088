"""HEIC and AVIF, the two image formats of HEIF (ISO/IEC 23008-12)."""

from PIL import Image, features

from impasto.data.entry import UnreadableError
from impasto.data.formats import IMAGE_FORMATS, ImageFormat

#: Brands that tell no codec; the compatible brands behind them do.
_GENERAL = (b"mif1", b"mif2", b"miaf")
_CONVERT = "or save it as PNG or JPEG"


def _is_of(head: bytes, brands: tuple[bytes, ...]) -> bool:
    """Whether a file is of one of these brands, by its major one, or by those that it is compatible with."""
    if head[4:8] != b"ftyp":
        return False
    major, size = head[8:12], min(int.from_bytes(head[:4], "big"), len(head))
    return major in brands or (
        major in _GENERAL and any(head[place : place + 4] in brands for place in range(16, size, 4))
    )


@IMAGE_FORMATS.register("AVIF")
class Avif(ImageFormat):
    """AVIF, which Pillow decodes from 11.3 on. Sequences are refused."""

    title = pillow = "AVIF"
    suffixes = (".avif",)

    @classmethod
    def matches(cls, head: bytes) -> bool:
        return _is_of(head, (b"avif",))

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        if not features.check("avif"):
            raise UnreadableError(f"an AVIF image: update Pillow, which reads them from 11.3 on, {_CONVERT}")
        return super().open(data)


@IMAGE_FORMATS.register("HEIC")
class Heic(ImageFormat):
    """HEIC, as phones write it, with pi_heif: libheif without encoders."""

    title, pillow = "HEIC", "HEIF"
    suffixes = (".heic", ".heif", ".hif")

    @classmethod
    def matches(cls, head: bytes) -> bool:
        return _is_of(head, (b"heic", b"heix", b"heim", b"heis"))

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        try:
            from pi_heif import register_heif_opener
        except ImportError as error:
            raise UnreadableError(f"a HEIC image: run pip install 'impasto[formats]', {_CONVERT}") from error
        register_heif_opener(thumbnails=False)
        return super().open(data)
