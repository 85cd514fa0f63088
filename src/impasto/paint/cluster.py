"""The same job on a Ray cluster: photos from an address that fsspec knows, paintings to another."""

import importlib.util
import logging
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.data.entry import Entry, Unreadable
from impasto.data.read import is_junk
from impasto.data.survey import LeftOut
from impasto.errors import ImpastoError
from impasto.paint.gallery import Format, Names, Outcome, ending_of, paint_one
from impasto.paint.manner import Manner
from impasto.style import Style


@dataclass(frozen=True)
class Job:
    """What each worker is told: the style, its file's bytes, as no disk is shared; where to; and how."""

    style: bytes
    out: str
    manner: Manner
    compare: bool
    kind: Format


def paint_on_cluster(
    style: Style, photos: str, out: str, *, manner: Manner, compare: bool = False, kind: Format = "keep"
) -> Outcome:
    """Paint the photos of a folder on the cluster at ``RAY_ADDRESS``, or else on one that is begun on this machine.

    What is there already is not painted again. A worker that dies is replaced, and its photos are painted by others; a
    painting appears when it is whole.

    Args:
        style: paints photos.
        photos: a folder, as a path or an address such as ``s3://bucket/photos``.
        out: the same, for the paintings.
        manner: how they are painted.
        compare: put the photo on the left of its painting.
        kind: as for :func:`impasto.paint.gallery.paint_photos`.

    Raises ImpastoError if ``impasto[ray]`` is not installed, or there is no photo.
    """
    if not all(importlib.util.find_spec(name) for name in ("ray", "fsspec")):
        raise ImpastoError("To paint on a cluster, install more: pip install 'ray[data]' fsspec")
    import ray

    rows = _rows(photos, kind)
    job = Job(style.to_bytes(), _address(out), manner, compare, kind)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.init(ignore_reinit_error=True, include_dashboard=False, logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    workers = max(int(ray.cluster_resources().get("CPU", 1)), 1)
    # Small blocks: a worker that dies costs the photos of one.
    blocks = min(len(rows), 8 * workers)
    told = ray.data.from_items(rows, override_num_blocks=blocks).map(
        Worker,  # type: ignore[arg-type]
        fn_constructor_args=(job,),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    outcome = Outcome()
    for row in told.iter_rows():
        if row["reason"]:
            outcome.left_out.append(LeftOut(name=f"{photos}/{row['photo']}", reason=row["reason"]))
        elif row["before"]:
            outcome.before += 1
        else:
            outcome.paintings += 1
    return outcome


class Worker:
    """Has the style, and paints one photo after the other."""

    def __init__(self, job: Job) -> None:
        import fsspec
        import torch

        from impasto.device import choose_device
        from impasto.paint.painter import Painter

        torch.set_num_threads(1)
        self._job = job
        self._painter = Painter(Style.from_bytes(job.style), choose_device("auto"))
        self._files, self._root = fsspec.core.url_to_fs(job.out)

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

        job = self._job
        painted = paint_one(
            self._painter, Entry(row["photo"], read), manner=job.manner, compare=job.compare, kind=job.kind, known=""
        )
        if painted.data is not None:
            self._files.makedirs(posixpath.dirname(target), exist_ok=True)
            # Under another name until it is whole, where a file could be seen before that.
            part = f"{target}.part"
            self._files.pipe_file(part, painted.data)
            self._files.mv(part, target)
        return {**row, "before": False, "reason": painted.reason or ""}


def _rows(photos: str, kind: Format) -> list[dict[str, Any]]:
    """Each photo of a folder: its address, its path there, and the name of its painting."""
    import fsspec

    files, root = fsspec.core.url_to_fs(_address(photos))
    found = sorted(files.find(root))
    paths = [posixpath.relpath(file, root) for file in found]
    names = Names()
    rows = [
        {
            "photo": path,
            "address": files.unstrip_protocol(file),
            "painting": names.take(path, ending_of(path, "", kind))[0],
        }
        for path, file in zip(paths, found, strict=True)
        if not is_junk(path)
    ]
    if not rows:
        raise ImpastoError(f"There is no photo in {photos}: give a folder, or an address that fsspec knows.")
    return rows


def _address(place: str) -> str:
    """As others see it: a path of this machine in full."""
    return place if "://" in place else Path(place).expanduser().absolute().as_uri()
