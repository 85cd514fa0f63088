"""The verbs that judge: pictures against real ones, and trainings side by side."""

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from impasto.config.recipe import Recipe
from impasto.config.types import Progress
from impasto.device import choose_device
from impasto.errors import ImpastoError
from impasto.files import make_folder, require_folder
from impasto.inference.translator import Painter, load
from impasto.metrics.evaluation import assess
from impasto.metrics.feature_extractors import DEFAULT, FEATURE_EXTRACTORS, FeatureExtractor, open_feature_extractor
from impasto.metrics.feature_extractors.vgg16 import SMALLEST as LEAST
from impasto.metrics.image_sets import (
    LARGEST,
    MADE,
    FileImages,
    ImageSet,
    TranslatedImages,
    look,
    open_side,
    own_size,
    translates,
)
from impasto.metrics.results import Evaluation
from impasto.reports.comparison import write_comparison
from impasto.reports.comparison_table import Comparison, Entry, names
from impasto.reports.evaluation import write_evaluation
from impasto.reports.run_record import RunRecord

#: Smaller pictures than this say nothing to a network.
SMALLEST = 16
#: ImageSet of each style in the page of a comparison.
SHOWN = 16


def evaluate(
    fakes: str | Path,
    against: str | Path,
    out: str | Path | None = None,
    *,
    networks: str | Sequence[str] = (DEFAULT,),
    photos: str | Path | None = None,
    count: int | None = None,
    size: int | None = None,
    seed: int = 0,
    reverse: bool = False,
    intervals: bool = False,
    weights: str | Path | None = None,
    device: str = "auto",
    say: Callable[[str], object] = print,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores pictures against real ones, and looks for copies.

    Args:
        fakes: a style, a run folder, or pictures: a folder, a zip, TFRecord files, a pack, ``sample:…``, ``kaggle:…``.
        against: the real pictures, or any of the above.
        out: a folder for ``evaluation.html``, ``evaluation.json`` and ``copies.jpg``, if they are wanted.
        networks: feature networks by name, one or several: ``efficientnet-lite0``, ``alexnet``, ``vgg16``,
            ``inception-2015``.
        photos: what the fakes were painted from, under the same names, or what a style is to paint that turns photos
            into paintings: then content kept is measured too.
        count: pictures of each side at most; 10,000 if not given, and a style makes 1,000.
        size: side in pixels at which all are compared; by default that of the smaller side, 256 at most.
        seed: of the pictures that a style makes.
        reverse: score the reverse direction of a style that has both (CycleGAN): ``photos`` are paintings then, and
            ``against`` photos.
        intervals: whether 95 % intervals are worked out, which takes a while.
        weights: a file with the weights of ``inception-2015``, where they cannot be fetched.
        device: ``auto``, or one of torch's names.
        say: is told what a person should know.
        progress: is told how many pictures of a side are done, and of how many.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    folder = None if out is None else Path(out)
    if folder is not None:
        require_folder(folder)
    where = choose_device(device)
    networks = [networks] if isinstance(networks, str) else networks
    opened = [look(str(fakes), device, reverse=reverse), look(str(against), device)]
    judged, reference = opened
    if translates(judged) and photos is None:
        source = judged.card.domains.partition(" into ")[0]
        raise ImpastoError(f"{fakes} turns {judged.card.domains}: say which {source}, with --photos.")
    if photos is not None and isinstance(judged, Painter) and not translates(judged):
        raise ImpastoError(f"{fakes} turns {judged.card.domains}, which asks for no photos: leave out --photos.")
    if translates(reference):
        raise ImpastoError(f"{against} paints nothing without photos: give real pictures to compare with.")
    common = size or min(map(own_size, opened))
    if common < SMALLEST:
        raise ImpastoError(f"At {common} pixels a network sees nothing: give --size {SMALLEST} or more.")
    if photos is not None and common < LEAST:
        raise ImpastoError(f"Content cannot be compared at {common} pixels: give --size {LEAST} or more.")
    judges = _open_networks(list(dict.fromkeys(networks)), where, None if weights is None else Path(weights))
    say(f"Comparing {fakes} with {against} at {common}×{common} pixels …")
    taken: FileImages | None = None
    if translates(judged):
        sitters = open_side(look(str(photos), device), str(photos), common, count or MADE, seed)
        made: ImageSet = TranslatedImages(judged, str(fakes), sitters)
    else:
        made = open_side(judged, str(fakes), common, count, seed)
        taken = None if photos is None else FileImages(str(photos), common, sys.maxsize)
    # Two styles of one run would paint nearly the same of the same latents, and be near for that.
    real = open_side(reference, str(against), common, count, seed + 1)
    found = assess(made, real, judges, photos=taken, intervals=intervals, progress=progress)
    if folder is not None:
        make_folder(folder)
        found.save(folder)
        write_evaluation(found.evaluation, found.copies, found.sheets, folder)
    return found.evaluation


def _open_networks(names: Sequence[str], device: torch.device, weights: Path | None) -> list[FeatureExtractor]:
    """The networks, of which one that brings no weights gets these."""
    bare = [name for name in names if name in FEATURE_EXTRACTORS and not FEATURE_EXTRACTORS[name].installed]
    given = bare or names[:1]  # which says that it brings its own
    return [open_feature_extractor(name, device, weights if name in given else None) for name in names]


def compare(
    runs: str | Path | Sequence[str | Path],
    out: str | Path = "comparison",
    *,
    against: str | Path | None = None,
    photos: str | Path | None = None,
    price: float | None = None,
    count: int | None = None,
    device: str = "auto",
    say: Callable[[str], object] = print,
) -> Comparison:
    """Puts runs side by side: settings, curves, paintings, scores, time and money.

    Args:
        runs: run folders, finished or not; one that is named twice is compared once.
        out: a folder for ``comparison.html`` and ``comparison.json``, which may be there already.
        against: real pictures; every style is scored against them afresh, by the same counts, seed and size. Without
            them, each run brings the scores that its training ended with, which may not be comparable.
        photos: what is painted for that, by the styles that paint photos; best, photos that none has learned from.
        price: of an hour of training, in any currency.
        count: pictures of each style and of the reals when scoring afresh, as in ``impasto evaluate``.
        device: where to paint and score: ``auto``, or one of torch's names.
        say: is told what a person should know.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    folder = Path(out)
    require_folder(folder)
    if count is not None and against is None:
        raise ImpastoError("The count is of pictures to score afresh: give the real ones too (--against).")
    if photos is not None and against is None:
        raise ImpastoError("The photos are painted to score afresh: give the real paintings too (--against).")
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise ImpastoError(f"The price of an hour cannot be {price}: give a number such as 2.50.")
    different: dict[Path, Path] = {}
    for run in map(Path, [runs] if isinstance(runs, str | Path) else runs):
        if run.resolve() in different:
            say(f"{run} is named twice; it is compared once.")
        else:
            different[run.resolve()] = run
    if not different:
        raise ImpastoError("There is nothing to compare: name some run folders.")
    records = [RunRecord.read(run) for run in different.values()]
    scores = (
        [record.evaluation if record.ended else None for record in records]
        if against is None
        else _afresh(records, str(against), None if photos is None else str(photos), count, device, say)
    )
    entries = [
        _entry(name, record, scored, against is not None, device)
        for name, record, scored in zip(names(list(different.values())), records, scores, strict=True)
    ]
    comparison = Comparison.of(entries, against=None if against is None else str(against), price=price)
    make_folder(folder)
    write_comparison(entries, comparison, folder)
    return comparison


def _entry(name: str, record: RunRecord, evaluation: Evaluation | None, fresh: bool, device: str) -> Entry:
    """A run with its paintings: by its style, or the newest samples, of photos or of a run that has no style yet."""
    if record.translates or not _has_style(record):
        return Entry.of_samples(name, record, evaluation, fresh and evaluation is not None, SHOWN)
    painter = load(record.folder, device)
    pictures = np.stack(list(painter.stream(SHOWN, seed=0)))
    painted_at = f"by its style of step {painter.card.steps:,}"
    return Entry(name, record, evaluation, fresh and evaluation is not None, pictures, painted_at)


def _has_style(record: RunRecord) -> bool:
    return any((record.folder / name).exists() for name in ("best.safetensors", "last.safetensors"))


def _afresh(
    records: Sequence[RunRecord],
    against: str,
    photos: str | None,
    count: int | None,
    device: str,
    say: Callable[[str], object],
) -> list[Evaluation | None]:
    """Every style against the same pictures: the same counts, seed and photos, the size of the smallest of all, through
    all networks that chose one of them."""
    size = min(LARGEST, own_size(look(against, device)), *(record.sample_size for record in records))
    chose = {Recipe.of(record.recipe).scoring_network for record in records if _has_style(record)}
    networks = (*sorted(chose - {DEFAULT}), DEFAULT)  # by the first one it is told who is best
    scores: list[Evaluation | None] = []
    for record in records:
        if not _has_style(record):
            say(f"{record.folder} has no style yet, so it is not scored.")
            scores.append(None)
            continue
        if record.target != "paintings":
            say(f"{record.folder} makes photos of paintings, so it is not scored against paintings.")
            scores.append(None)
            continue
        taken = photos if record.translates else None
        how: dict[str, Any] = {"networks": networks, "photos": taken, "count": count, "size": size, "device": device}
        scores.append(evaluate(record.folder, against, say=say, **how))
    return scores
