"""Whether a checkerboard lies over the pictures: what stands out of their spectrum at the frequencies of up-sampling."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.config.types import Pixels
from impasto.metrics.results import Value

#: Side of the tiles that pictures are cut into, in pixels, each half over the next; smaller pictures have no spectrum.
TILE = 32
#: Pictures take turns in so many groups, of which each is left out once to know the error.
GROUPS = 20
#: Frequencies of a painter's last two doublings, in cycles by tile, vertical and horizontal; the others are mirrored.
CHECKERBOARD = tuple(
    (TILE * y // 4, TILE * x // 4) for y, x in ((0, 1), (0, 2), (1, 0), (2, 0), (1, 1), (1, 3), (1, 2), (2, 1), (2, 2))
)
#: How far a frequency's neighbours are from it: beyond the window's own width, before the eighths where JPEG's blocks
#: have theirs.
APART = 2
#: Luma of RGB, as JPEG has it. Of colour nothing is asked: most files store it at half the resolution, and whoever
#: doubles it again leaves a checkerboard in photos too.
LUMA = (0.299, 0.587, 0.114)
#: Noise taken to be in every tile, half a level: no eye sees less, and where JPEG has left a sky dead even, what single
#: coefficients of it remain would otherwise stand out a thousandfold.
NOISE = 0.5**2


@dataclass
class Spectrum:
    """The mean spectrum of pictures, which are added as they come; it holds no picture.

    Generators double their resolution step by step, and what they do unevenly between the old pixels and the new ones
    comes back every second or fourth pixel: Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"; Durall et
    al. 2020 (arXiv:2003.01826); Frank et al. 2020 (arXiv:2003.08685). Averaged are the periodograms of small windowed
    tiles (Welch 1967, "The Use of Fast Fourier Transform for the Estimation of Power Spectra"), each by its own level.

    Attributes:
        sums: of the pictures of each group, (GROUPS, TILE, TILE/2 + 1).
        counts: how many those are.
    """

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((GROUPS, TILE, TILE // 2 + 1)))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(GROUPS, np.int64))

    def add(self, pixels: Pixels) -> None:
        """Takes in pictures, uint8 (N, H, W, 3); those with a side below 32 pixels leave nothing."""
        if min(pixels.shape[1:3]) < TILE:
            return
        for picture in pixels:
            group = self.counts.sum() % GROUPS
            self.sums[group] += _periodogram(torch.tensor(picture)).double().numpy()
            self.counts[group] += 1

    def passing(self, pictures: Iterable[Pixels]) -> Iterator[Pixels]:
        """The same pictures, uint8 (S, S, 3), added on their way to where else they are needed."""
        for picture in pictures:
            self.add(picture[None])
            yield picture

    def excess(self) -> Value | None:
        """How far the most conspicuous of the checkerboard's frequencies stands out of its neighbours, in dB; None without
        pictures.

        About 0 for photos and paintings. The error is the jackknife's over groups of pictures, None for one picture.
        """
        total, count = self.sums.sum(axis=0), int(self.counts.sum())
        if not count:
            return None
        excesses = _excesses(total / count)
        highest = int(excesses.argmax())
        taken = self.counts > 0
        left = [
            _excesses((total - group) / (count - size))[highest]
            for group, size in zip(self.sums[taken], self.counts[taken], strict=True)
            if size < count
        ]
        error = float(np.sqrt((len(left) - 1) * np.var(left))) if left else None
        return Value(value=float(excesses[highest]), error=error)


def _periodogram(picture: Tensor) -> Tensor:
    """Mean power of a picture's tiles, uint8 (H, W, 3) to (TILE, TILE/2 + 1), each as a multiple of its own level.

    By their own level, because eyes see a weave in skies and not in leaves: so a faint one in the few even tiles of a
    few pictures counts, which would drown in a mean of the power itself, and hardly move a mean of its logarithm.
    """
    luma = picture.float() @ torch.tensor(LUMA)
    tiles = luma.unfold(0, TILE, TILE // 2).unfold(1, TILE, TILE // 2)  # (rows, columns, TILE, TILE)
    tiles = (tiles - tiles.mean((-2, -1), keepdim=True)) * _window()
    power = torch.fft.rfft2(tiles).abs().square() + NOISE
    level = power[..., _between()].mean(-1)
    mean: Tensor = (power / level[..., None, None]).mean((0, 1))
    return mean


def _window() -> Tensor:
    """Hann's, so that a tile's borders leave nothing at other frequencies; white noise keeps its variance as power."""
    hann = torch.hann_window(TILE)
    window: Tensor = hann.outer(hann) / hann.square().sum()
    return window


def _between() -> Tensor:
    """The frequencies that a tile's level is read from: the high ones, (TILE, TILE/2 + 1), without the checkerboard's."""
    y, x = torch.arange(TILE)[:, None], torch.arange(TILE // 2 + 1)
    at_lattice = (_from_checkerboard(y) <= 1) & (_from_checkerboard(x) <= 1)
    return (torch.maximum(torch.minimum(y, TILE - y), x) >= 3 * TILE / 16) & ~at_lattice


def _from_checkerboard(frequency: Tensor) -> Tensor:
    """How far a frequency along one axis is from the nearest multiple of a quarter of the sampling rate."""
    return torch.minimum(frequency % (TILE // 4), -frequency % (TILE // 4))


def _excesses(half: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far a mean spectrum (TILE, TILE/2 + 1) stands out at the checkerboard's frequencies, in dB: peaks, then valleys.

    A peak's height is the lesser of two: above its neighbours left and right, and above those over and under it.
    Upright and level edges make ridges along the axes of any picture's spectrum, which stand out one way only. A valley
    is as deep as the whole line of a quarter of the sampling rate lies below its neighbours, on average: where
    resolution was doubled, the spectrum's mirror image begins there.
    """
    mirrored = np.roll(half[::-1], 1, axis=0)[:, TILE // 2 - 1 : 0 : -1]
    level = 10 * np.log10(np.concatenate([half, mirrored], axis=1))  # (TILE, TILE)
    over, aside = (level - (np.roll(level, APART, axis) + np.roll(level, -APART, axis)) / 2 for axis in (0, 1))
    elsewhere = _from_checkerboard(torch.arange(TILE)).numpy() > 1
    peaks = [min(over[place], aside[place]) for place in CHECKERBOARD]
    valleys = [-over[TILE // 4, elsewhere].mean(), -aside[elsewhere, TILE // 4].mean()]
    return np.array([*peaks, *valleys])
