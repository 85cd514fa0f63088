"""LazyMaps that are not computed until it is known where they are needed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.inference.tiling.map_store import MapStore
from impasto.inference.tiling.window import Window
from impasto.networks.noise import noise_at


class WindowSource(Protocol):
    """A picture that can be had in windows."""

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...

    def read(self, window: Window) -> Tensor:
        """That part of it, (1, 3, h, w), float32 in −1…1."""


class LazyMaps:
    """LazyMaps (1, C, H, W) that are computed only where and when they are needed.

    A subclass says of which others, of what part of them, and how.
    """

    def __init__(
        self, inputs: Sequence["LazyMaps"], channels: int, height: int, width: int, dtype: torch.dtype
    ) -> None:
        self.inputs = tuple(inputs)
        self.shape = torch.Size((1, channels, height, width))
        self.dtype = dtype
        self.stored: MapStore | None = None

    @property
    def device(self) -> torch.device:
        return self.inputs[0].device

    @property
    def ndim(self) -> int:
        return 4

    def dim(self) -> int:
        return 4

    @property
    def whole(self) -> Window:
        return Window(0, self.shape[2], 0, self.shape[3])

    def needs(self, window: Window) -> Window:
        """What of each input is needed for that window; the same, if not said otherwise."""
        return window

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        """The maps in that window, from what was needed of the inputs, ``given`` being where that lies."""
        raise NotImplementedError

    # What networks do with tensors.

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> "LazyMaps":
        kwargs = dict(kwargs or {})
        from impasto.inference.tiling.ops import OPERATIONS, POINTWISE  # which are made of these maps

        if function in OPERATIONS:
            return OPERATIONS[function](*args, **kwargs)
        if function in POINTWISE:
            return Pointwise(function, args, kwargs)
        raise NotImplementedError(f"{getattr(function, '__name__', function)} is not known in windows")

    def __add__(self, other: Any) -> "LazyMaps":
        return Pointwise(torch.add, (self, other), {})

    def __mul__(self, other: Any) -> "LazyMaps":
        return Pointwise(torch.mul, (self, other), {})

    __radd__, __rmul__ = __add__, __mul__

    def clamp(self, low: float, high: float) -> "LazyMaps":
        return Pointwise(torch.clamp, (self, low, high), {})

    def float(self) -> "LazyMaps":
        return self.to(torch.float32)

    def to(self, dtype: torch.dtype) -> "LazyMaps":
        return self if dtype == self.dtype else Pointwise(Tensor.to, (self, dtype), {}, dtype)

    def contiguous(self, memory_format: torch.memory_format) -> Self:
        return self

    def __getitem__(self, places: tuple[Any, slice, slice]) -> "LazyMaps":
        (_, here, there), (rows, columns) = places, everything(self)
        return taken(self, rows[here], columns[there])

    def narrow(self, dim: int, start: int, length: int) -> "LazyMaps":
        places = list(everything(self))
        first = start % self.shape[dim]
        places[dim - 2] = places[dim - 2][first : first + length]
        return taken(self, *places)

    def expand(self, sizes: Sequence[int]) -> "LazyMaps":
        rows, columns = everything(self)
        down, right = (1 if times == -1 else times for times in sizes[2:])
        return taken(self, rows * down, columns * right)


class LazyPicture(LazyMaps):
    """The photo."""

    def __init__(self, source: WindowSource, device: torch.device) -> None:
        super().__init__((), 3, source.height, source.width, torch.float32)
        self._source, self._device = source, device

    @property
    def device(self) -> torch.device:
        return self._device

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        return self._source.read(window).contiguous(memory_format=torch.channels_last)


class LazyNoise(LazyMaps):
    """The painter's noise at these places."""

    def __init__(self, maps: LazyMaps, level: int) -> None:
        super().__init__((), 1, maps.shape[2], maps.shape[3], torch.float32)
        self._device, self._level = maps.device, level

    @property
    def device(self) -> torch.device:
        return self._device

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        rows = torch.arange(window.top, window.bottom, device=self._device)
        columns = torch.arange(window.left, window.right, device=self._device)
        return noise_at(rows, columns, self._level)[None, None]


