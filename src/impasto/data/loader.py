"""Load training batches. The batch of step *n* depends on the seed and on *n* alone, so there is no state to save."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from impasto import parallel
from impasto.data.augment import colour_jitter, crop_and_flip, resize, to_float, to_pixels
from impasto.data.pixel_shards import PixelShards
from impasto.device import available, upload

if TYPE_CHECKING:
    from impasto.config.data import AugmentConfig

#: Images that training needs at least: one is held out, and two are needed for scores.
MIN_IMAGES = 3
#: With fewer images than this a model memorises them.
FEW_IMAGES = 50
#: With fewer held-out images than this, scores are unreliable.
FEW_HELDOUT = 20


@dataclass(frozen=True)
class Batch:
    """The input of one training step: in data-parallel training, this process's part of it.

    Attributes:
        paintings: (B, 3, S, S), −1…1.
        photos: (B, 3, S, S), −1…1; (0, 3, S, S) for unconditional generation.
        rng: random generator of the step.
        step: from 0.
        progress: fraction of the training that is done, 0…1.
    """

    paintings: Tensor
    photos: Tensor
    rng: torch.Generator
    step: int
    progress: float = 0.0


def stream_seed(*parts: int | str) -> int:
    """Return a 63-bit seed for a named random stream, such as ``(seed, "step", n)``."""
    text = "/".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def split(count: int, heldout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split ``count`` images into training and held-out indices, both sorted.

    ``heldout`` is the held-out fraction; if it is above 0, at least one image is held out.
    """
    held = min(max(1, round(count * heldout)), count - 1) if heldout and count > 1 else 0
    order = np.random.default_rng(stream_seed(seed, "split")).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])


class Loader:
    """Load augmented batches of some images of a store, each image once per epoch, for any number of epochs.

    The images are held on the device as uint8 if they take less than a quarter of its free memory; otherwise each batch
    is read from the memory-mapped store.
    """

    def __init__(
        self,
        pixels: np.ndarray | PixelShards,  # (N, S, S, 3) uint8
        indices: np.ndarray,
        size: int,
        batch: int,
        augment: "AugmentConfig",
        seed: int,
        device: torch.device,
        order: str = "epoch",
    ) -> None:
        self.pixels, self.indices = pixels, indices
        self.size, self.batch_size, self.augment = size, batch, augment
        self.seed, self.device, self._stream = seed, device, order
        self.side = min(augment.stored_size(size), pixels.shape[1])
        self._fits = pixels.shape[1] == self.side
        self._epoch = -1
        self._order = indices
        self._resident: Tensor | None = None
        if len(indices) * self.side**2 * 3 < 0.25 * available(device):
            self._resident = self._read_all()

    @property
    def resident(self) -> bool:
        """Whether the images are held on the device."""
        return self._resident is not None

    def __len__(self) -> int:
        return len(self.indices)

    def load_batch(self, step: int, rng: torch.Generator) -> Tensor:
        """Return this process's part of the batch of a step (from 0), augmented by ``rng``: (B, 3, S, S), −1…1."""
        own = parallel.span(self.batch_size // parallel.current().size)
        first = step * self.batch_size
        images = self.load(np.array([self._position(first + i) for i in range(own.start, own.stop)]))
        augmented = crop_and_flip(images, self.size, self.augment.scale, self.augment.flip, rng, self.augment.rotate)
        if self.augment.color:
            augmented = colour_jitter(augmented, self.augment.color, rng)
        return augmented.contiguous(memory_format=torch.channels_last)

    def load_evenly(self, count: int, size: int | None = None) -> Tensor:
        """Return ``count`` evenly spaced images, or all if there are fewer, without augmentation: (n, 3, H, H), with H
        ``size`` or else the size in the loader."""
        positions = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)
        images = self.load(positions)
        return images if size is None or size == images.shape[-1] else resize(images, size)

    def load(self, positions: np.ndarray) -> Tensor:
        """Return the images at positions (n,) in ``indices``, without augmentation: (n, 3, side, side), −1…1."""
        if self._resident is None:
            return self._read(self.indices[positions])
        return to_float(self._resident[upload(positions, self.device)])

    def _position(self, number: int) -> int:
        """Return the position in ``indices`` of the image that is loaded as number ``number`` of all epochs."""
        epoch, index = divmod(number, len(self.indices))
        if epoch != self._epoch:
            rng = np.random.default_rng(stream_seed(self.seed, self._stream, epoch))
            self._order = rng.permutation(len(self.indices))
            self._epoch = epoch
        return int(self._order[index])

    def _read(self, indices: np.ndarray) -> Tensor:
        """Return images of the store at the loader's size, float, on the device."""
        pixels = upload(self.pixels[indices], self.device)
        return to_float(pixels if self._fits else to_pixels(resize(to_float(pixels), self.side)))

    def _read_all(self) -> Tensor:
        """Return all images, uint8 (N, side, side, 3), on the device, in the order of ``indices``."""
        if self._fits:
            return torch.from_numpy(self.pixels[self.indices]).to(self.device)
        chunks = [to_pixels(self._read(self.indices[i : i + 64])) for i in range(0, len(self.indices), 64)]
        return torch.cat(chunks)


class Batches:
    """Batches of paintings, with photos for image-to-image translation.

    An epoch is one pass over the photos, or over the paintings if there are none.
    """

    def __init__(self, paintings: Loader, photos: Loader | None = None) -> None:
        self.paintings, self.photos = paintings, photos

    def __len__(self) -> int:
        return len(self.photos or self.paintings)

    def batch(self, step: int, attempt: int = 0, progress: float = 0.0) -> Batch:
        """Return the batch of a step (from 0) at ``progress`` (0…1). Another ``attempt`` at a failed step gets another
        random stream, since the same one would fail again."""
        seed, device = self.paintings.seed, self.paintings.device
        rng = torch.Generator(device).manual_seed(stream_seed(seed, "step", step, attempt))
        paintings = self.paintings.load_batch(step, rng)
        photos = paintings[:0] if self.photos is None else self.photos.load_batch(step, rng)
        return Batch(paintings, photos, rng, step, progress)
