"""The settings of a painting inside its file, as XMP: JPEG, PNG and WebP all hold it, and programs keep it.

XMP is ISO 16684-1; in PNG it is the text ``XML:com.adobe.xmp``. The settings are JSON in one attribute of our own
namespace. They are found by their name among the bytes of a file, without decoding an image.
"""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from impasto._version import __version__

#: Longest settings in bytes of XMP; JPEG holds three times as many.
MAX_SETTINGS = 20_000
#: First and last bytes of a file among which settings are searched.
SEARCHED = 2_000_000
_FOUND = re.compile(
    rb'xmlns:impasto="urn:impasto:settings"[^<>]{0,200}? impasto:settings="([^"<>]{1,%d})"' % MAX_SETTINGS
)


def settings_xmp(settings: Mapping[str, Any]) -> bytes:
    """Return an XMP packet with settings, which JSON can hold. Raises ValueError if they are too long, NaN or Inf."""
    text = html.escape(json.dumps(settings, allow_nan=False, ensure_ascii=True, sort_keys=True))
    if len(text) > MAX_SETTINGS:
        raise ValueError(f"settings of {len(text):,} bytes are longer than {MAX_SETTINGS:,}")
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="impasto {__version__}" '
        f'xmlns:impasto="urn:impasto:settings" impasto:settings="{text}"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def read_settings(data: bytes) -> dict[str, Any] | None:
    """Return the settings in the bytes of an image file, or of its beginning or end; None if it holds none.

    Whoever wrote the file chose them: they are finite JSON, and nothing else is certain.
    """
    found = _FOUND.search(data)
    if found is None:
        return None
    try:
        settings = json.loads(html.unescape(found[1].decode("ascii")))
        json.dumps(settings, allow_nan=False, ensure_ascii=False).encode()  # 1e999, NaN and halves of surrogates
    except (ValueError, RecursionError):
        return None
    return settings if isinstance(settings, dict) else None
