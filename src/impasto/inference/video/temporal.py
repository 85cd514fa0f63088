"""Strokes that stay where they are from one frame of a film to the next.

Each frame painted by itself, strokes jump: the noise of a camera makes others of them, and what moves slips away
beneath them. So a painting is carried along with what it shows. From the last key frame to each that follows the motion
is estimated (DIS optical flow: Kroeger et al. 2016, arXiv:1603.03590), and where the photo that was moved along agrees
with the one that is there, the painting that was moved along is shown; elsewhere, at borders, behind things and after a
cut, what is painted anew. All frames up to the next key are made of one painting, and moved once.

The light, the mean around each place, follows what is painted anew as far as the light of the photo has changed since
the key: strokes stay, and a sunset still darkens. Where it has not changed it follows slowly, as generators paint the
same light a little differently in each frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from impasto.config.types import Floats, Pixels

#: Frames from one key to the next.
KEY = 12
#: Photos agree if their mean difference in a neighbourhood of so many pixels is below the first of these grey levels,
#: and do not from the second on. The noise of a good camera differs by 2 to 5.
NEAR, PLACES = (8.0, 24.0), 7
#: The light at a place is the mean of so many pixels around it.
LIGHT = 65
#: The light of the painting follows all the way where that of the photo has changed by so many grey levels, and by this
#: part of the way where it has not changed at all.
CHANGED, SLOWLY = 3.0, 0.1
#: Of a frame, this part has to agree with the key: else it is of another scene, and a key itself.
SAME = 0.5
#: If the means of its parts differ by so many grey levels on average, too, the scene has changed: noise leaves those.
OTHER, PARTS = 10.0, (16, 9)
#: Up to so many pixels, what moves is the noise of the camera; from twice as many on, motion counts in full.
STILL = 0.25
#: Smaller pictures have no motion that could be estimated, in pixels.
LEAST = 16


@dataclass
class TemporalConsistency:
    """The last key frame: its photo, its painting, and how many frames ago it was; and whether the newest frame is of
    another scene."""

    photo: Pixels | None = None
    painting: Pixels | None = None
    age: int = 0
    cut: bool = False

    def follow(self, photo: Pixels, fresh: Pixels) -> Pixels:
        """The painting (H, W, 3) of the next frame ``photo``, ``fresh`` being what it is painted as by itself."""
        painting, agreed = fresh, 0.0
        if self.photo is not None and self.painting is not None and min(photo.shape[:2]) >= LEAST:
            before, moved, trust = self._moved(photo, self.photo, self.painting)
            within = trust[..., None]
            places = cv2.blur(trust, (LIGHT, LIGHT))[..., None] + 1e-3

            def light(change: Floats) -> Floats:
                return cv2.blur(within * change, (LIGHT, LIGHT)) / places

            change = moved - fresh
            brightened = np.abs(light(photo.astype(np.float32) - before)).mean(axis=2, keepdims=True)
            mixed = fresh + within * (change - (brightened / CHANGED).clip(SLOWLY, 1) * light(change))
            painting, agreed = np.rint(mixed.clip(0, 255)).astype(np.uint8), float(trust.mean())
        self.age += 1
        self.cut = self.photo is None or (agreed < SAME and _differ(self.photo, photo) > OTHER)
        if self.photo is None or self.age >= KEY or agreed < SAME:
            self.begin(photo, painting)
        return painting

    def begin(self, photo: Pixels, painting: Pixels) -> Pixels:
        """Takes a frame for the key, and returns its painting."""
        self.photo, self.painting, self.age = photo, painting, 0
        return painting

    @staticmethod
    def _moved(photo: Pixels, key: Pixels, painting: Pixels) -> tuple[Floats, Floats, Floats]:
        """The key and its painting moved to where their things are in ``photo``, and how far that is to be trusted,
        0…1."""
        height, width, _ = photo.shape
        here, there = (cv2.GaussianBlur(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), (0, 0), 1) for each in (photo, key))
        flow = np.zeros((height, width, 2), np.float32)
        cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(here, there, flow)
        far = np.hypot(flow[..., 0], flow[..., 1])[..., None]
        flow *= (far / STILL - 1).clip(0, 1)
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        across, down = columns + flow[..., 0], rows + flow[..., 1]
        before = cv2.remap(key, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved = cv2.remap(painting, across, down, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
        difference = cv2.blur(cv2.absdiff(photo, before).mean(axis=2, dtype=np.float32), (PLACES, PLACES))
        trust = np.clip((NEAR[1] - difference) / (NEAR[1] - NEAR[0]), 0, 1)
        trust *= (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
        smooth: Floats = np.minimum(trust, cv2.GaussianBlur(trust, (0, 0), 2))
        return before.astype(np.float32), moved.astype(np.float32), smooth


def _differ(one: Pixels, other: Pixels) -> float:
    """How far the means of the parts of two photos are from each other, in grey levels."""
    means = (cv2.resize(each, PARTS, interpolation=cv2.INTER_AREA).astype(np.float32) for each in (one, other))
    return float(np.abs(next(means) - next(means)).mean())
