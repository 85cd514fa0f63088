"""Finished segments of a video that is painted, in a folder beside its painting, until it is complete."""

import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from impasto.errors import MALFORMED, ImpastoError
from impasto.files import atomic_write, make_folder, path_errors
from impasto.inference.manifest import PARTS
from impasto.inference.video.writer import EncodedFrame

#: Name of the note of the job, in the folder.
NOTE = "work.json"
#: Key in the note of a job that overwrites.
ANEW = "anew"
#: Names of the files in the folder, and of those that are being written.
OURS = re.compile(r"(work\.json|\d{5,}(-key)?\.npz)(\.\d+-\d+\.part)?")


def folder(out: Path) -> Path:
    """Return the folder of the segments of a video."""
    return out.with_name(out.name + PARTS)


def is_begun(out: Path, job: dict[str, Any]) -> bool:
    """Return whether there are segments of that job, finished or not."""
    try:
        found = _read_note(folder(out))
    except ImpastoError:
        return False
    found.pop(ANEW, None)
    return found == _of_videos(job)


def remains(out: Path) -> bool:
    """Return whether there is a folder of segments that impasto made."""
    try:
        _read_note(folder(out))
    except ImpastoError:
        return False
    return folder(out).is_dir()


def _of_videos(job: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name != "format"}  # of photos alone


def begin(out: Path, job: dict[str, Any], *, overwrite: bool) -> Path:
    """Return the folder of the finished segments of the same job, or an empty one.

    With ``overwrite`` the segments of another job are deleted, and those of this one unless an overwriting run of it
    was interrupted. Raises ImpastoError for segments of another job otherwise, and for a folder that is not
    impasto's.
    """
    parts = folder(out)
    job = _of_videos(job)
    found = _read_note(parts)
    anew = found.pop(ANEW, False)
    if found == job and (anew or not overwrite):
        return parts
    if found and not overwrite:
        raise ImpastoError(
            f"{parts} holds the beginning of another video, or of this one with other options: choose another output "
            "(--out), or overwrite it (--overwrite)."
        )
    remove(parts)
    make_folder(parts)
    with atomic_write(parts / NOTE) as part:
        part.write_text(json.dumps(job | {ANEW: overwrite}), encoding="utf-8")
    return parts


def _read_note(parts: Path) -> dict[str, Any]:
    """Return the job in a folder of segments; {} if there is no folder, or nothing in it.

    Raises ImpastoError for anything that impasto did not make.
    """
    try:
        found = json.loads((parts / NOTE).read_text(encoding="utf-8"))
    except (OSError, *MALFORMED):
        found = None
    if isinstance(found, dict) and "style" in found and not parts.is_symlink():
        return found
    if parts.is_symlink() or (parts.exists() and not _is_just_begun(parts)):
        raise ImpastoError(f"{parts} is not impasto's, and stays as it is: move it, or choose another output (--out).")
    return {}


def _is_just_begun(parts: Path) -> bool:
    """Return whether a folder is empty, or holds nothing but a note that was being written."""
    return parts.is_dir() and all(_is_ours(path) and path.name.startswith(f"{NOTE}.") for path in parts.iterdir())


def _is_ours(path: Path) -> bool:
    return OURS.fullmatch(path.name) is not None and path.is_file() and not path.is_symlink()


def remove(parts: Path) -> None:
    """Delete the segments and their folder, but nothing else that is in it."""
    if not parts.is_dir():
        return
    with path_errors(parts):
        # The note last: without it, a folder with segments is not known as impasto's.
        for path in sorted(filter(_is_ours, parts.iterdir()), key=lambda path: path.name == NOTE):
            path.unlink()
        if not any(parts.iterdir()):
            parts.rmdir()


def save_segment(path: Path, frames: Sequence[EncodedFrame]) -> None:
    """Write the frames of a segment. Raises DiskFullError."""
    data = np.frombuffer(b"".join(frame.data for frame in frames), np.uint8)
    moments = np.array([(len(frame.data), frame.pts, frame.key) for frame in frames], np.int64).reshape(-1, 3)
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez(file, data=data, moments=moments)


def load_segment(path: Path) -> list[EncodedFrame]:
    """Read the frames of a segment. Raises ImpastoError if its file is damaged."""
    with read_arrays(path) as saved:
        data, moments = saved["data"].tobytes(), saved["moments"].tolist()
        ends = accumulate(size for size, _, _ in moments)
        return [
            EncodedFrame(data[end - size : end], pts, bool(key))
            for end, (size, pts, key) in zip(ends, moments, strict=True)
        ]


@contextmanager
def read_arrays(path: Path) -> Iterator[Any]:
    """Open a file of NumPy arrays. Raises ImpastoError if it, or what is made of it, is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            yield saved
    except (OSError, EOFError, SyntaxError, TokenError, zipfile.BadZipFile, zlib.error, *MALFORMED) as error:
        raise ImpastoError(f"{path} is damaged: delete {path.parent} to start the video again.") from error
