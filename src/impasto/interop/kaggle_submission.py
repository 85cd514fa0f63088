"""The rules of the Kaggle competition gan-getting-started, and a check of submissions against them."""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, ZipInfo

from impasto.data.decode import decoder_errors
from impasto.data.entry import ZIP_ERRORS, UnreadableError
from impasto.data.formats import IMAGE_FORMATS, identify
from impasto.errors import ImpastoError

FEWEST, MOST = 7_000, 10_000
SIZE = 256

_ENCRYPTED = 0x1
_LARGEST = 2**24  # bytes or pixels: far more than a 256×256 JPEG has, so a zip bomb is not unpacked
_DAMAGED = "truncated or damaged: not fully decodable"
_TOO_LARGE = f"far too large for a {SIZE}×{SIZE} JPEG"
_JUNK = {".DS_Store", "Thumbs.db", "desktop.ini"}
MAX_EXAMPLES = 3  #: files that are named per problem


@dataclass(frozen=True)
class SubmissionReport:
    """Result of a check: the number of images, and one sentence per broken rule."""

    count: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the competition accepts the file."""
        return not self.problems


@dataclass(frozen=True)
class _Finding:
    faults: tuple[str, ...]
    pixels: Hashable = None  # equal for images with equal pixels; None if it was not decoded


def check_submission(path: Path) -> SubmissionReport:
    """Check a zip against every rule of the competition.

    7,000 to 10,000 images, no folders, each a complete 256×256 RGB JPEG with a matching suffix, no two with the same
    pixels, and no other files. A file that cannot be opened is reported as well: nothing is raised.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return SubmissionReport(0, (f"{path} is a device or a pipe: the competition takes a zip.",))
        archive = ZipFile(path)
    except FileNotFoundError:
        return SubmissionReport(0, (f"{path} does not exist.",))
    except IsADirectoryError:
        return SubmissionReport(0, (f"{path} is a folder: the competition takes a zip.",))
    except ZIP_ERRORS as error:
        return SubmissionReport(0, (f"{path} is not a readable zip ({error}).",))
    with archive, ThreadPoolExecutor() as pool:
        entries = archive.infolist()
        findings = list(pool.map(partial(_inspect, archive), entries))
    names = [entry.filename for entry in entries]
    count = sum(not _is_junk(name) and not name.endswith("/") for name in names)
    problems = [] if FEWEST <= count <= MOST else [_wrong_count(count)]
    return SubmissionReport(count, (*problems, *_sentences(names, findings)))


def require_count(count: int) -> None:
    """Raise ImpastoError unless the competition accepts this number of images."""
    if not FEWEST <= count <= MOST:
        raise ImpastoError(_wrong_count(count))


def examples(names: list[str]) -> str:
    """Return the first few names, for a sentence."""
    return ", ".join(names[:MAX_EXAMPLES]) + (", …" if len(names) > MAX_EXAMPLES else "")


def _wrong_count(count: int) -> str:
    return f"The competition takes {FEWEST:,} to {MOST:,} images, not {count:,}."


def _is_junk(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name in _JUNK or path.name.startswith("._")


def _inspect(archive: ZipFile, entry: ZipInfo) -> _Finding:
    name = entry.filename
    if _is_junk(name):
        return _Finding(("system files: remove them",))
    placed = ("in a folder: the zip must be flat",) if "/" in name or "\\" in name else ()
    if name.endswith("/"):
        return _Finding(placed)
    named = () if PurePosixPath(name).suffix.lower() in (".jpg", ".jpeg") else ("not named .jpg or .jpeg",)
    picture = _inspect_picture(archive, entry)
    return _Finding((*placed, *named, *picture.faults), picture.pixels)


def _inspect_picture(archive: ZipFile, entry: ZipInfo) -> _Finding:
    if entry.flag_bits & _ENCRYPTED:
        return _Finding(("encrypted: remove the password",))
    if entry.file_size > _LARGEST:
        return _Finding((_TOO_LARGE,))
    try:
        data = archive.read(entry)
    except ZIP_ERRORS:
        return _Finding(("damaged in the zip: write it again",))
    name = identify(data[:32])
    if name != "JPEG":
        return _Finding(("not JPEG inside",))
    try:
        with decoder_errors(name):
            image = IMAGE_FORMATS[name].open(data)
    except UnreadableError as error:
        reason = str(error)
        return _Finding((_DAMAGED if "damaged" in reason else reason,))
    if image.width * image.height > _LARGEST:
        return _Finding((_TOO_LARGE,))
    size = () if image.size == (SIZE, SIZE) else (f"not {SIZE}×{SIZE}",)
    mode = () if image.mode == "RGB" else ("not RGB",)
    try:
        with decoder_errors(name):
            pixels = (image.size, image.mode, blake2b(image.tobytes()).digest())
    except UnreadableError:
        return _Finding((*size, *mode, _DAMAGED))
    return _Finding((*size, *mode), pixels)


def _sentences(names: list[str], findings: list[_Finding]) -> Iterator[str]:
    """Yield one sentence per broken rule: how many files break it, with examples."""
    broken: dict[str, list[str]] = defaultdict(list)
    first: dict[Hashable, str] = {}
    seen: set[str] = set()
    for name, finding in zip(names, findings, strict=True):
        for fault in finding.faults:
            broken[fault].append(name)
        if name in seen:
            broken["duplicates by name: rename them"].append(name)
        seen.add(name)
        if finding.pixels is not None and first.setdefault(finding.pixels, name) != name:
            broken["copies of another image, pixel by pixel: each must be unique"].append(
                f"{name} of {first[finding.pixels]}"
            )
    for fault, files in broken.items():
        yield f"{len(files):,} {'file is' if len(files) == 1 else 'files are'} {fault} ({examples(files)})."
