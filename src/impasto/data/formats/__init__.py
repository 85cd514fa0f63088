"""Registry of the image file formats that can be decoded. One registered class adds a format.

A built-in format is registered by a module of this package; other packages register theirs in a module that an entry
point of the group ``impasto.image_formats`` names.
"""

from io import BytesIO
from typing import ClassVar

from PIL import Image

from impasto.config.registry import Registry


class ImageFormat:
    """An image file format. Subclasses are registered as they are and never instantiated.

    Attributes:
        title: name of the format in messages, such as "JPEG XL".
        suffixes: file name suffixes in lower case, the most usual first.
        magic: byte strings, one of which every file of the format starts with.
        pillow: Pillow's name of the format; empty where :meth:`open` is overridden.
    """

    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    magic: ClassVar[tuple[bytes, ...]] = ()
    pillow: ClassVar[str] = ""

    @classmethod
    def matches(cls, head: bytes) -> bool:
        """Whether a file that starts with these bytes (all of it, or at least 32) has this format."""
        return head.startswith(cls.magic)

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        """Return the first image of a file, in any of Pillow's modes.

        The caller checks the size and then calls :meth:`load`: decode pixels only there if the format allows it.
        ``info["icc_profile"]`` and the EXIF orientation are applied by the caller. An
        :class:`~impasto.data.entry.UnreadableError` says why a file cannot be read; any other exception means that it
        is damaged.
        """
        return Image.open(BytesIO(data), formats=(cls.pillow,))

    @classmethod
    def load(cls, image: Image.Image) -> Image.Image:
        """Decode the pixels of an image that :meth:`open` returned, or that Pillow opened, and return it, or another
        image without what Pillow misreads in this format. Errors as in :meth:`open`."""
        image.load()
        return image


IMAGE_FORMATS: Registry[type[ImageFormat]] = Registry("image format", "impasto.data.formats", "impasto.image_formats")


def identify(head: bytes) -> str | None:
    """Return the registered name of the format of a file that starts with ``head`` (at least 32 bytes), if any."""
    return next((name for name, each in IMAGE_FORMATS.items() if each.matches(head)), None)


def supported_formats() -> str:
    """Return the titles of all formats as a phrase: ``BMP, GIF or JPEG``."""
    *most, last = (each.title for each in IMAGE_FORMATS.values())
    return f"{', '.join(most)} or {last}" if most else last


def image_suffixes() -> frozenset[str]:
    """Return the file name suffixes of all formats, in lower case."""
    return frozenset(suffix for each in IMAGE_FORMATS.values() for suffix in each.suffixes)
