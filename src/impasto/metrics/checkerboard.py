"""Checkerboard artefacts: peaks of the power spectrum at the frequencies of upsampling."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.config.types import Pixels
from impasto.metrics.base import METRICS, Metric
from impasto.metrics.results import Value

#: Side in pixels of the tiles of the periodogram, which overlap by half; smaller images have no spectrum.
TILE = 32
#: Groups of images for the jackknife.
GROUPS = 20
#: Frequencies of a generator's last two upsamplings: vertical, horizontal, in cycles per tile; the rest are mirrored.
CHECKERBOARD = tuple(
    (TILE * y // 4, TILE * x // 4) for y, x in ((0, 1), (0, 2), (1, 0), (2, 0), (1, 1), (1, 3), (1, 2), (2, 1), (2, 2))
)
#: Distance of the neighbours that a peak is compared with: beyond the window's main lobe, and nearer than the eighths,
#: where JPEG blocks have peaks.
NEIGHBOUR = 2
#: Luma weights of RGB, as in JPEG. Chroma is ignored: most files store it at half resolution, and decoders' upsampling
#: leaves a checkerboard in photos too.
LUMA = (0.299, 0.587, 0.114)
#: Power of the noise assumed in every tile, half a level: invisible, and without it single remaining coefficients of
#: areas that JPEG has made uniform would exceed their neighbours a thousandfold.
NOISE = 0.5**2


@METRICS.register("checkerboard")
class Checkerboard(Metric):
    """Computed by :class:`Spectrum` while the images pass through the feature network."""

    meaning = "artefacts of upsampling: peaks of the spectrum at a period of 2 or 4 pixels, in dB; about 0 for none"
    better = "lower"
    order = 100


@dataclass
class Spectrum:
    """The mean power spectrum of images, accumulated one by one.

    Uneven upsampling repeats every second or fourth pixel: Odena et al. 2016, "Deconvolution and Checkerboard
    Artifacts"; Durall et al. 2020 (arXiv:2003.01826); Frank et al. 2020 (arXiv:2003.08685). Periodograms of small
    windowed tiles are averaged (Welch 1967, "The Use of Fast Fourier Transform for the Estimation of Power Spectra"),
    each divided by its own level.

    Attributes:
        sums: sums over the images of each group, (GROUPS, TILE, TILE/2 + 1).
        counts: images in each group, (GROUPS,).
    """

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((GROUPS, TILE, TILE // 2 + 1)))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(GROUPS, np.int64))

    def add(self, pixels: Pixels) -> None:
        """Add images, uint8 (N, H, W, 3); those with a side below :data:`TILE` are ignored."""
        for image in pixels:
            self.add_periodogram(periodogram(image))

    def add_periodogram(self, power: NDArray[np.float32] | None) -> None:
        """Add the :func:`periodogram` of the next image."""
        if power is not None:
            group = self.counts.sum() % GROUPS
            self.sums[group] += power
            self.counts[group] += 1

    def observe(self, images: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield the same images, uint8 (S, S, 3), and add each."""
        for image in images:
            self.add(image[None])
            yield image

    def checkerboard(self) -> Value | None:
        """Return the highest peak at the checkerboard frequencies above its neighbours, in dB; None without images.

        About 0 for photos and paintings. The error is the jackknife's over groups of images, None for one image.
        """
        total, count = self.sums.sum(axis=0), int(self.counts.sum())
        if not count:
            return None
        peaks = _peaks(total / count)
        highest = int(peaks.argmax())
        used = self.counts > 0
        left_out = [
            _peaks((total - group) / (count - size))[highest]
            for group, size in zip(self.sums[used], self.counts[used], strict=True)
            if size < count
        ]
        error = float(np.sqrt((len(left_out) - 1) * np.var(left_out))) if left_out else None
        return Value(value=float(peaks[highest]), error=error)


def periodogram(image: Pixels) -> NDArray[np.float32] | None:
    """Return the mean power spectrum of an image's tiles: uint8 (H, W, 3) → (TILE, TILE/2 + 1); None for a side below
    :data:`TILE`.

    Each tile is divided by its own level, because artefacts are visible in smooth areas and not in texture: a faint
    pattern in few smooth tiles would vanish in a mean of the power, and hardly change a mean of its logarithm.
    """
    if min(image.shape[:2]) < TILE:
        return None
    luma = torch.tensor(image).float() @ torch.tensor(LUMA)
    tiles = luma.unfold(0, TILE, TILE // 2).unfold(1, TILE, TILE // 2)  # (rows, columns, TILE, TILE)
    tiles = (tiles - tiles.mean((-2, -1), keepdim=True)) * _window()
    power = torch.fft.rfft2(tiles).abs().square() + NOISE
    level = power[..., _level_frequencies()].mean(-1)
    mean: NDArray[np.float32] = (power / level[..., None, None]).mean((0, 1)).numpy()
    return mean


def _window() -> Tensor:
    """Return the Hann window (TILE, TILE), scaled so that the power of white noise is its variance."""
    hann = torch.hann_window(TILE)
    window: Tensor = hann.outer(hann) / hann.square().sum()
    return window


def _level_frequencies() -> Tensor:
    """Return a mask of the high frequencies (TILE, TILE/2 + 1) without the checkerboard's."""
    y, x = torch.arange(TILE)[:, None], torch.arange(TILE // 2 + 1)
    at_checkerboard = (_from_checkerboard(y) <= 1) & (_from_checkerboard(x) <= 1)
    return (torch.maximum(torch.minimum(y, TILE - y), x) >= 3 * TILE / 16) & ~at_checkerboard


def _from_checkerboard(frequency: Tensor) -> Tensor:
    """Return the distance of a frequency to the nearest multiple of a quarter of the sampling rate."""
    return torch.minimum(frequency % (TILE // 4), -frequency % (TILE // 4))


def _peaks(half: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the height in dB of the peaks at the checkerboard frequencies of a mean spectrum, then the valleys' depth.

    A peak's height is the lesser of two: above its horizontal and above its vertical neighbours. Vertical and
    horizontal edges make ridges along the axes of any image's spectrum, which exceed their neighbours in one direction
    only. A valley's depth is that of the whole line at a quarter of the sampling rate below its neighbours, on average:
    after a doubling of the resolution, the spectrum's mirror image begins there.
    """
    mirrored = np.roll(half[::-1], 1, axis=0)[:, TILE // 2 - 1 : 0 : -1]
    level = 10 * np.log10(np.concatenate([half, mirrored], axis=1))  # (TILE, TILE)
    vertical, horizontal = (
        level - (np.roll(level, NEIGHBOUR, axis) + np.roll(level, -NEIGHBOUR, axis)) / 2 for axis in (0, 1)
    )
    elsewhere = _from_checkerboard(torch.arange(TILE)).numpy() > 1
    peaks = [min(vertical[place], horizontal[place]) for place in CHECKERBOARD]
    valleys = [-vertical[TILE // 4, elsewhere].mean(), -horizontal[elsewhere, TILE // 4].mean()]
    return np.array([*peaks, *valleys])