class Taken(LazyMaps):
    """Rows and columns of others, in any order and as often as wanted: padding, cutting, repeating."""

    def __init__(self, maps: LazyMaps, rows: list[int], columns: list[int]) -> None:
        super().__init__((maps,), maps.shape[1], len(rows), len(columns), maps.dtype)
        self.rows, self.columns = rows, columns

    def needs(self, window: Window) -> Window:
        rows, columns = self.rows[window.top : window.bottom], self.columns[window.left : window.right]
        return Window(min(rows), max(rows) + 1, min(columns), max(columns) + 1)

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        (maps,) = inputs
        maps = _take(maps, 2, self.rows[window.top : window.bottom], given.top)
        return _take(maps, 3, self.columns[window.left : window.right], given.left)


def _take(maps: Tensor, dim: int, indices: list[int], origin: int) -> Tensor:
    if indices == list(range(indices[0], indices[0] + len(indices))):
        return maps.narrow(dim, indices[0] - origin, len(indices))
    return maps.index_select(dim, torch.tensor(indices, device=maps.device) - origin)


class Pointwise(LazyMaps):
    """A function of each place alone, of one or more maps."""

    def __init__(
        self, function: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any], dtype: Any = None
    ) -> None:
        maps = [each for each in args if isinstance(each, LazyMaps)]
        _, _, height, width = maps[0].shape
        if any(each.shape[2:] != maps[0].shape[2:] for each in maps):
            raise NotImplementedError("maps of several sizes do not meet in windows")
        channels = max(each.shape[-3] for each in args if isinstance(each, LazyMaps | Tensor) and each.ndim > 2)
        super().__init__(maps, channels, height, width, dtype or maps[0].dtype)
        self._function, self._args = function, args
        self._kwargs = {name: value for name, value in kwargs.items() if name != "inplace"}

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        coming = iter(inputs)
        args = [next(coming) if isinstance(each, LazyMaps) else each for each in self._args]
        return self._function(*args, **self._kwargs)


class Joined(LazyMaps):
    """Several maps, their channels one after the other."""

    def __init__(self, maps: Sequence[LazyMaps]) -> None:
        _, _, height, width = maps[0].shape
        super().__init__(maps, sum(each.shape[1] for each in maps), height, width, maps[0].dtype)

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(inputs), dim=1)


class Local(LazyMaps):
    """A function of a neighbourhood: place *p* of the result sees those from ``scale`` · p − ``before`` on, ``size`` of
    them, of maps that go on with zeros beyond their border."""

    def __init__(
        self,
        maps: LazyMaps,
        channels: int,
        sides: tuple[int, int],
        dtype: torch.dtype,
        function: Callable[[Tensor], Tensor],
        *,
        stride: int,
        before: int,
        size: int,
    ) -> None:
        super().__init__((maps,), channels, *sides, dtype)
        self._function, self._stride, self._before, self._size = function, stride, before, size

    def needs(self, window: Window) -> Window:
        _, _, height, width = self.inputs[0].shape
        top, bottom = self._span(window.top, window.bottom)
        left, right = self._span(window.left, window.right)
        return Window(max(top, 0), min(bottom, height), max(left, 0), min(right, width))

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        (maps,) = inputs
        top, bottom = self._span(window.top, window.bottom)
        left, right = self._span(window.left, window.right)
        beyond = (given.left - left, right - given.right, given.top - top, bottom - given.bottom)
        if any(beyond):
            maps = F.pad(maps, beyond)
        return self._function(maps)

    def _span(self, first: int, last: int) -> tuple[int, int]:
        begin = self._stride * first - self._before
        return begin, self._stride * (last - 1) - self._before + self._size


