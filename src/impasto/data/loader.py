"""Batches for training. What step *n* sees depends on the seed and on *n* alone: nothing else is remembered."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from impasto.data.augment import crop_and_flip, recolour, shrink, to_float, to_pixels
from impasto.device import available

if TYPE_CHECKING:
    from impasto.config.settings import Augment

#: Fewer pictures than this cannot be trained on, of which one is held out and two are scored against.
FEWEST = 3
#: Fewer pictures than this can be copied, but not learned from.
FEW = 50
#: Fewer held-out pictures than this are too few to score against, or to be scored.
FEW_HELDOUT = 20


@dataclass(frozen=True)
class Batch:
    """What one step gets: real paintings, photos if the painter starts from those, both (B, 3, S, S) in −1…1, the
    random numbers that belong to that step, and how much of the training is over."""

    paintings: Tensor
    photos: Tensor  #: (0, 3, S, S) where the painter starts from noise
    rng: torch.Generator
    step: int  #: from 0
    progress: float = 0.0  #: 0…1


def stream_seed(*parts: int | str) -> int:
    """One 63-bit seed for a named stream of random numbers, such as ``(seed, "step", n)``."""
    text = "/".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def split(count: int, heldout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of ``count`` pictures to learn from, and of the fraction ``heldout`` (at least one) that is never
    learned from; both in order."""
    kept = min(max(1, round(count * heldout)), count - 1) if heldout and count > 1 else 0
    order = np.random.default_rng(stream_seed(seed, "split")).permutation(count)
    return np.sort(order[kept:]), np.sort(order[:kept])


class Loader:
    """An endless row of epochs over some pictures of a store, each picture once an epoch.

    The pictures live on the device as uint8 when they take less than a quarter of its free memory, so that
    nothing stands between them and the networks; otherwise each batch is read from the memory-mapped store.
    """

    def __init__(
        self,
        pixels: np.ndarray,  # (N, S, S, 3) uint8
        indices: np.ndarray,
        size: int,
        batch: int,
        augment: "Augment",
        seed: int,
        device: torch.device,
        order: str = "epoch",
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        self.pixels, self.indices = pixels, indices
        self.size, self.batch_size, self.augment = size, batch, augment
        self.seed, self.device, self._stream, self.layout = seed, device, order, layout
        self.side = min(augment.stored_size(size), pixels.shape[1])
        self._fits = pixels.shape[1] == self.side
        self._epoch = -1
        self._order = indices
        self._resident: Tensor | None = None
        if len(indices) * self.side**2 * 3 < 0.25 * available(device):
            self._resident = self._read_all()

    @property
    def resident(self) -> bool:
        """Whether the pictures are kept on the device."""
        return self._resident is not None

    def __len__(self) -> int:
        return len(self.indices)

    def pictures(self, step: int, rng: torch.Generator) -> Tensor:
        """What step ``step`` (from 0) sees, varied by ``rng``: (B, 3, S, S) in −1…1."""
        first = step * self.batch_size
        chosen = self.at(np.array([self._at(i) for i in range(first, first + self.batch_size)]))
        varied = crop_and_flip(chosen, self.size, self.augment.scale, self.augment.flip, rng, self.augment.rotate)
        if self.augment.color:
            varied = recolour(varied, self.augment.color, rng)
        return varied.contiguous(memory_format=self.layout)

    def whole(self, count: int, size: int | None = None) -> Tensor:
        """``count`` evenly spread pictures, or all if there are fewer, as they are: (n, 3, H, H), with H ``size`` or
        else the size that they are kept at."""
        places = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)
        pictures = self.at(places)
        return pictures if size is None or size == pictures.shape[-1] else shrink(pictures, size)

    def at(self, places: np.ndarray) -> Tensor:
        """Pictures (n, 3, side, side) in −1…1, as they are, by their places (n,) in ``indices``."""
        if self._resident is None:
            return self._read(self.indices[places])
        return to_float(self._resident[torch.from_numpy(places).to(self.device)])

    def _at(self, position: int) -> int:
        """The place in ``indices`` of the ``position``-th picture of the endless row."""
        epoch, place = divmod(position, len(self.indices))
        if epoch != self._epoch:
            rng = np.random.default_rng(stream_seed(self.seed, self._stream, epoch))
            self._order = rng.permutation(len(self.indices))
            self._epoch = epoch
        return int(self._order[place])

    def _read(self, indices: np.ndarray) -> Tensor:
        """Pictures from the store, at the working size, float on the device."""
        pixels = torch.from_numpy(self.pixels[indices]).to(self.device)
        return to_float(pixels if self._fits else to_pixels(shrink(to_float(pixels), self.side)))

    def _read_all(self) -> Tensor:
        """All pictures as uint8 (N, side, side, 3) on the device, in the order of ``indices``."""
        if self._fits:
            return torch.from_numpy(self.pixels[self.indices]).to(self.device)
        chunks = [to_pixels(self._read(self.indices[i : i + 64])) for i in range(0, len(self.indices), 64)]
        return torch.cat(chunks)


class Batches:
    """What a method learns from, step by step: paintings, and photos where the painter starts from those.

    An epoch is once through the photos, or without them through the paintings; the fewer paintings come round as often
    as it takes.
    """

    def __init__(self, paintings: Loader, photos: Loader | None = None) -> None:
        self.paintings, self.photos = paintings, photos

    def __len__(self) -> int:
        return len(self.photos or self.paintings)

    def batch(self, step: int, attempt: int = 0, progress: float = 0.0) -> Batch:
        """What step ``step`` (from 0) learns from, at ``progress`` (0…1) through the training. A further ``attempt`` at
        a step that went wrong gets other random numbers: the same ones would lead there again."""
        seed, device = self.paintings.seed, self.paintings.device
        rng = torch.Generator(device).manual_seed(stream_seed(seed, "step", step, attempt))
        paintings = self.paintings.pictures(step, rng)
        photos = paintings[:0] if self.photos is None else self.photos.pictures(step, rng)
        return Batch(paintings, photos, rng, step, progress)
