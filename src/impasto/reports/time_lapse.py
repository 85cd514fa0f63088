"""Time-lapse of a training: samples from the same noise, or of the same photos, through training."""

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
from impasto.reports.run_record import RunRecord, Sample, open_image

RATE = 30
"""Frames per second."""

SECONDS, REST = 8, 2
"""Duration of all samples, and of the last one."""

SIDE = 720
"""Longer side of the grid in the video, in pixels."""

LOOP_SIDES, LOOP_FRAMES, LOOP_BYTES = (512, 384, 288, 192), 36, 1_500_000
"""Sides of the animation, tried in turn until it has at most that many bytes; its frames."""

INK, FAINT = "#3a3732", "#d8d3c8"


@dataclass(frozen=True)
class TimeLapse:
    """Samples and their frame layout: each grid above a caption with its step."""

    record: RunRecord
    samples: tuple[Sample, ...]
    grid: tuple[int, int]
    """Width and height of the grid in pixels."""
    size: tuple[int, int]
    """Width and height of a frame in pixels, both even for yuv420p."""

    @classmethod
    def of(cls, record: RunRecord, most: int, side: int) -> Self:
        """Lay out at most ``most`` of a run's samples in ``side`` pixels.

        Raises:
            ValueError: the run has no samples yet.
        """
        samples = select_evenly(record.samples, most)
        if not samples:
            raise ValueError("a run without samples has no time-lapse")
        grid = ImageOps.contain(_grid(record, samples[-1], side), (side, side)).size
        width, height = grid[0], grid[1] + side // 24
        return cls(record, samples, grid, (width + width % 2, height + height % 2))

    def frames(self) -> Iterator[Image.Image]:
        """Yield one RGB frame per sample."""
        width, height = self.size
        caption = height - self.grid[1]
        font = ImageFont.load_default(0.55 * caption)
        for sample in self.samples:
            frame = Image.new("RGB", self.size, "white")
            grid = _grid(self.record, sample, max(self.grid))
            frame.paste(grid.resize(self.grid, Image.Resampling.LANCZOS))
            draw = ImageDraw.Draw(frame)
            middle = height - caption // 2
            draw.text((caption // 4, middle), f"step {sample.step:,}", INK, font, anchor="lm")
            images = self.record.log.images_at(sample.step)
            if images is not None:
                draw.text((width - caption // 4, middle), f"{images:,} images", INK, font, anchor="rm")
            progress = width * sample.step // max(self.samples[-1].step, 1)
            draw.line((0, height - 1, width, height - 1), FAINT)
            draw.line((0, height - 1, progress, height - 1), INK)
            yield frame


def write_video(record: RunRecord, path: Path) -> None:
    """Write a video of 8 to 13 s, or less for few samples (MP4, H.264, yuv420p, streamable).

    Raises:
        ImpastoError: PyAV has no H.264 encoder.
        ValueError: the run has no samples yet.
    """
    lapse = TimeLapse.of(record, SECONDS * RATE, SIDE)
    shown = zip(map(np.asarray, lapse.frames()), frame_counts(len(lapse.samples)), strict=True)
    writer.write_video(path, shown, RATE)


def write_animation(record: RunRecord, path: Path) -> None:
    """Write a small endless animation (WebP), for places that take images.

    Raises:
        ValueError: the run has no samples yet.
    """
    for side in LOOP_SIDES:
        first, *others = TimeLapse.of(record, LOOP_FRAMES, side).frames()
        times = [SECONDS * 1000 // LOOP_FRAMES] * len(others) + [REST * 1000]
        file = io.BytesIO()
        first.save(file, "WEBP", save_all=True, append_images=others, duration=times, loop=0, quality=70)
        if file.tell() <= LOOP_BYTES:
            break
    with atomic_write(path) as part:
        part.write_bytes(file.getvalue())


def frame_counts(samples: int) -> list[int]:
    """Return the number of video frames per sample: equal, at most a second, except for the last one."""
    return [min(max(round(SECONDS * RATE / samples), 1), RATE)] * (samples - 1) + [REST * RATE]


def select_evenly(samples: tuple[Sample, ...], most: int) -> tuple[Sample, ...]:
    """Return at most that many samples at equal intervals, with the first and the last."""
    if len(samples) <= most:
        return samples
    return tuple(samples[index * (len(samples) - 1) // (most - 1)] for index in range(most))


def _grid(record: RunRecord, sample: Sample, side: int) -> Image.Image:
    """Return a sample at least about ``side`` pixels wide; translations beside their source images."""
    found = pairs.sample_pairs(record, sample)
    return open_image(sample.path, side) if found is None else pairs.pair_grid(found)