class Enlarged(LazyMaps):
    """A transposed convolution, or what sees the same places as one: place *p* of the result sees those *i* for which
    0 ≤ p + ``padding`` − ``scale`` · i < ``size``.

    ``function`` enlarges a part; place 0 of the result lies at its place ``cut``.
    """

    def __init__(
        self,
        maps: LazyMaps,
        channels: int,
        sides: tuple[int, int],
        dtype: torch.dtype,
        function: Callable[[Tensor], Tensor],
        *,
        scale: int,
        size: int,
        padding: int,
        cut: int,
    ) -> None:
        super().__init__((maps,), channels, *sides, dtype)
        self._function, self._scale, self._size, self._padding, self._cut = function, scale, size, padding, cut

    def needs(self, window: Window) -> Window:
        _, _, height, width = self.inputs[0].shape
        return Window(*self._span(window.top, window.bottom, height), *self._span(window.left, window.right, width))

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        grown = self._function(inputs[0])
        top = window.top + self._cut - self._scale * given.top
        left = window.left + self._cut - self._scale * given.left
        return grown[..., top : top + window.bottom - window.top, left : left + window.right - window.left]

    def _span(self, first: int, last: int, side: int) -> tuple[int, int]:
        begin = (first + self._padding - self._size) // self._scale + 1
        return max(begin, 0), min((last - 1 + self._padding) // self._scale + 1, side)


class Normalised(LazyMaps):
    """Group normalisation, once its statistics are known."""

    def __init__(
        self,
        maps: LazyMaps,
        num_groups: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> None:
        _, channels, height, width = maps.shape
        super().__init__((maps,), channels, height, width, maps.dtype)
        self._groups, self._weight, self._bias, self._eps = num_groups, weight, bias, eps
        self._count = 0
        self._mean, self._squares = torch.zeros(2, maps.shape[1], dtype=torch.float64)  # of each channel
        self._scale = self._shift = torch.empty(0)

    def measure(self, maps: Tensor) -> None:
        """Takes maps (1, C, h, w), a part of what is normalised, into account (Chan et al. 1979, pairwise)."""
        variance, mean = torch.var_mean(maps.float(), (0, 2, 3), correction=0)
        count, mean, variance = maps[0, 0].numel(), mean.cpu().double(), variance.cpu().double()
        change, both = mean - self._mean, self._count + count
        self._squares += count * variance + change.square() * (self._count * count / both)
        self._mean += change * count / both
        self._count = both

    def settle(self) -> None:
        """Makes a scale and a shift of each channel of what was measured."""
        shape = (self._groups, -1)
        mean = self._mean.view(shape).mean(1, keepdim=True)
        squares = (self._squares / self._count + self._mean.square()).view(shape).mean(1, keepdim=True)
        scale = ((squares - mean.square()).clamp(min=0) + self._eps).rsqrt().expand(self._mean.view(shape).shape)
        scale, shift = scale.flatten(), (-mean * scale).flatten()
        if self._weight is not None and self._bias is not None:
            weight = self._weight.cpu().double()
            scale, shift = scale * weight, shift * weight + self._bias.cpu().double()
        self._scale, self._shift = (each.float().to(self.device)[:, None, None] for each in (scale, shift))

    def compute(self, window: Window, given: Window, inputs: Sequence[Tensor]) -> Tensor:
        (maps,) = inputs
        return torch.addcmul(self._shift, maps.float(), self._scale).to(maps.dtype)


def everything(maps: LazyMaps) -> tuple[list[int], list[int]]:
    return list(range(maps.shape[2])), list(range(maps.shape[3]))


def taken(maps: LazyMaps, rows: list[int], columns: list[int]) -> Taken:
    """Rows and columns of maps; of what is taken itself, those of its source."""
    if isinstance(maps, Taken):
        return Taken(maps.inputs[0], [maps.rows[row] for row in rows], [maps.columns[place] for place in columns])
    return Taken(maps, rows, columns)
