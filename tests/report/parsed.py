"""Pages taken apart, for tests to look into."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image


class Page(HTMLParser):
    """A page taken apart: its text, its elements with their attributes, and what each data: URI holds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def content(uri: str) -> bytes:
    return base64.b64decode(uri.partition(";base64,")[2], validate=True)


def size(uri: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(content(uri))) as picture:
        picture.load()
        return picture.size


def asks_nothing(page: Page) -> bool:
    """Whether a page loads nothing, runs nothing, and forbids both."""
    for _, attributes in page.elements:
        for name in ("src", "srcset", "href", "action", "poster", "data"):
            if not attributes.get(name, "data:").startswith("data:"):
                return False
    policy = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    clean = not re.search(r"url\(|@import|<script|https?:", page.source)
    return clean and policy[0].startswith("default-src 'none'")


def plain(text: str) -> str:
    """A text with each run of spaces, breaking or not, as one space."""
    return " ".join(text.split())
