"""Lazy feature maps for tiled inference: a graph of operations, evaluated window by window.

Each node knows which window of its inputs it needs for a window of its output, and how to compute that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.inference.tiling.map_store import MapStore
from impasto.inference.tiling.window import Window
from impasto.networks.noise import noise_at


class NotTiledError(NotImplementedError):
    """An operation, or these arguments of it, has no tiled implementation."""


class WindowSource(Protocol):
    """An image that can be read in windows."""

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...

    def read(self, window: Window) -> Tensor:
        """Return a window, (1, 3, h, w) float32 in −1…1."""


class LazyMap:
    """Feature maps (1, C, H, W) that are computed where and when they are needed."""

    def __init__(
        self,
        inputs: Sequence["LazyMap"],
        channels: int,
        sides: tuple[int, int],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.inputs = tuple(inputs)
        self.shape = torch.Size((1, channels, *sides))
        self.dtype, self.device = dtype, device
        self.stored: MapStore | None = None  #: holds all values, once they have been computed

    @property
    def channels(self) -> int:
        return self.shape[1]

    @property
    def sides(self) -> tuple[int, int]:
        return self.shape[2], self.shape[3]

    @property
    def full(self) -> Window:
        return Window(0, self.shape[2], 0, self.shape[3])

    def needs(self, window: Window) -> Window:
        """Return the window of each input that ``window`` of the output depends on."""
        return window

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        """Compute a window from the values of the inputs in window ``given``, which is ``needs(window)``."""
        raise NotImplementedError


class Input(LazyMap):
    """The network's input image."""

    def __init__(self, source: WindowSource, device: torch.device) -> None:
        super().__init__((), 3, (source.height, source.width), torch.float32, device)
        self._source = source

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        return self._source.read(window).contiguous(memory_format=torch.channels_last)


class Constant(LazyMap):
    """A tensor (1, C, H, W)."""

    def __init__(self, values: Tensor) -> None:
        super().__init__((), values.shape[1], (values.shape[2], values.shape[3]), values.dtype, values.device)
        self._values = values

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        return self._values[..., window.top : window.bottom, window.left : window.right]


class Stored(LazyMap):
    """Values (1, C, H, W) that were computed on the whole image."""

    def __init__(self, values: Tensor, store: MapStore) -> None:
        super().__init__((), values.shape[1], (values.shape[2], values.shape[3]), values.dtype, values.device)
        self.stored = store
        store.write(self.full, values)


class LazyNoise(LazyMap):
    """Noise that depends on the position alone, (1, 1, H, W) (:func:`impasto.networks.noise.fixed_noise`)."""

    def __init__(self, maps: LazyMap, level: int) -> None:
        super().__init__((), 1, maps.sides, torch.float32, maps.device)
        self._level = level

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        rows = torch.arange(window.top, window.bottom, device=self.device)
        columns = torch.arange(window.left, window.right, device=self.device)
        return noise_at(rows, columns, self._level)[None, None]


class Indexed(LazyMap):
    """Rows and columns of a map by index, in any order, repeated or not: padding, cropping, repeating."""

    def __init__(self, maps: LazyMap, rows: list[int], columns: list[int]) -> None:
        super().__init__((maps,), maps.channels, (len(rows), len(columns)), maps.dtype, maps.device)
        self.rows, self.columns = rows, columns

    def needs(self, window: Window) -> Window:
        rows, columns = self.rows[window.top : window.bottom], self.columns[window.left : window.right]
        return Window(min(rows), max(rows) + 1, min(columns), max(columns) + 1)

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        (maps,) = inputs
        maps = _select(maps, 2, self.rows[window.top : window.bottom], given.top)
        return _select(maps, 3, self.columns[window.left : window.right], given.left)


def _select(maps: Tensor, dim: int, indices: list[int], origin: int) -> Tensor:
    if indices == list(range(indices[0], indices[0] + len(indices))):
        return maps.narrow(dim, indices[0] - origin, len(indices))
    return maps.index_select(dim, torch.tensor(indices, device=maps.device) - origin)


class Pointwise(LazyMap):
    """A function of each position alone, of one or more maps of one size.

    Tensors among the arguments must not depend on the position.
    """

    def __init__(self, function: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self._function, self._args = function, args
        self._kwargs = {name: value for name, value in kwargs.items() if name != "inplace"}
        maps = [each for each in args if isinstance(each, LazyMap)]
        if len({each.sides for each in maps}) != 1 or any(isinstance(each, LazyMap) for each in kwargs.values()):
            raise NotTiledError("maps of different sizes")
        probe = self._call([torch.zeros(1, each.channels, 1, 1, dtype=each.dtype, device=each.device) for each in maps])
        if not isinstance(probe, Tensor) or probe.ndim != 4 or (probe.shape[0], *probe.shape[2:]) != (1, 1, 1):
            raise NotTiledError("a result of another shape")
        super().__init__(maps, probe.shape[1], maps[0].sides, probe.dtype, maps[0].device)

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        return self._call(inputs)

    def _call(self, inputs: Sequence[Tensor]) -> Tensor:
        values = iter(inputs)
        args = [next(values) if isinstance(each, LazyMap) else each for each in self._args]
        return self._function(*args, **self._kwargs)


class Concatenated(LazyMap):
    """Several maps of one size, concatenated along the channels."""

    def __init__(self, maps: Sequence[LazyMap]) -> None:
        if len({(each.sides, each.dtype) for each in maps}) != 1:
            raise NotTiledError("maps of different sizes or types")
        super().__init__(maps, sum(each.channels for each in maps), maps[0].sides, maps[0].dtype, maps[0].device)

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(inputs), dim=1)


