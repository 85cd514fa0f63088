"""Batch translation on a Ray cluster, between any two locations that fsspec supports."""

import importlib.util
import json
import logging
import posixpath
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from impasto.data.entry import Entry, File
from impasto.data.inventory import LeftOut
from impasto.data.sources import is_junk
from impasto.errors import ImpastoError
from impasto.files import user_path
from impasto.inference.batch import Outcome, paint_one
from impasto.inference.manifest import describe_job
from impasto.inference.options import PaintOptions
from impasto.inference.output import is_image_name
from impasto.inference.output_names import Format, UniqueNames, output_suffix
from impasto.style import Style

#: Name of the manifest in the output folder: the job, and the name of each photo's painting.
MANIFEST = ".impasto.json"


@dataclass(frozen=True)
class Task:
    """What each worker receives; ``style`` holds the bytes of the style file, as no disk is shared."""

    style: bytes
    out: str
    options: PaintOptions
    compare: bool


def paint_on_cluster(
    style: Style, photos: str, out: str, *, options: PaintOptions, compare: bool = False, format: Format = "keep"
) -> Outcome:
    """Paint the photos of a folder on the cluster at ``RAY_ADDRESS``, or else on a local one.

    Existing paintings of the same job are kept. A worker that dies is replaced and its photos are painted by others; a
    painting appears when it is complete.

    Args:
        style: a translation style.
        photos: a folder, as a path or an address such as ``s3://bucket/photos``.
        out: the output folder, likewise.
        options: how the photos are painted.
        compare: put each photo on the left of its painting.
        format: of the paintings.

    Raises ImpastoError if ``impasto[ray]`` is not installed, there is no photo, none can be painted, or ``out`` holds
    paintings of another style or with other options.
    """
    if not all(importlib.util.find_spec(name) for name in ("ray", "fsspec")):
        raise ImpastoError("Painting on a cluster needs Ray and fsspec: pip install 'ray[data]' fsspec")
    import ray

    rows = _rows(photos, out, format, describe_job(style, options, compare=compare, format=format))
    task = Task(style.to_bytes(), _address(out), options, compare)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.init(ignore_reinit_error=True, include_dashboard=False, logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    resources = ray.cluster_resources()
    gpu = int(resources.get("GPU", 0) > 0)  # one per worker, if there are any
    workers = max(int(resources.get("GPU" if gpu else "CPU", 1)), 1)
    # Small blocks: a worker that dies loses the photos of one.
    blocks = min(len(rows), 8 * workers)
    results = ray.data.from_items(rows, override_num_blocks=blocks).map(
        Worker,  # type: ignore[arg-type]
        fn_constructor_args=(task,),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpu,
    )
    outcome = Outcome()
    for row in results.iter_rows():
        if row["reason"]:
            outcome.left_out.append(LeftOut(name=f"{photos}/{row['photo']}", reason=row["reason"]))
        elif row["before"]:
            outcome.before += 1
        else:
            outcome.paintings += 1
            if row["renamed"]:
                outcome.renamed.append((f"{photos}/{row['photo']}", row["painting"]))
    outcome.require_any()
    return outcome


class Worker:
    """Holds the style and paints one photo at a time."""

    def __init__(self, task: Task) -> None:
        import fsspec
        import torch

        from impasto.device import choose_device
        from impasto.inference.translator import Translator

        torch.set_num_threads(1)
        self._task = task
        self._translator = Translator(Style.from_bytes(task.style), choose_device("auto"))
        self._files, self._root = fsspec.core.url_to_fs(task.out)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        import fsspec

        target = posixpath.join(self._root, row["painting"])
        if self._files.exists(target):
            return {**row, "before": True, "reason": ""}

        source = File(row["address"], lambda: fsspec.open(row["address"], "rb").open())
        task, reason = self._task, ""
        entry = Entry(row["painting"], source.read)  # named like the painting, so that it is encoded in that format
        painted = paint_one(self._translator, entry, options=task.options, compare=task.compare, format="keep")
        if painted.data is not None:
            # Under another name until it is complete; unique, as a photo of a lost worker is painted by another.
            part = f"{target}.{uuid.uuid4().hex}.part"
            try:
                self._files.makedirs(posixpath.dirname(target), exist_ok=True)
                self._files.pipe_file(part, painted.data)
                self._files.mv(part, target)
            except OSError as error:
                reason = f"its painting cannot be written ({error.strerror or error})"
                with suppress(OSError):  # it may not exist
                    self._files.rm_file(part)
        return {**row, "before": False, "reason": painted.reason or reason}


def _rows(photos: str, out: str, format: Format, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return path and address of each photo, and the name of its painting, and write the manifest in ``out``."""
    import fsspec

    files, root = fsspec.core.url_to_fs(_address(photos))
    target, place = fsspec.core.url_to_fs(_address(out))
    if (root, files.protocol) == (place, target.protocol):
        raise ImpastoError(f"{out} contains the photos, which are not overwritten: choose another output.")
    ours = f"{place.rstrip('/')}/" if files.protocol == target.protocol else None
    found = sorted(file for file in files.find(root) if ours is None or not file.startswith(ours))
    manifest = posixpath.join(place, MANIFEST)
    before: dict[str, str] | None = {}
    if target.exists(manifest):
        before = _paintings(target.cat_file(manifest), job)
    elif target.exists(place) and target.ls(place):
        before = None
    if before is None:
        raise ImpastoError(f"{out} holds other files, or paintings with other options: choose another output (--out).")
    names, rows = UniqueNames(before.values()), []
    for file in found:
        path = posixpath.relpath(file, root)
        if not is_junk(path):
            painting, wanted = names.assign(path, output_suffix(path, "", format), before.get(path, ""))
            row = {"photo": path, "address": files.unstrip_protocol(file), "painting": painting}
            rows.append(row | {"renamed": painting != wanted})
    if not rows:
        raise ImpastoError(f"{photos} contains no photo: give a folder, or an address that fsspec supports.")
    paintings = before | {row["photo"]: row["painting"] for row in rows}
    target.makedirs(place, exist_ok=True)
    target.pipe_file(manifest, json.dumps({"work": job, "paintings": paintings}).encode())
    return rows


def _paintings(manifest: bytes, job: dict[str, Any]) -> dict[str, str] | None:
    """Return the name of each photo's painting in the manifest of that job, or None if it is that of another. A name
    that leads out of the folder is left out: anybody may have written it."""
    try:
        known = json.loads(manifest)
        paintings = known["paintings"].items() if known["work"] == job else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if paintings is None:
        return None
    return {photo: name for photo, name in paintings if isinstance(name, str) and is_image_name(name)}


def _address(place: str) -> str:
    """Return an address that other machines understand; a local path becomes a file URI."""
    return place if "://" in place else user_path(place).absolute().as_uri()
