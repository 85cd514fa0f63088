"""Write a submission to Kaggle's competition "I'm Something of a Painter Myself"."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from impasto.config.types import Pixels, Progress
from impasto.data.inventory import Duplicate, LeftOut
from impasto.data.preprocess import Square, decode_squares
from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError
from impasto.files import atomic_write, user_path
from impasto.inference.load import load
from impasto.inference.output import require_free, require_other, reserve, zip_writer
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator
from impasto.interop import kaggle_submission as rules
from impasto.interop.kaggle_submission import SubmissionReport, check_submission, examples, require_count
from impasto.progress_bar import bar_in_notebooks

_log = logging.getLogger(__name__)


@bar_in_notebooks("painting")
def submit(
    style: str | Path,
    out: str | Path = "images.zip",
    *,
    photos: str | None = None,
    count: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> int:
    """Write a submission, and return its number of images: paintings of ``photos``, or images generated from noise.

    Args:
        style: name of a bundled style, a style file or a run folder.
        out: the zip.
        photos: input of a translation style, as :func:`impasto.data.sources.open_source` takes it.
        count: 7,000 to 10,000; by default 7,000, or all distinct photos.
        seed: of an unconditional style.
        overwrite: replace ``out``.
        device: see :func:`impasto.device.choose_device`.
        progress: called with the number of images done, and the total.

    Raises :class:`impasto.errors.ImpastoError` if the style and ``photos`` do not fit, there are too few photos, or the
    check refuses the zip.
    """
    out = user_path(out)
    require_free(out, file=True, overwrite=overwrite)
    pipeline = load(style, device)
    if isinstance(pipeline, Sampler):
        if photos is not None:
            raise ImpastoError(f"{style} is an unconditional model and takes no photos; remove --photos.")
        count = rules.FEWEST if count is None else count
        write_submission(pipeline.stream(count, seed), count, out, progress, overwrite=overwrite)
        return count
    if photos is None:
        raise ImpastoError(f"{style} is a translation model ({pipeline.card.domains}) and needs photos: add --photos.")
    return _submit_photos(pipeline, photos, out, count, overwrite, progress)


def _submit_photos(
    translator: Translator, photos: str, out: Path, count: int | None, overwrite: bool, progress: Progress | None
) -> int:
    with open_source(photos) as source:
        require_other(out, user_path(photos), *source.paths())
        distinct = find_photos(source, count, progress)
        for line in summarise(distinct):
            _log.info(line)
        count = len(distinct.positions)
        write_submission(translator.paint_stream(distinct.stream()), count, out, progress, overwrite=overwrite)
    return count


def write_submission(
    images: Iterable[Pixels],
    count: int,
    out: Path,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
) -> SubmissionReport:
    """Write the first ``count`` images as the zip ``out`` and check it; an invalid zip never appears.

    ``images`` are uint8 RGB (S, S, 3), resized to 256×256 (Lanczos) if they have another size.
    Raises ImpastoError if ``count`` is not 7,000 to 10,000 or ``out`` exists (both before the first image is
    requested), if there are too few images, or if the check refuses them.
    """
    require_count(count)
    reserve(out, file=True, overwrite=overwrite)
    done = 0
    with atomic_write(out) as part:
        with zip_writer(part) as writer:
            for done, image in enumerate(islice(images, count), start=1):
                writer.write(f"{done:05d}.jpg", _resized(image))
                if progress is not None:
                    progress(done, count)
        if done < count:
            raise ImpastoError(f"{out} was not written: there are only {done:,} of {count:,} images.")
        report = check_submission(part)
        if not report.ok:
            raise ImpastoError(f"{out} was not written, as it breaks the rules: {' '.join(report.problems)}")
    return report


def _resized(image: Pixels) -> Image.Image:
    height, width = image.shape[:2]
    if height != width:
        raise ValueError(f"expected a square image, got {width}×{height}")
    found = Image.fromarray(image)
    return found if width == rules.SIZE else found.resize((rules.SIZE, rules.SIZE), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class DistinctPhotos:
    """The distinct photos of a source, and what was excluded."""

    source: ImageSource
    positions: tuple[int, ...]  #: in the source
    duplicates: tuple[Duplicate, ...]
    left_out: tuple[LeftOut, ...]

    def stream(self) -> Iterator[Pixels]:
        """Yield their centre squares, uint8 (256, 256, 3), in the source's order, a few in memory at a time."""
        chosen = set(self.positions)
        entries = (entry for position, entry in enumerate(self.source.entries()) if position in chosen)
        for outcome in decode_squares(entries, rules.SIZE):
            if isinstance(outcome, Square):
                yield outcome.pixels


def find_photos(source: ImageSource, count: int | None = None, progress: Progress | None = None) -> DistinctPhotos:
    """Return the photos of a source that can be painted for a submission: at most ``count``, or 10,000.

    Photos with equal pixels are painted once: their paintings would be equal, which the competition refuses.
    Raises ImpastoError if ``count`` is not 7,000 to 10,000, or fewer than 7,000 photos remain.
    """
    if count is not None:
        require_count(count)
    first: dict[bytes, str] = {}
    positions: list[int] = []
    duplicates: list[Duplicate] = []
    left_out: list[LeftOut] = []
    for position, outcome in enumerate(decode_squares(source.entries(), rules.SIZE)):
        match outcome:
            case LeftOut():
                left_out.append(outcome)
            case Square(picture, _, digest):
                if digest in first:
                    duplicates.append(Duplicate(name=picture.name, of=first[digest]))
                else:
                    first[digest] = picture.name
                    positions.append(position)
        if progress is not None:
            progress(position + 1, source.total)
        if len(positions) == (count or rules.MOST):
            break
    if len(positions) < rules.FEWEST:
        raise ImpastoError(
            f"{source.name} holds {len(positions):,} distinct, readable photos: the competition takes {rules.FEWEST:,} "
            f"to {rules.MOST:,} paintings."
        )
    return DistinctPhotos(source, tuple(positions), tuple(duplicates), tuple(left_out))


def summarise(photos: DistinctPhotos) -> list[str]:
    """Return lines of text: what is painted, and what is excluded."""
    lines = [f"{len(photos.positions):,} photos of {photos.source.name} to paint."]
    if copies := photos.duplicates:
        names = examples([f"{each.name} is {each.of}" for each in copies])
        lines.append(f"{len(copies):,} dropped as exact duplicates ({names}).")
    if lost := photos.left_out:
        lines.append(f"{len(lost):,} left out ({examples([f'{each.name}: {each.reason}' for each in lost])}).")
    return lines
