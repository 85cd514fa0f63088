"""The rules of the Kaggle competition gan-getting-started, checked before anything is handed in."""

import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from io import BytesIO
from itertools import islice
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from impasto.cli.progress_bar import bar
from impasto.data.inventory import Duplicate, LeftOut
from impasto.data.preprocess import Square, squares
from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.inference.output import reserve, zip_writer

if TYPE_CHECKING:
    from impasto.inference.translator import Painter

FEWEST, MOST = 7_000, 10_000
SIZE = 256

_ENCRYPTED = 0x1
_LARGEST = 2**24  # bytes or pixels: far beyond any 256×256 JPEG, and a zip bomb is not worth unpacking
_TOO_LARGE = f"far too large for a {SIZE}×{SIZE} JPEG"
_JUNK = {".DS_Store", "Thumbs.db", "desktop.ini"}
_NAMED = 3  # files that one sentence names
_UNREADABLE = (
    BadZipFile,
    NotImplementedError,
    ValueError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
    LZMAError,
)


@dataclass(frozen=True)
class SubmissionReport:
    """What a check found: the number of pictures, and each broken rule as one sentence."""

    count: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the competition would accept the file."""
        return not self.problems


@dataclass(frozen=True)
class _Finding:
    faults: tuple[str, ...]
    pixels: Hashable = None  # alike for two pictures that decode alike; None where nothing decoded


def check_submission(path: Path) -> SubmissionReport:
    """Check a zip against every rule of the competition, without stopping at the first that is broken.

    7,000 to 10,000 pictures, no folders, each a complete 256×256 RGB JPEG and named as one, no two with the
    same pixels, and nothing else in the zip. A file that cannot be opened is a report too: nothing is raised.
    """
    try:
        archive = ZipFile(path)
    except FileNotFoundError:
        return SubmissionReport(0, (f"{path} does not exist.",))
    except IsADirectoryError:
        return SubmissionReport(0, (f"{path} is a folder: the competition takes one zip.",))
    except _UNREADABLE as error:
        return SubmissionReport(0, (f"{path} is not a readable zip ({error}).",))
    with archive, ThreadPoolExecutor() as pool:
        entries = archive.infolist()
        findings = list(pool.map(partial(_inspect, archive), entries))
    names = [entry.filename for entry in entries]
    count = sum(not _is_junk(name) and not name.endswith("/") for name in names)
    problems = [] if FEWEST <= count <= MOST else [_wrong_count(count)]
    return SubmissionReport(count, (*problems, *_sentences(names, findings)))


def make_submission(
    painter: "Painter",
    out: Path,
    *,
    photos: str | None = None,
    count: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    say: Callable[[str], object] = print,
) -> int:
    """Paint a atomic_write submission, and return of how many pictures: of ``photos``, or else out of nothing from ``seed``.

    ``count`` is 7,000, or that of all photos that differ, if not given; ``say`` is told what becomes of the photos.
    Raises ImpastoError for what a person can mend.
    """
    if photos is None:
        count = count or FEWEST
        with bar("painting", count) as advance:
            write_submission(painter.stream(count, seed), count, out, advance, overwrite=overwrite)
        return count
    painter.require_photos()
    with open_source(photos) as source:
        with bar("looking") as advance:
            subjects = find_subjects(source, count, advance)
        say("\n".join(summarise(subjects)))
        count = len(subjects.places)
        with bar("painting", count) as advance:
            write_submission(painter.paint_stream(subjects.stream()), count, out, advance, overwrite=overwrite)
    return count


def write_submission(
    pictures: Iterable[NDArray[np.uint8]],
    count: int,
    out: Path,
    progress: Callable[[int], object] = lambda done: None,
    *,
    overwrite: bool = False,
) -> SubmissionReport:
    """Write the first ``count`` pictures as the zip ``out`` and check it; an unacceptable zip never appears.

    ``pictures`` are uint8 RGB of shape (S, S, 3); those of another size are scaled to 256×256 (Lanczos).
    ``progress`` hears how many pictures are written, after each.
    Raises ImpastoError if ``count`` is not 7,000 to 10,000 or ``out`` is taken (both before the first picture
    is asked for), if the pictures run out, or if the check refuses them.
    """
    if not FEWEST <= count <= MOST:
        raise ImpastoError(_wrong_count(count))
    reserve(out, file=True, overwrite=overwrite)
    done = 0
    with atomic_write(out) as part:
        with zip_writer(part) as writer:
            for done, picture in enumerate(islice(pictures, count), start=1):
                writer.write(f"{done:05d}.jpg", _at_size(picture))
                progress(done)
        if done < count:
            raise ImpastoError(f"{out} was not written: only {done:,} of {count:,} pictures came.")
        report = check_submission(part)
        if not report.ok:
            raise ImpastoError(f"{out} was not written, the competition would refuse it: {' '.join(report.problems)}")
    return report


@dataclass(frozen=True)
class Subjects:
    """Photos to paint for a submission: those that differ, and what is not among them."""

    source: ImageSource
    places: tuple[int, ...]  #: in the source
    duplicates: tuple[Duplicate, ...]
    left_out: tuple[LeftOut, ...]

    def stream(self) -> Iterator[NDArray[np.uint8]]:
        """Their middle squares, uint8 (256, 256, 3), in the source's order; only a few are in memory at a time."""
        chosen = set(self.places)
        entries = (entry for place, entry in enumerate(self.source.entries()) if place in chosen)
        for outcome in squares(entries, SIZE):
            if isinstance(outcome, Square):
                yield outcome.pixels


