"""The evolution of a training as a film: the same noise, or the same photos, painted again at every sample."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from impasto.files import atomic_write
from impasto.inference.video import writer
from impasto.reports import pairs
from impasto.reports.run_record import RunRecord, Sample, open_picture

RATE = 30
"""Frames a second."""

SECONDS, REST = 8, 2
"""All samples together take about 8 s, and the last one stays for another 2 s."""

SIDE = 720
"""The longer side of the sheet in the film, in pixels."""

LOOP_SIDES, LOOP_FRAMES, LOOP_BYTES = (512, 384, 288, 192), 36, 1_500_000
"""The loop takes the first of these sizes at which it stays below its bytes."""

INK, FAINT = "#3a3732", "#d8d3c8"


@dataclass(frozen=True)
class Reel:
    """Samples, and the sizes at which they are shown: each sheet over a strip that says its step."""

    record: RunRecord
    samples: tuple[Sample, ...]
    sheet: tuple[int, int]
    size: tuple[int, int]
    """Width and height of a frame in pixels, both even, as yuv420p wants them."""

    @classmethod
    def of(cls, record: RunRecord, most: int, side: int) -> Self:
        """At most ``most`` of a run's samples, fitted into ``side`` pixels.

        Raises:
            ValueError: the run has no samples yet.
        """
        samples = evenly(record.samples, most)
        if not samples:
            raise ValueError("there is no film of a run without samples")
        sheet = ImageOps.contain(_sheet(record, samples[-1], side), (side, side)).size
        width, height = sheet[0], sheet[1] + side // 24
        return cls(record, samples, sheet, (width + width % 2, height + height % 2))

    def frames(self) -> Iterator[Image.Image]:
        """One frame a sample, RGB."""
        width, height = self.size
        strip = height - self.sheet[1]
        font = ImageFont.load_default(0.55 * strip)
        for sample in self.samples:
            frame = Image.new("RGB", self.size, "white")
            sheet = _sheet(self.record, sample, max(self.sheet))
            frame.paste(sheet.resize(self.sheet, Image.Resampling.LANCZOS))
            draw = ImageDraw.Draw(frame)
            middle = height - strip // 2
            draw.text((strip // 4, middle), f"step {sample.step:,}", INK, font, anchor="lm")
            pictures = self.record.pictures_at(sample.step)
            if pictures is not None:
                draw.text((width - strip // 4, middle), f"{pictures:,} pictures", INK, font, anchor="rm")
            progress = width * sample.step // max(self.samples[-1].step, 1)
            draw.line((0, height - 1, width, height - 1), FAINT)
            draw.line((0, height - 1, progress, height - 1), INK)
            yield frame


def write_film(record: RunRecord, path: Path) -> None:
    """Writes the samples as a film of 8 to 13 s, or less if they are few (MP4, H.264, yuv420p, ready to stream).

    Raises:
        ImpastoError: PyAV has no encoder for a film that browsers play.
        ValueError: the run has no samples yet.
    """
    reel = Reel.of(record, SECONDS * RATE, SIDE)
    shown = zip(map(np.asarray, reel.frames()), holds(len(reel.samples)), strict=True)
    writer.write_film(path, shown, RATE)


def write_loop(record: RunRecord, path: Path) -> None:
    """Writes the samples as a small endless animation (WebP) that can stand where a picture can.

    Raises:
        ValueError: the run has no samples yet.
    """
    for side in LOOP_SIDES:
        first, *others = Reel.of(record, LOOP_FRAMES, side).frames()
        times = [SECONDS * 1000 // LOOP_FRAMES] * len(others) + [REST * 1000]
        file = io.BytesIO()
        first.save(file, "WEBP", save_all=True, append_images=others, duration=times, loop=0, quality=70)
        if file.tell() <= LOOP_BYTES:
            break
    with atomic_write(path) as part:
        part.write_bytes(file.getvalue())


def holds(samples: int) -> list[int]:
    """For how many frames of the film each sample is shown: all alike, for a second at most, but the last one."""
    return [min(max(round(SECONDS * RATE / samples), 1), RATE)] * (samples - 1) + [REST * RATE]


def evenly(samples: tuple[Sample, ...], most: int) -> tuple[Sample, ...]:
    """At most that many of the samples, evenly chosen, the first and the last among them."""
    if len(samples) <= most:
        return samples
    return tuple(samples[index * (len(samples) - 1) // (most - 1)] for index in range(most))


def _sheet(record: RunRecord, sample: Sample, side: int) -> Image.Image:
    """A sample, at least about ``side`` pixels wide; beside the paintings, the photos that they are of."""
    found = pairs.sampled(record, sample)
    return open_picture(sample.path, side) if found is None else pairs.sheet(found)
