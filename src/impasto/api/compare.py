"""Public comparison API: `compare`."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from impasto.api.evaluate import evaluate
from impasto.config.scoring import default_networks
from impasto.errors import ImpastoError
from impasto.files import make_folder, require_folder, user_path
from impasto.inference.image_sets import MAX_SIDE, native_size, resolve
from impasto.inference.load import load_sampler
from impasto.metrics.results import Evaluation
from impasto.reports.comparison import OWN_FILES, RECORD, compare_runs, write_comparison
from impasto.reports.comparison_results import Comparison, Entry, distinct_names
from impasto.reports.own_files import require_own
from impasto.reports.run_record import RunRecord

_log = logging.getLogger(__name__)

#: Samples of each style in the page.
SHOWN = 16


def compare(
    runs: str | Path | Sequence[str | Path],
    out: str | Path = "comparison",
    *,
    against: str | Path | None = None,
    photos: str | Path | None = None,
    price: float | None = None,
    count: int | None = None,
    device: str = "auto",
) -> Comparison:
    """Compare runs: settings, training curves, samples, scores, time and cost.

    Args:
        runs: run folders, finished or not; duplicates are ignored.
        out: folder for ``comparison.html`` and ``comparison.json``; may exist.
        against: real images; every style is evaluated against them anew, with equal counts, seed and size. By default
            the scores from the end of each training are used, which may not be comparable.
        photos: photos that translation styles translate for that; best photos that none was trained on.
        price: of an hour of training, in any currency.
        count: maximum images of each set, as in `impasto evaluate`; needs ``against``.
        device: see :func:`impasto.device.choose_device`.

    Raises :class:`impasto.errors.ImpastoError` for wrong arguments and unreadable data.
    """
    folder = user_path(out)
    require_folder(folder)
    require_own(folder, OWN_FILES, RECORD)
    if count is not None and against is None:
        raise ImpastoError("--count applies to a new evaluation only: give the real images too (--against).")
    if photos is not None and against is None:
        raise ImpastoError("--photos applies to a new evaluation only: give the real paintings too (--against).")
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise ImpastoError(f"The price per hour cannot be {price}: give a number such as 2.50.")
    distinct: dict[Path, Path] = {}
    for run in map(user_path, [runs] if isinstance(runs, str | Path) else runs):
        if run.resolve() in distinct:
            _log.info("%s is given twice and compared once.", run)
        else:
            distinct[run.resolve()] = run
    if not distinct:
        raise ImpastoError("There are no runs to compare: give run folders.")
    records = [RunRecord.read(run) for run in distinct.values()]
    evaluations = (
        [record.evaluation if record.ended else None for record in records]
        if against is None
        else _evaluate_anew(records, str(against), None if photos is None else str(photos), count, device)
    )
    entries = [
        _entry(name, record, evaluation, against is not None, device)
        for name, record, evaluation in zip(distinct_names(list(distinct.values())), records, evaluations, strict=True)
    ]
    comparison = compare_runs(entries, against=None if against is None else str(against), price=price)
    make_folder(folder)
    write_comparison(entries, comparison, folder)
    return comparison


def _entry(name: str, record: RunRecord, evaluation: Evaluation | None, anew: bool, device: str) -> Entry:
    """Return a run with samples of its style; the newest samples of a translation run, or of one without a style."""
    anew = anew and evaluation is not None
    if record.translates or not _has_style(record):
        return Entry.of_samples(name, record, evaluation, anew, SHOWN)
    sampler = load_sampler(record.folder, device)
    images = np.stack(list(sampler.stream(SHOWN, seed=0)))
    return Entry(name, record, evaluation, anew, images, f"style of step {sampler.card.steps:,}")


def _has_style(record: RunRecord) -> bool:
    return any((record.folder / name).exists() for name in ("best.safetensors", "last.safetensors"))


def _evaluate_anew(
    records: Sequence[RunRecord], against: str, photos: str | None, count: int | None, device: str
) -> list[Evaluation | None]:
    """Evaluate every style against the same images: equal counts, seed and photos, the smallest size of all, a network
    of a family that none of them is trained against, and the default one."""
    size = min(MAX_SIDE, native_size(resolve(against, device)), *(record.sample_size for record in records))
    families = frozenset[str]().union(*(record.feature_families for record in records if _has_style(record)))
    networks = default_networks(families)
    evaluations: list[Evaluation | None] = []
    for record in records:
        evaluation = None
        if not _has_style(record):
            _log.warning("%s has no style yet and is not evaluated.", record.folder)
        elif record.target != "paintings":
            _log.warning("%s translates %s and is not evaluated against paintings.", record.folder, record.domains)
        else:
            evaluation = evaluate(
                record.folder,
                against,
                networks=networks,
                photos=photos if record.translates else None,
                count=count,
                size=size,
                device=device,
            )
        evaluations.append(evaluation)
    return evaluations
