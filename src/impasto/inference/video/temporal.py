"""Temporal consistency of painted videos: strokes follow the motion of the scene.

If each frame is painted independently, strokes flicker: camera noise changes them, and motion slides beneath them. So
the painting is propagated: from the last key frame to each following frame, motion is estimated (DIS optical flow:
Kroeger et al. 2016, arXiv:1603.03590). Where the warped key photo agrees with the current photo, the warped painting is
used; elsewhere (borders, disocclusions, cuts) the new painting. All frames up to the next key frame are warped from one
painting, once.

The local mean (light) follows the new painting as far as the light of the photo has changed since the key frame:
strokes stay, and a sunset still darkens. Where it has not changed it follows slowly, as generators render the same
light a little differently in each frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from impasto.config.types import Floats, Pixels

#: Frames from one key frame to the next.
KEY_INTERVAL = 12
#: Photos agree fully below the first mean difference (grey levels) in a window of so many pixels, and not at all above
#: the second. Noise of a good camera differs by 2 to 5.
AGREEMENT, AGREEMENT_WINDOW = (8.0, 24.0), 7
#: Side of the window of the local mean (light), in pixels.
LIGHT_WINDOW = 65
#: The light of the painting follows fully where that of the photo has changed by so many grey levels, and at this rate
#: where it has not changed.
LIGHT_CHANGE, LIGHT_RATE = 3.0, 0.1
#: A frame is a new key frame if less than this share of it agrees with the last one.
MIN_AGREEMENT = 0.5
#: It is also a new scene (a cut) if block means differ by so many grey levels: noise leaves those unchanged.
CUT_DIFFERENCE, BLOCKS = 10.0, (16, 9)
#: Flow up to so many pixels is camera noise; from twice as much on, it counts in full.
MIN_FLOW = 0.25
#: Smallest side in pixels for which motion is estimated.
MIN_SIDE = 16


@dataclass
class TemporalConsistency:
    """State of the propagation: photo and painting of the last key frame, the number of frames since, and whether the
    newest frame begins a new scene (a cut)."""

    photo: Pixels | None = None
    painting: Pixels | None = None
    age: int = 0
    cut: bool = False

    def follow(self, photo: Pixels, fresh: Pixels) -> Pixels:
        """Return the painting (H, W, 3) of the next frame ``photo``, whose independent painting is ``fresh``."""
        painting, agreed = fresh, 0.0
        if self.photo is not None and self.painting is not None and min(photo.shape[:2]) >= MIN_SIDE:
            warped_photo, warped, confidence = self._warp(photo, self.photo, self.painting)
            weight = confidence[..., None]
            area = cv2.blur(confidence, (LIGHT_WINDOW, LIGHT_WINDOW))[..., None] + 1e-3

            def light(change: Floats) -> Floats:
                return cv2.blur(weight * change, (LIGHT_WINDOW, LIGHT_WINDOW)) / area

            change = warped - fresh
            brightened = np.abs(light(photo.astype(np.float32) - warped_photo)).mean(axis=2, keepdims=True)
            mixed = fresh + weight * (change - (brightened / LIGHT_CHANGE).clip(LIGHT_RATE, 1) * light(change))
            painting, agreed = np.rint(mixed.clip(0, 255)).astype(np.uint8), float(confidence.mean())
        self.age += 1
        self.cut = self.photo is None or (
            agreed < MIN_AGREEMENT and _block_difference(self.photo, photo) > CUT_DIFFERENCE
        )
        if self.photo is None or self.age >= KEY_INTERVAL or agreed < MIN_AGREEMENT:
            self.set_key(photo, painting)
        return painting

    def set_key(self, photo: Pixels, painting: Pixels) -> Pixels:
        """Make a frame the key frame, and return its painting."""
        self.photo, self.painting, self.age = photo, painting, 0
        return painting

    @staticmethod
    def _warp(photo: Pixels, key: Pixels, painting: Pixels) -> tuple[Floats, Floats, Floats]:
        """Warp the key photo and its painting to ``photo``; also return the confidence of the warp, (H, W) in 0…1."""
        height, width, _ = photo.shape
        here, there = (cv2.GaussianBlur(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), (0, 0), 1) for each in (photo, key))
        flow = np.zeros((height, width, 2), np.float32)
        cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(here, there, flow)
        far = np.hypot(flow[..., 0], flow[..., 1])[..., None]
        flow *= (far / MIN_FLOW - 1).clip(0, 1)
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        across, down = columns + flow[..., 0], rows + flow[..., 1]
        before = cv2.remap(key, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved = cv2.remap(painting, across, down, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
        difference = cv2.blur(
            cv2.absdiff(photo, before).mean(axis=2, dtype=np.float32), (AGREEMENT_WINDOW, AGREEMENT_WINDOW)
        )
        trust = np.clip((AGREEMENT[1] - difference) / (AGREEMENT[1] - AGREEMENT[0]), 0, 1)
        trust *= (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
        smooth: Floats = np.minimum(trust, cv2.GaussianBlur(trust, (0, 0), 2))
        return before.astype(np.float32), moved.astype(np.float32), smooth


def _block_difference(one: Pixels, other: Pixels) -> float:
    """Return the mean difference of the block means of two photos, in grey levels."""
    means = (cv2.resize(each, BLOCKS, interpolation=cv2.INTER_AREA).astype(np.float32) for each in (one, other))
    return float(np.abs(next(means) - next(means)).mean())