Function = Callable[[Tensor], Tensor]


class Geometry(Protocol):
    """How positions of an output depend on positions of its input, along each axis."""

    def span(self, first: int, last: int, length: int) -> tuple[int, int]:
        """Return the input positions, of ``length``, that outputs ``first`` to ``last`` depend on."""

    def compute(self, function: Function, maps: Tensor, window: Window, given: Window) -> Tensor:
        """Compute a window of the output from the input in window ``given``."""


class Local(LazyMap):
    """A function of a neighbourhood, such as a convolution."""

    def __init__(
        self,
        maps: LazyMap,
        function: Function,
        geometry: Geometry,
        *,
        channels: int,
        sides: tuple[int, int],
        dtype: torch.dtype,
    ) -> None:
        super().__init__((maps,), channels, sides, dtype, maps.device)
        self._function, self._geometry = function, geometry

    def needs(self, window: Window) -> Window:
        height, width = self.inputs[0].sides
        rows = self._geometry.span(window.top, window.bottom, height)
        return Window(*rows, *self._geometry.span(window.left, window.right, width))

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        return self._geometry.compute(self._function, inputs[0], window, given)


@dataclass(frozen=True)
class Strided:
    """Output *p* depends on ``size`` inputs from ``stride`` · p − ``padding`` on; the input is zero-padded."""

    stride: int
    padding: int
    size: int

    def span(self, first: int, last: int, length: int) -> tuple[int, int]:
        begin, end = self._unbounded(first, last)
        return max(begin, 0), min(end, length)

    def compute(self, function: Function, maps: Tensor, window: Window, given: Window) -> Tensor:
        top, bottom = self._unbounded(window.top, window.bottom)
        left, right = self._unbounded(window.left, window.right)
        missing = (given.left - left, right - given.right, given.top - top, bottom - given.bottom)
        return function(F.pad(maps, missing) if any(missing) else maps)

    def _unbounded(self, first: int, last: int) -> tuple[int, int]:
        return first * self.stride - self.padding, (last - 1) * self.stride - self.padding + self.size


@dataclass(frozen=True)
class Upsampling:
    """Output *p* depends on those inputs *i* for which 0 ≤ p + ``padding`` − ``scale`` · i < ``size``. Position 0 of
    the output is position ``crop`` of the function's result."""

    scale: int
    size: int
    padding: int
    crop: int

    def span(self, first: int, last: int, length: int) -> tuple[int, int]:
        begin = (first + self.padding - self.size) // self.scale + 1
        return max(begin, 0), min((last - 1 + self.padding) // self.scale + 1, length)

    def compute(self, function: Function, maps: Tensor, window: Window, given: Window) -> Tensor:
        top = window.top + self.crop - self.scale * given.top
        left = window.left + self.crop - self.scale * given.left
        return function(maps)[..., top : top + window.bottom - window.top, left : left + window.right - window.left]


class GroupNorm(LazyMap):
    """Group normalisation (Wu and He 2018, arXiv:1803.08494) over the whole map, once that has been measured.

    Instance normalisation has one group per channel.
    """

    def __init__(
        self,
        maps: LazyMap,
        num_groups: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__((maps,), maps.channels, maps.sides, maps.dtype, maps.device)
        self._groups, self._weight, self._bias, self._eps = num_groups, weight, bias, eps
        self._count = 0
        self._mean, self._squares = torch.zeros(2, maps.channels, dtype=torch.float64)  # per channel
        self._scale = self._shift = torch.empty(0)
        self.measured = False

    def measure(self, maps: Tensor) -> None:
        """Add a part of the input, (1, C, h, w), to the statistics (Chan et al. 1979, pairwise algorithm)."""
        variance, mean = torch.var_mean(maps.float(), (0, 2, 3), correction=0)
        count, mean, variance = maps[0, 0].numel(), mean.cpu().double(), variance.cpu().double()
        change, total = mean - self._mean, self._count + count
        self._squares += count * variance + change.square() * (self._count * count / total)
        self._mean += change * count / total
        self._count = total

    def finish(self) -> None:
        """Turn the statistics into a scale and a shift per channel."""
        shape = (self._groups, -1)
        mean = self._mean.view(shape).mean(1, keepdim=True)
        squares = (self._squares / self._count + self._mean.square()).view(shape).mean(1, keepdim=True)
        scale = ((squares - mean.square()).clamp(min=0) + self._eps).rsqrt().expand(self._mean.view(shape).shape)
        scale, shift = scale.flatten(), (-mean * scale).flatten()
        if self._weight is not None and self._bias is not None:
            weight = self._weight.cpu().double()
            scale, shift = scale * weight, shift * weight + self._bias.cpu().double()
        self._scale, self._shift = (each.float().to(self.device)[:, None, None] for each in (scale, shift))
        self.measured = True

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        (maps,) = inputs
        return torch.addcmul(self._shift, maps.float(), self._scale).to(maps.dtype)


def indices(maps: LazyMap) -> tuple[list[int], list[int]]:
    """Return all row and column indices of a map."""
    height, width = maps.sides
    return list(range(height)), list(range(width))


def take(maps: LazyMap, rows: list[int], columns: list[int]) -> Indexed:
    """Index rows and columns; an :class:`Indexed` map is indexed at its source."""
    if isinstance(maps, Indexed):
        return Indexed(maps.inputs[0], [maps.rows[row] for row in rows], [maps.columns[place] for place in columns])
    return Indexed(maps, rows, columns)
