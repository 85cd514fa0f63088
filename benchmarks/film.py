"""Temporal consistency of painted videos, compared with painting each frame independently.

    python benchmarks/film.py PHOTO [--frames 36] [--style monet]

Two videos are rendered from a photo, 384×216: a static one with camera noise (4 grey levels), one with pan and zoom.
Both methods paint the same frames. Reported are the warping error (difference to the previous frame, warped by the
camera motion, in grey levels), for the static video also the standard deviation of a pixel over time, and sharpness
(standard deviation of the Laplacian).
"""

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.inference.load import load_translator
from impasto.inference.options import PaintOptions
from impasto.inference.video.temporal import TemporalConsistency

HEIGHT, WIDTH = 216, 384
Frame = NDArray[np.uint8]


def camera(number: int, moves: bool) -> tuple[float, float, float]:
    """Return the camera of a frame: offset in x and y, and photo pixels per video pixel."""
    return (40 + 3.3 * number, 60 + 1.1 * number, 1 - 0.003 * number) if moves else (80.0, 90.0, 1.0)


def film(photo: Frame, frames: int, moves: bool) -> list[Frame]:
    rng, found = np.random.default_rng(0), []
    for number in range(frames):
        across, down, size = camera(number, moves)
        way = np.array([[size, 0, across], [0, size, down]], np.float32)
        seen = cv2.warpAffine(photo, way, (WIDTH, HEIGHT), flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP)
        found.append((seen + rng.normal(0, 2 if moves else 4, seen.shape)).clip(0, 255).astype(np.uint8))
    return found


def warping_error(frames: list[Frame], moves: bool) -> float:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    errors = []
    for number, (before, after) in enumerate(pairwise(frames), 1):
        (x0, y0, s0), (x1, y1, s1) = camera(number - 1, moves), camera(number, moves)
        across, down = ((columns * s1 + x1) - x0) / s0, ((rows * s1 + y1) - y0) / s0
        moved = cv2.remap(
            before.astype(np.float32), across.astype(np.float32), down.astype(np.float32), cv2.INTER_CUBIC
        )
        inside = (across > 2) & (across < WIDTH - 3) & (down > 2) & (down < HEIGHT - 3)
        errors.append(np.abs(after - moved)[inside].mean())
    return float(np.mean(errors))


def sharpness(frames: list[Frame]) -> float:
    return float(np.mean([cv2.Laplacian(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std() for each in frames]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--frames", type=int, default=36)
    parser.add_argument("--style", default="monet")
    arguments = parser.parse_args()
    with Image.open(arguments.photo) as image:
        photo = np.asarray(image.convert("RGB").resize((640, 426), Image.Resampling.LANCZOS))
    translator = load_translator(arguments.style)
    for moves in (False, True):
        frames = film(photo, arguments.frames, moves)
        options = translator.fix_mood(PaintOptions(), frames[0])
        alone = [translator.paint_pixels(frame[None], options)[0] for frame in frames]
        consistency = TemporalConsistency()
        ours = [consistency.follow(frame, painting) for frame, painting in zip(frames, alone, strict=True)]
        measures: dict[str, Callable[[list[Frame]], float]] = {
            "warping error": lambda shown, moves=moves: warping_error(shown, moves),  # type: ignore[misc]
            "sharpness": sharpness,
        }
        if not moves:
            measures["variation over time"] = lambda shown: float(np.stack(shown).astype(np.float32).std(0).mean())
        print(f"{arguments.frames} frames of a {'moving' if moves else 'static'} video")
        for name, measure in measures.items():
            one, other = measure(alone), measure(ours)
            print(f"  {name:20s} frame by frame {one:6.2f}   ours {other:6.2f}   {other / one:5.1%}")


if __name__ == "__main__":
    main()
