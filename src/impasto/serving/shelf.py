"""The styles of the studio: the bundled ones, and those that were imported, pulled or trained in it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from safetensors import safe_open

from impasto.errors import ImpastoError
from impasto.reports.styles import describe_file
from impasto.serving.library import Library, NotFoundError
from impasto.style import REVERSE, Card, bundled_styles


@dataclass(frozen=True)
class ShelvedStyle:
    """A style by its name.

    Attributes:
        origin: bundled, imported or trained.
        moods: number of its moods.
        reverse: whether it has both directions.
    """

    name: str
    path: Path
    card: Card
    origin: Literal["bundled", "imported", "trained"]
    moods: int
    reverse: bool

    @property
    def lines(self) -> list[str]:
        """Its description."""
        return describe_file(self.path)


def style_files(library: Library) -> dict[str, Path]:
    """Return the files of all styles by name; bundled ones hide others of their name."""
    own = {path.stem: path for path in sorted(library.styles.glob("*.safetensors"))}
    return own | bundled_styles()


def style_file(library: Library, name: str) -> Path:
    """Return the file of a style. Raises NotFoundError."""
    path = style_files(library).get(name)
    if path is None:
        raise NotFoundError(f"There is no style {name}.")
    return path


def styles(library: Library) -> list[ShelvedStyle]:
    """Return all sound styles, bundled ones first."""
    found = []
    for name, path in style_files(library).items():
        try:
            card = Card.load(path)
        except (ImpastoError, OSError):
            continue  # it is named where it is used
        found.append(ShelvedStyle(name, path, card, _origin(library, path, card), *_abilities(path)))
    return sorted(found, key=lambda style: (style.origin != "bundled", style.name))


def new_style_file(library: Library, name: str) -> Path:
    """Return the path of a new style. Raises ImpastoError if the name is taken."""
    if name in style_files(library):
        raise ImpastoError(f"There is a style {name} already: choose another name.")
    return library.styles / f"{name}.safetensors"


def remove_style(library: Library, name: str) -> None:
    """Delete a style that is not bundled, with its example. Raises NotFoundError, ImpastoError for a bundled one."""
    path = style_file(library, name)
    if path.parent != library.styles:
        raise ImpastoError(f"{name} is bundled with impasto and cannot be deleted.")
    path.unlink(missing_ok=True)
    example_file(library, name).unlink(missing_ok=True)


def example_file(library: Library, name: str) -> Path:
    """Where the example image of a style lies once it is made."""
    return library.folder / "examples" / f"{name}.jpg"


@cache
def _abilities(path: Path) -> tuple[int, bool]:
    """Return the number of moods, and whether there is a reverse direction, from the names and shapes of tensors."""
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        moods = file.get_slice("moods").get_shape()[0] if "moods" in names else 0
    return moods, any(name.startswith(REVERSE) for name in names)


def _origin(library: Library, path: Path, card: Card) -> Literal["bundled", "imported", "trained"]:
    if path.parent != library.styles:
        return "bundled"
    return "imported" if card.imported is not None else "trained"
