"""Rendering of photos with a feature-decoder generator: small first, then stroke by stroke at full size.

Such a generator was trained on whole images of one size, and recognises content only at about that size. So a photo of
any size is painted at a working size, in the chosen mood, and a larger painting is made of strokes
(:mod:`impasto.inference.stroke_upsampling`). Pixels are uint8 (B, H, W, 3), RGB.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto.config.types import Pixels
from impasto.data.augment import to_float, to_pixels
from impasto.errors import ImpastoError
from impasto.inference.options import PaintOptions
from impasto.inference.photo import open_photo
from impasto.inference.precision import optimise_network
from impasto.inference.resample import resize
from impasto.inference.share_done import ShareDone, span, unreported
from impasto.inference.stroke_upsampling import enlarge
from impasto.networks.feature_decoder import STRIDE, Generator

#: Photos up to so many times the training size are painted at their own size, larger ones at so many times it (with
#: brush 1): for a style of 256 pixels, above 560² at 448².
DIRECT, WORKING = 35 / 16, 7 / 4
#: A painting enlarged by more than this is enlarged with strokes, else by interpolation.
STROKES_FROM = 1.15

#: A mood as options hold it: :data:`impasto.networks.feature_decoder.MOOD_DIM` standardised statistics.
Mood = tuple[float, ...]


class StrokeRenderer:
    """Renders photos with a feature-decoder generator, trained on images of ``size``² pixels."""

    def __init__(self, network: Generator, device: torch.device, size: int) -> None:
        self.device, self._size = device, size
        self._network = network.to(device)
        self._run = optimise_network(network, device)

    @property
    def moods(self) -> int:
        """Number of moods, one per training painting."""
        return len(self._network.moods)

    def render(self, photos: Pixels, options: PaintOptions, progress: ShareDone = unreported) -> Pixels:
        """Return the paintings of photos of one size. To be called in inference mode."""
        _, height, width, _ = photos.shape
        sides = self._working_size(height, width, options.brush)
        paintings = np.empty_like(photos)
        for number, (painting, photo, small) in enumerate(zip(paintings, photos, resize(photos, *sides), strict=True)):
            painted = self._run(self._tensor(_reflected(small)), self._code(photo, options.mood))
            sketch = to_pixels(painted)[0, : sides[0], : sides[1]].cpu().numpy()
            if height * width > STROKES_FROM**2 * sides[0] * sides[1]:
                enlarge(sketch, painting, span(progress, number / len(photos), (number + 1) / len(photos)))
            else:
                painting[:] = resize(sketch[None], height, width)[0]
        return paintings

    def mood(self, numbers: Sequence[int] = (), like: Sequence[str | Path] = ()) -> Mood | None:
        """Return the mean of the moods of training paintings, by number, and of reference images; None without either.

        Raises ImpastoError for a number out of range, or an image that cannot be read.
        """
        for number in numbers:
            if not 0 <= number < self.moods:
                raise ImpastoError(f"mood = {number}: choose 0 to {self.moods - 1}.")
        chosen = (
            [self._network.training_moods(torch.tensor(numbers, dtype=torch.long, device=self.device))]
            if numbers
            else []
        )
        chosen += [self._network.measure_moods(self._thumbnail(open_photo(picture))) for picture in like]
        return tuple(torch.cat(chosen).mean(0).tolist()) if chosen else None

    @torch.inference_mode()
    def nearest(self, photo: Pixels) -> int:
        """Return the number of the training painting nearest to a photo (H, W, 3)."""
        return int(self._network.nearest_moods(self._network.statistics(self._thumbnail(photo))))

    def _code(self, photo: Pixels, mood: Mood | None) -> Tensor:
        thumbnail = self._thumbnail(photo)
        features = self._network.extract_features(thumbnail)
        if mood is None:
            chosen = self._network.training_moods(
                self._network.nearest_moods(self._network.statistics(thumbnail, features))
            )
        else:
            chosen = torch.tensor(mood, device=self.device)[None]
        return self._network.encode(features, chosen)

    def _working_size(self, height: int, width: int, brush: float) -> tuple[int, int]:
        """Return the height and width at which a photo is painted: half as large for ``brush`` 2."""
        side = math.sqrt(height * width)
        scale = (1.0 if side <= DIRECT * self._size else WORKING * self._size / side) / brush
        return max(round(height * scale), 1), max(round(width * scale), 1)

    def _thumbnail(self, photo: Pixels) -> Tensor:
        """Resize a photo (H, W, 3) to about the training size, with sides that are multiples of the network's stride:
        moods and codes are measured on it."""
        height, width, _ = photo.shape
        scale = self._size / math.sqrt(height * width)
        sides = (max(round(side * scale / STRIDE), 1) * STRIDE for side in (height, width))
        return self._tensor(resize(photo[None], *sides)[0])

    def _tensor(self, photo: Pixels) -> Tensor:
        return to_float(torch.from_numpy(photo[None].copy()).to(self.device))


def _reflected(photo: Pixels) -> Pixels:
    """Pad a photo (H, W, 3) to multiples of the network's stride by reflection: unlike replication, that looks like a
    photo to the network."""
    down, right = (-side % STRIDE for side in photo.shape[:2])
    return np.pad(photo, ((0, down), (0, right), (0, 0)), mode="symmetric")
