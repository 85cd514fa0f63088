"""Data sets that hold paintings and photos in folders side by side, of which a source can be only one."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from impasto.errors import ImpastoError

#: Folders of the competition gan-getting-started, and of the data sets of CycleGAN.
_DOMAIN = re.compile(r"(monet|photo)_(?:jpg|tfrec)|(?:train|test)([AB])", re.IGNORECASE)


def require_one_domain(source: str, names: Iterable[str], *, packed: bool) -> None:
    """Raise ImpastoError if files of a source, by their paths in it, lie in the folders of two domains.

    Args:
        source: as the user wrote it.
        names: POSIX paths inside the source.
        packed: whether it is a zip, whose folders cannot be given.
    """
    found: defaultdict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    folders = {PurePosixPath(folder or ".") for folder in {name.rpartition("/")[0] for name in names}}
    for folder in sorted(folders, key=lambda each: (each.name.casefold().startswith("test"), each)):
        for depth, name in enumerate(folder.parts):
            if match := _DOMAIN.fullmatch(name):
                naming, place = "competition" if match[1] else "CycleGAN", folder.parts[: depth + 1]
                domain = (match[1] or match[2]).casefold()
                found[naming, *place[:-1]].setdefault(domain, "/".join(place))
    for domains in found.values():
        if len(domains) > 1:
            one, other = (domains[name] for name in sorted(domains))
            inside = source.rstrip("/")
            remedy = "unpack it and give one of them" if packed else f"give {inside}/{one} or {inside}/{other}"
            raise ImpastoError(f"{source} holds two kinds of images, in {one} and {other}: {remedy}.")
