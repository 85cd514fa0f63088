"""Which files of an output folder a report may replace: its own of an earlier time, and no others."""

import json
import re
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import path_errors


def own_files(folder: Path, pattern: re.Pattern[str], record: str) -> set[str]:
    """Return the names of the files in a folder that an earlier report wrote.

    Args:
        folder: an output folder, which may not exist.
        pattern: the names that reports of this kind, or of an earlier version, may have.
        record: the report's JSON file. It lists its ``files``; if it does not, all names of the pattern are its own.
    """
    try:
        found = json.loads((folder / record).read_bytes())
    except (OSError, ValueError, RecursionError):
        return set()
    if not isinstance(found, dict) or "impasto" not in found:
        return set()
    present, listed = _present(folder, pattern), found.get("files")
    return present.intersection(map(str, listed)) if isinstance(listed, list) else present


def require_own(folder: Path, pattern: re.Pattern[str], record: str) -> None:
    """Raise ImpastoError if a folder holds a file that a report could replace and that no earlier report wrote."""
    with path_errors(folder):
        others = _present(folder, pattern) - own_files(folder, pattern, record)
    if others:
        raise ImpastoError(
            f"{folder} holds {min(others)}, which is not of an earlier report and would be replaced: choose another "
            "folder (--out)."
        )


def _present(folder: Path, pattern: re.Pattern[str]) -> set[str]:
    """Return the names in a folder that match."""
    return {path.name for path in folder.iterdir() if pattern.fullmatch(path.name)} if folder.is_dir() else set()
