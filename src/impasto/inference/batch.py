"""Batch translation: many photos in, their paintings out, each under the name of its photo."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from impasto.data.decode import count_pixels, decode
from impasto.data.entry import MAX_IN_FLIGHT_BYTES, Entry, File, UnreadableError, open_regular
from impasto.data.inventory import LeftOut
from impasto.data.sources import ImageSource
from impasto.errors import ImpastoError, printable, shorten
from impasto.files import BadNameError, atomic_write
from impasto.inference.manifest import Manifest
from impasto.inference.options import DEFAULT, PaintOptions
from impasto.inference.output import TRANSPARENT, ImageWriter, encode, require_other, reserve
from impasto.inference.output_names import VIDEOS, Format, UniqueNames, output_suffix
from impasto.inference.photo import TooLargeError, pixels, side_by_side
from impasto.inference.photo_metadata import kept_exif
from impasto.inference.settings_metadata import settings_xmp
from impasto.inference.share_done import PhotoProgress, ShareDone, unreported
from impasto.inference.translator import Translator
from impasto.inference.transparency import with_alpha
from impasto.ordered_map import ordered_map

#: Longest name of a photo in settings, in characters.
MAX_NAME = 200
#: Lines about single photos in a summary.
MAX_LISTED = 20
#: From so many photos on, the number of workers is benchmarked first.
BENCHMARK_FROM = 24


@dataclass
class Outcome:
    """Result of a batch.

    Attributes:
        paintings: number of paintings written.
        before: number of paintings that an earlier run had written.
        renamed: photos whose painting got another name, as theirs was taken, with that name.
        left_out: photos that could not be painted, with the reason.
    """

    paintings: int = 0
    before: int = 0
    renamed: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def require_any(self) -> None:
        """Raise ImpastoError, with the first reason, if there is no painting."""
        if not self.paintings and not self.before:
            first = self.left_out[0]
            more = f", and {len(self.left_out) - 1:,} more" if len(self.left_out) > 1 else ""
            raise ImpastoError(f"No photo could be painted ({first.name}: {first.reason}{more}).")


@dataclass(frozen=True)
class Painted:
    """Result of one photo: the encoded painting; or neither data nor reason if the photo is unchanged since an earlier
    run; or the reason why it cannot be painted."""

    digest: str = ""
    suffix: str = ""
    data: bytes | None = None
    reason: str | None = None


def paint_photos(
    translator: Translator,
    sources: Sequence[ImageSource],
    writer: ImageWriter,
    *,
    options: PaintOptions = DEFAULT,
    compare: bool = False,
    format: Format = "keep",
    keep_metadata: bool = False,
    settings: Mapping[str, Any] | None = None,
    manifest: Manifest | None = None,
    progress: PhotoProgress | None = None,
) -> Outcome:
    """Paint every photo of all sources, each at its own size, and write the paintings in order.

    Several photos are read, painted and encoded concurrently where that is faster; large ones one at a time.

    Args:
        translator: runs the style.
        sources: open sources.
        writer: receives each painting under the name of its photo, folders included.
        options: how the photos are painted.
        compare: put each photo on the left of its painting.
        format: of the paintings.
        keep_metadata: copy the photos' EXIF data.
        settings: what is written into each painting, with the name of its photo.
        manifest: what earlier runs painted; new paintings are added.
        progress: called with the number of photos done, the done part of a large one included, and the total if
            known.

    Raises:
        ImpastoError: no photo could be painted, or the disk is full.
    """
    manifest = manifest or Manifest()
    before = manifest.done
    totals = [source.total for source in sources if source.total is not None]
    total = sum(totals) if len(totals) == len(sources) else None

    def work(item: tuple[str, Entry]) -> Painted:
        photo, entry = item
        digest, _ = before.get(photo, ("", ""))
        return paint_one(
            translator,
            entry,
            options=options,
            compare=compare,
            format=format,
            keep_metadata=keep_metadata,
            known_digest=digest,
            settings=named_settings(settings, entry.name),
            progress=part_done,
        )

    def part_done(share: float) -> None:
        if progress is not None and workers == 1 and share < 1:
            progress(done + share, total)

    done, outcome, names = 0, Outcome(), UniqueNames(painting for _, painting in before.values())
    if progress is not None:
        progress(0, total)
    workers = 1 if total is not None and total < BENCHMARK_FROM else translator.workers()
    results = ordered_map(
        work, _named(sources), workers, torch_threads=1, size=lambda item: item[1].size, capacity=MAX_IN_FLIGHT_BYTES
    )
    for done, ((photo, entry), painted) in enumerate(results, 1):
        if painted.reason is not None:
            outcome.left_out.append(LeftOut(name=photo, reason=painted.reason))
        elif painted.data is None:
            outcome.before += 1
            manifest.confirm(photo)
        else:
            name, wanted = names.assign(entry.name, painted.suffix, before.get(photo, ("", ""))[1])
            try:
                writer.put(name, painted.data)
            except BadNameError as reason:
                outcome.left_out.append(LeftOut(name=photo, reason=str(reason).removesuffix(".")))
            else:
                manifest.add(photo, painted.digest, name)
                outcome.paintings += 1
                if name != wanted:
                    outcome.renamed.append((photo, name))
        if progress is not None:
            progress(done, total)
    outcome.require_any()
    return outcome


def _named(sources: Iterable[ImageSource]) -> Iterator[tuple[str, Entry]]:
    """Yield each entry with the name that users know it by; a repeated name gets a number."""
    times = Counter[str]()
    for source in sources:
        for entry in source.entries():
            name = _display_name(source, entry.name)
            times[name] += 1
            yield name if times[name] == 1 else f"{name} ({times[name]})", entry


def _display_name(source: ImageSource, name: str) -> str:
    """Return the source and the name in it."""
    if source.name == "-":
        return name
    return source.name if Path(source.name).name == name else f"{source.name}/{name}"


def paint_one(
    translator: Translator,
    entry: Entry,
    *,
    options: PaintOptions,
    compare: bool,
    format: Format,
    keep_metadata: bool = False,
    known_digest: str = "",
    settings: Mapping[str, Any] | None = None,
    progress: ShareDone = unreported,
) -> Painted:
    """Read, paint and encode one photo, unless its file has the digest ``known_digest``.

    The photo's transparency is kept where the format holds it, its EXIF data with ``keep_metadata``. The ``settings``
    are written into the painting. ``progress`` is called after each part of a large photo. Thread-safe.
    """
    try:
        data = entry.read()
        digest = digest_of(data)
        if digest == known_digest:
            return Painted(digest)
        with translator.limit_large(count_pixels(data)):
            decoded = decode(data)
            photo, alpha = pixels(decoded.image), decoded.alpha
            suffix = output_suffix(entry.name, decoded.format, format)
            exif = kept_exif(data) if keep_metadata else None
            del data, decoded
            painting = translator.paint_pixels(photo[None], options, progress)[0]
            if compare:
                painting = side_by_side(photo, painting)
            del photo  # free the memory of large photos early
            keeps_alpha = alpha is not None and not compare and suffix.lower() in TRANSPARENT
            image = with_alpha(painting, alpha) if alpha is not None and keeps_alpha else Image.fromarray(painting)
            del painting
            xmp = None if settings is None else settings_xmp(settings)
            return Painted(digest, suffix, encode(f"painting{suffix}", image, xmp, exif))
    except MemoryError:
        return Painted(reason="takes more memory than there is")
    except (UnreadableError, TooLargeError) as reason:
        if Path(entry.name).suffix.lower() in VIDEOS:
            return Painted(reason="a video: name it itself, or by a pattern such as '*.mp4'; in folders, add --films")
        return Painted(reason=str(reason).removesuffix("."))


def named_settings(settings: Mapping[str, Any] | None, photo: str) -> dict[str, Any] | None:
    """Return settings, if there are any, with the file name of a photo."""
    if settings is None:
        return None
    return {**settings, "photo": shorten(printable(PurePosixPath(photo).name), MAX_NAME)}


def digest_of(photo: bytes) -> str:
    """Return what identifies the file of a photo."""
    return hashlib.blake2b(photo, digest_size=16).hexdigest()


def paint_file(
    translator: Translator,
    photo: Path,
    out: Path,
    *,
    options: PaintOptions,
    compare: bool = False,
    keep_metadata: bool = False,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: PhotoProgress | None = None,
) -> None:
    """Paint one photo into one file, in the format of its suffix, with the options of :func:`paint_photos`.
    ``progress`` is called with the done part of 1.

    Raises ImpastoError if there is no photo, or ``out`` exists or cannot be written.
    """
    if photo.is_dir():
        raise ImpastoError(f"{out} is one file, but {photo} is a folder: give one photo, or an output folder or zip.")
    require_other(out, photo)
    reserve(out, file=True, overwrite=overwrite)
    entry = Entry(out.name, File(photo.name, partial(open_regular, photo)).read)
    part_done: ShareDone = unreported if progress is None else lambda share: progress(share, 1)
    painted = paint_one(
        translator,
        entry,
        options=options,
        compare=compare,
        format="keep",
        keep_metadata=keep_metadata,
        settings=named_settings(settings, photo.name),
        progress=part_done,
    )
    if painted.data is None:
        raise ImpastoError(f"{photo} cannot be painted: {painted.reason}.")
    with atomic_write(out) as part:
        part.write_bytes(painted.data)


def summarise(outcome: Outcome, out: str | Path, made: str = "painting") -> list[str]:
    """Return the outcome as lines of text: the number of images ``made``, and what was renamed or left out."""
    many = made if outcome.paintings == 1 else f"{made}s"
    before = f", and {outcome.before:,} there before" if outcome.before else ""
    renamed = [f"{photo} is written as {name}: its name is taken." for photo, name in outcome.renamed]
    lost = [f"Left out: {each.name}: {each.reason}." for each in outcome.left_out]
    lines = [line for group in (renamed, lost) for line in _first(group)]
    return [f"{outcome.paintings:,} {many} in {out}{before}", *map(printable, lines)]


def _first(lines: list[str]) -> list[str]:
    more = [f"And {len(lines) - MAX_LISTED:,} more."] if len(lines) > MAX_LISTED else []
    return lines[:MAX_LISTED] + more
