"""Photos painted by a generator that decodes features: small first, then stroke by stroke at full size.

Such a generator was shown whole pictures, and knows what it looks at only at about that size. So a photo of any size is
painted at a working size, in the mood that was chosen, and a large one is enlarged in strokes
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
from impasto.inference.coarse_to_fine import resized
from impasto.inference.options import PaintOptions
from impasto.inference.photo import open_photo
from impasto.inference.precision import optimise_network
from impasto.inference.stroke_upsampling import enlarge
from impasto.networks.feature_decoder import STRIDE, Generator

#: Photos larger than a square of so many times the size of training are painted as large as one of so many, with a
#: brush of 1: for a style of 256 pixels, from 560² on at 448².
DIRECT, WORKING = 35 / 16, 7 / 4
#: A painting that grows by more than this is enlarged in strokes.
GROWN = 1.15

#: A mood as options hold it: standardised statistics, :data:`impasto.networks.feature_decoder.MOOD` of them.
Mood = tuple[float, ...]


class StrokeTranslator:
    """A feature-decoder generator at work on ``device``, trained on pictures of ``size``² pixels."""

    def __init__(self, network: Generator, device: torch.device, size: int) -> None:
        self.device, self._size = device, size
        self._network = network.to(device)
        self._paint = optimise_network(network, device)

    @property
    def moods(self) -> int:
        """How many training paintings it can paint in the mood of: numbers 0 to that, less one."""
        return len(self._network.moods)

    def paint(self, photos: Pixels, manner: PaintOptions) -> Pixels:
        """The paintings of photos of one size. To be called in inference mode."""
        _, height, width, _ = photos.shape
        sides = self._working_size(height, width, manner.brush)
        paintings = np.empty_like(photos)
        for painting, photo, small in zip(paintings, photos, resized(photos, *sides), strict=True):
            painted = self._paint(self._tensor(_mirrored(small)), self._code(photo, manner.mood))
            sketch = to_pixels(painted)[0, : sides[0], : sides[1]].cpu().numpy()
            if height * width > GROWN**2 * sides[0] * sides[1]:
                enlarge(sketch, painting)
            else:
                painting[:] = resized(sketch[None], height, width)[0]
        return paintings

    def mood(self, numbers: Sequence[int] = (), like: Sequence[str | Path] = ()) -> Mood | None:
        """The mean of the moods of training paintings with these numbers, and of any pictures; None without either.

        Raises ImpastoError for a number that there is not, or a picture that cannot be read.
        """
        for number in numbers:
            if not 0 <= number < self.moods:
                raise ImpastoError(f"mood = {number}: this style has moods 0 to {self.moods - 1}.")
        chosen = [self._network.mood(torch.tensor(numbers, dtype=torch.long, device=self.device))] if numbers else []
        chosen += [self._network.mood_of(self._measured(open_photo(picture))) for picture in like]
        return tuple(torch.cat(chosen).mean(0).tolist()) if chosen else None

    @torch.inference_mode()
    def nearest(self, photo: Pixels) -> int:
        """The number of the training painting nearest to a photo (H, W, 3)."""
        return int(self._network.nearest(self._network.statistics(self._measured(photo))))

    def _code(self, photo: Pixels, mood: Mood | None) -> Tensor:
        thumbnail = self._measured(photo)
        seen = self._network.look(thumbnail)
        if mood is None:
            chosen = self._network.mood(self._network.nearest(self._network.statistics(thumbnail, seen)))
        else:
            chosen = torch.tensor(mood, device=self.device)[None]
        return self._network.encode(seen, chosen)

    def _working_size(self, height: int, width: int, brush: float) -> tuple[int, int]:
        """The sides at which a photo is painted: strokes of ``brush`` 2 are twice as large against the picture."""
        side = math.sqrt(height * width)
        scale = (1.0 if side <= DIRECT * self._size else WORKING * self._size / side) / brush
        return max(round(height * scale), 1), max(round(width * scale), 1)

    def _measured(self, photo: Pixels) -> Tensor:
        """A photo (H, W, 3) as large as those of training, on which moods and codes are measured: its sides are
        multiples of the network's stride."""
        height, width, _ = photo.shape
        scale = self._size / math.sqrt(height * width)
        sides = (max(round(side * scale / STRIDE), 1) * STRIDE for side in (height, width))
        return self._tensor(resized(photo[None], *sides)[0])

    def _tensor(self, photo: Pixels) -> Tensor:
        return to_float(torch.from_numpy(photo[None].copy()).to(self.device))


def _mirrored(photo: Pixels) -> Pixels:
    """A photo (H, W, 3) whose sides were brought up to multiples of the network's stride: it goes on as its mirror
    image, which looks like a photo, other than a border that is drawn out."""
    down, right = (-side % STRIDE for side in photo.shape[:2])
    return np.pad(photo, ((0, down), (0, right), (0, 0)), mode="symmetric")
