"""The same job on a Ray cluster: photos from an address that fsspec knows, paintings to another."""

import importlib.util
import json
import logging
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.data.entry import Entry, Unreadable
from impasto.data.inventory import LeftOut
from impasto.data.sources import is_junk
from impasto.errors import ImpastoError
from impasto.inference.batch import Format, Names, Outcome, ending_of, paint_one
from impasto.inference.manifest import job
from impasto.inference.options import PaintOptions
from impasto.style import Style

#: What was painted in which manner stands in the folder of paintings under this name.
NOTE = ".impasto.json"


@dataclass(frozen=True)
class Task:
    """What each worker is told: the style, its file's bytes, as no disk is shared; where to; and how."""

    style: bytes
    out: str
    manner: PaintOptions
    compare: bool


def paint_on_cluster(
    style: Style, photos: str, out: str, *, manner: PaintOptions, compare: bool = False, kind: Format = "keep"
) -> Outcome:
    """Paint the photos of a folder on the cluster at ``RAY_ADDRESS``, or else on one that is begun on this machine.

    What is there already is not painted again; a note there says in which manner that was, and what each photo's
    painting is called. A worker that dies is replaced, and its photos are painted by others; a painting appears when it
    is whole.

    Args:
        style: paints photos.
        photos: a folder, as a path or an address such as ``s3://bucket/photos``.
        out: the same, for the paintings.
        manner: how they are painted.
        compare: put the photo on the left of its painting.
        kind: as for :func:`impasto.inference.batch.paint_photos`.

    Raises ImpastoError if ``impasto[ray]`` is not installed, the style paints no photos, there is no photo, not one can
    be painted, or what is in ``out`` was painted by another style or in another manner.
    """
    if not style.recipe.translates:
        raise ImpastoError(f"This style turns {style.card.domains} and cannot paint photos: choose another.")
    if not all(importlib.util.find_spec(name) for name in ("ray", "fsspec")):
        raise ImpastoError("To paint on a cluster, install more: pip install 'ray[data]' fsspec")
    import ray

    rows = _rows(photos, out, kind, job(style, manner, compare=compare, format=kind))
    task = Task(style.to_bytes(), _address(out), manner, compare)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.init(ignore_reinit_error=True, include_dashboard=False, logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    there = ray.cluster_resources()
    gpu = int(there.get("GPU", 0) > 0)  # one to a worker, where there are any
    workers = max(int(there.get("GPU" if gpu else "CPU", 1)), 1)
    # Small blocks: a worker that dies costs the photos of one.
    blocks = min(len(rows), 8 * workers)
    told = ray.data.from_items(rows, override_num_blocks=blocks).map(
        Worker,  # type: ignore[arg-type]
        fn_constructor_args=(task,),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpu,
    )
    outcome = Outcome()
    for row in told.iter_rows():
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
    """Has the style, and paints one photo after the other."""

    def __init__(self, task: Task) -> None:
        import fsspec
        import torch

        from impasto.device import choose_device
        from impasto.inference.translator import Painter

        torch.set_num_threads(1)
        self._task = task
        self._painter = Painter(Style.from_bytes(task.style), choose_device("auto"))
        self._files, self._root = fsspec.core.url_to_fs(task.out)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        import fsspec

        target = posixpath.join(self._root, row["painting"])
        if self._files.exists(target):
            return {**row, "before": True, "reason": ""}

        def read() -> bytes:
            try:
                with fsspec.open(row["address"], "rb") as file:
                    data: bytes = file.read()
                    return data
            except OSError as error:
                raise Unreadable(error.strerror or str(error)) from error

        task, reason = self._task, ""
        painted = paint_one(  # under the painting's name, so that it is of the kind which that promises
            self._painter, Entry(row["painting"], read), manner=task.manner, compare=task.compare, kind="keep", known=""
        )
        if painted.data is not None:
            try:
                self._files.makedirs(posixpath.dirname(target), exist_ok=True)
                # Under another name until it is whole, where a file could be seen before that.
                part = f"{target}.part"
                self._files.pipe_file(part, painted.data)
                self._files.mv(part, target)
            except OSError as error:
                reason = f"its painting cannot be written ({error.strerror or error})"
        return {**row, "before": False, "reason": painted.reason or reason}


def _rows(photos: str, out: str, kind: Format, work: dict[str, Any]) -> list[dict[str, Any]]:
    """Each photo of a folder: its address, its path there, and the name of its painting, which is noted in ``out``."""
    import fsspec

    files, root = fsspec.core.url_to_fs(_address(photos))
    there, place = fsspec.core.url_to_fs(_address(out))
    if (root, files.protocol) == (place, there.protocol):
        raise ImpastoError(f"{out} holds the photos, which are not to be painted over: choose another place.")
    ours = f"{place.rstrip('/')}/" if files.protocol == there.protocol else None
    found = sorted(file for file in files.find(root) if ours is None or not file.startswith(ours))
    note = posixpath.join(place, NOTE)
    known = json.loads(there.cat_file(note)) if there.exists(note) else {"work": work, "paintings": {}}
    if known["work"] != work or (not there.exists(note) and there.exists(place) and there.ls(place)):
        raise ImpastoError(f"{out} holds something else, or paintings in another manner: choose another place (--out).")
    before = known["paintings"]
    names, rows = Names(before.values()), []
    for file in found:
        path = posixpath.relpath(file, root)
        if not is_junk(path):
            painting, wanted = names.take(path, ending_of(path, "", kind), before.get(path, ""))
            row = {"photo": path, "address": files.unstrip_protocol(file), "painting": painting}
            rows.append(row | {"renamed": painting != wanted})
    if not rows:
        raise ImpastoError(f"There is no photo in {photos}: give a folder, or an address that fsspec knows.")
    paintings = before | {row["photo"]: row["painting"] for row in rows}
    there.makedirs(place, exist_ok=True)
    there.pipe_file(note, json.dumps({"work": work, "paintings": paintings}).encode())
    return rows


def _address(place: str) -> str:
    """As others see it: a path of this machine in full."""
    return place if "://" in place else Path(place).expanduser().absolute().as_uri()