def find_subjects(
    source: ImageSource, count: int | None = None, progress: Callable[[int, int | None], object] | None = None
) -> Subjects:
    """The photos of a source that can be painted for a submission: at most ``count``, or 10,000.

    Of photos whose pixels are the same one alone is painted: their paintings would be the same too, and the competition
    takes no picture twice. ``progress`` is told how many photos were looked at, and of how many.
    Raises ImpastoError if ``count`` is not 7,000 to 10,000, or fewer than 7,000 photos are left.
    """
    if count is not None and not FEWEST <= count <= MOST:
        raise ImpastoError(_wrong_count(count))
    first: dict[bytes, str] = {}
    places: list[int] = []
    duplicates: list[Duplicate] = []
    left_out: list[LeftOut] = []
    for place, outcome in enumerate(squares(source.entries(), SIZE)):
        match outcome:
            case LeftOut():
                left_out.append(outcome)
            case Square(picture, _, digest):
                if digest in first:
                    duplicates.append(Duplicate(name=picture.name, of=first[digest]))
                else:
                    first[digest] = picture.name
                    places.append(place)
        if progress is not None:
            progress(place + 1, source.total)
        if len(places) == (count or MOST):
            break
    if len(places) < FEWEST:
        raise ImpastoError(
            f"{source.name} holds {len(places):,} photos that can be read and differ from each other: "
            f"the competition takes {FEWEST:,} to {MOST:,} paintings."
        )
    return Subjects(source, tuple(places), tuple(duplicates), tuple(left_out))


def summarise(subjects: Subjects) -> list[str]:
    """What is painted, and what not, as lines for a shell."""
    lines = [f"{len(subjects.places):,} photos of {subjects.source.name} to paint."]
    if copies := subjects.duplicates:
        lines.append(f"{len(copies):,} dropped as exact duplicates ({_some([f'{c.name} is {c.of}' for c in copies])}).")
    if lost := subjects.left_out:
        lines.append(f"{len(lost):,} left out ({_some([f'{each.name}: {each.reason}' for each in lost])}).")
    return lines


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _at_size(picture: NDArray[np.uint8]) -> Image.Image:
    height, width = picture.shape[:2]
    if height != width:
        raise ValueError(f"expected a square picture, got {width}×{height}")
    image = Image.fromarray(picture)
    return image if width == SIZE else image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _wrong_count(count: int) -> str:
    return f"The competition takes {FEWEST:,} to {MOST:,} pictures, not {count:,}."


def _is_junk(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name in _JUNK or path.name.startswith("._")


def _inspect(archive: ZipFile, entry: ZipInfo) -> _Finding:
    name = entry.filename
    if _is_junk(name):
        return _Finding(("leftovers of an operating system: take them out",))
    placed = ("in a folder: the zip must be flat",) if "/" in name or "\\" in name else ()
    if entry.is_dir():
        return _Finding(placed)
    named = () if PurePosixPath(name).suffix.lower() in (".jpg", ".jpeg") else ("not named .jpg or .jpeg",)
    picture = _inspect_picture(archive, entry)
    return _Finding((*placed, *named, *picture.faults), picture.pixels)


def _inspect_picture(archive: ZipFile, entry: ZipInfo) -> _Finding:
    if entry.flag_bits & _ENCRYPTED:
        return _Finding(("encrypted: zip them without a password",))
    if entry.file_size > _LARGEST:
        return _Finding((_TOO_LARGE,))
    try:
        data = archive.read(entry)
    except _UNREADABLE:
        return _Finding(("damaged in the zip: write it again",))
    try:
        image = Image.open(BytesIO(data), formats=["JPEG"])
    except UnidentifiedImageError:
        return _Finding(("not JPEG inside",))
    except Image.DecompressionBombError:
        return _Finding((_TOO_LARGE,))
    if image.width * image.height > _LARGEST:
        return _Finding((_TOO_LARGE,))
    size = () if image.size == (SIZE, SIZE) else (f"not {SIZE}×{SIZE}",)
    mode = () if image.mode == "RGB" else ("not RGB",)
    try:
        pixels = (image.size, image.mode, blake2b(image.tobytes()).digest())
    except (OSError, SyntaxError):
        return _Finding((*size, *mode, "cut off or broken: they do not decode to the end"))
    return _Finding((*size, *mode), pixels)


def _sentences(names: list[str], findings: list[_Finding]) -> Iterator[str]:
    """One sentence for each broken rule: how many files break it, and the first of them."""
    broken: dict[str, list[str]] = defaultdict(list)
    first: dict[Hashable, str] = {}
    seen: set[str] = set()
    for name, finding in zip(names, findings, strict=True):
        for fault in finding.faults:
            broken[fault].append(name)
        if name in seen:
            broken["named like another: each needs its own name"].append(name)
        seen.add(name)
        if finding.pixels is not None and first.setdefault(finding.pixels, name) != name:
            broken["copies of another, pixel by pixel: each must be a picture of its own"].append(
                f"{name} of {first[finding.pixels]}"
            )
    for fault, culprits in broken.items():
        yield f"{len(culprits):,} {'file is' if len(culprits) == 1 else 'files are'} {fault} ({_some(culprits)})."
