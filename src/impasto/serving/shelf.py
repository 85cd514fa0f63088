"""The styles of the studio: the bundled ones, and those that were imported, pulled or trained in it."""

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open

from impasto.errors import ImpastoError, nearest
from impasto.files import atomic_write
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
    files = style_files(library)
    if name not in files:
        raise NotFoundError(f"There is no style {name}{nearest(name, files)}")
    return files[name]


def styles(library: Library) -> list[ShelvedStyle]:
    """Return all sound styles, bundled ones first."""
    found = []
    for name, path in style_files(library).items():
        try:
            card = Card.load(path)
            moods, reverse = _abilities(path, path.stat().st_mtime_ns)
        except (ImpastoError, SafetensorError, OSError):
            continue  # it is named where it is used, or was deleted meanwhile
        found.append(ShelvedStyle(name, path, card, _origin(library, path, card), moods, reverse))
    return sorted(found, key=lambda style: (style.origin != "bundled", style.name))


def new_style_file(library: Library, name: str) -> Path:
    """Return the path of a new style. Raises ImpastoError if the name is taken."""
    if name in style_files(library):
        raise _taken(name)
    return library.styles / f"{name}.safetensors"


def add_style(library: Library, name: str, file: Path) -> None:
    """Put a style file that was written elsewhere in the studio's folder on the shelf; no other one is replaced.

    Raises ImpastoError if the name is taken.
    """
    out = new_style_file(library, name)
    try:
        out.hardlink_to(file)
    except FileExistsError as error:
        raise _taken(name) from error
    except OSError:  # a file system without links
        with atomic_write(out) as part:
            shutil.copyfile(file, part)


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


def _taken(name: str) -> ImpastoError:
    return ImpastoError(f"There is a style {name} already: choose another name.")


@lru_cache(1000)
def _abilities(path: Path, written: int) -> tuple[int, bool]:
    """Return the number of moods, and whether there is a reverse direction, from the names and shapes of tensors."""
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        moods = file.get_slice("moods").get_shape()[0] if "moods" in names else 0
    return moods, any(name.startswith(REVERSE) for name in names)


def _origin(library: Library, path: Path, card: Card) -> Literal["bundled", "imported", "trained"]:
    if path.parent != library.styles:
        return "bundled"
    return "imported" if card.imported is not None else "trained"
