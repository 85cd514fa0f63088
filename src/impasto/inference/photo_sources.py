"""Inputs and outputs of a batch of photos."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError
from impasto.files import user_path
from impasto.inference.manifest import LOCK, NAME, Manifest, open_manifest
from impasto.inference.output import ImageWriter, open_output, require_present, reserve


@contextmanager
def open_photos(photos: Iterable[str | Path], out: Path, videos: Iterable[Path] = ()) -> Iterator[list[ImageSource]]:
    """Open all sources before the first photo is painted, so that a mistyped one is reported at once.

    Paintings that already lie in ``out`` are not photos, where ``out`` is inside a source; neither are the ``videos``.
    A file that is named twice is read once.
    Raises ImpastoError for what :func:`impasto.data.sources.open_source` refuses, and for an ``out`` in which paintings
    would replace their photos.
    """
    with ExitStack() as stack:
        inputs, sources = [*photos], list[ImageSource]()
        seen = {os.path.abspath(video) for video in videos}  # noqa: PTH100  (as they are)
        for photo in inputs:
            path = user_path(photo)
            folder = path if path.is_dir() or out.suffix.lower() == ".zip" else path.resolve().parent
            if path.exists() and out.resolve() == folder.resolve():
                raise ImpastoError(f"{out} contains the photos, which are not overwritten: choose another output.")
            source = stack.enter_context(open_source(photo))
            if out.resolve() not in (path.resolve(), *path.resolve().parents):
                source.leave_out(working_folder(out))
            if source.total == 0:
                raise ImpastoError(f"{photo} contains only paintings, those in {out}: give photos.")
            if seen or len(inputs) > 1 or not path.is_dir():  # a folder alone names no file twice
                source.leave_out_seen(seen)
            sources.append(source)
        yield sources


@contextmanager
def open_resumable_output(
    out: Path, job: dict[str, Any], sources: Sequence[ImageSource] = (), *, overwrite: bool = False
) -> Iterator[tuple[ImageWriter, Manifest]]:
    """Open a folder or zip for paintings, with the manifest by which the same ``job`` is resumed.

    Until the job is complete, the paintings of a zip lie in a folder beside it. No file of the ``sources`` is
    overwritten. Raises ImpastoError as :func:`impasto.inference.output.open_output` and
    :func:`impasto.inference.manifest.open_manifest` do.
    """
    folder = working_folder(out)
    begun = (folder / NAME).is_file()
    if folder != out:
        reserve(out, file=True, overwrite=overwrite)
        if not begun and folder.exists() and not (folder.is_dir() and {*folder.iterdir()} <= {folder / LOCK}):
            raise ImpastoError(f"{folder} is not impasto's, and stays as it is: move it, or choose another output.")
    ours = set[str]() if begun else None
    with (
        open_output(folder, overwrite=overwrite, ours=ours, protected=partial(_paths, sources)) as writer,
        open_manifest(folder, job, overwrite=overwrite, temporary=folder != out) as manifest,
    ):
        if ours is not None:
            ours |= manifest.entered
        yield writer, manifest
        require_present(folder, manifest.current)
        if folder != out:
            with open_output(out, overwrite=overwrite) as zipped:
                for name in manifest.current:
                    zipped.put(name, (folder / name).read_bytes())


def _paths(sources: Iterable[ImageSource]) -> set[Path]:
    return {path for source in sources for path in source.paths()}


def working_folder(out: Path) -> Path:
    """Return where paintings lie until the output is complete."""
    return out.with_name(f"{out.name}.begun") if out.suffix.lower() == ".zip" else out
