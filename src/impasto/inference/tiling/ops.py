"""What the layers of networks do, with maps that are deferred."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.inference.tiling.lazy_maps import (
    Enlarged,
    Joined,
    LazyMaps,
    LazyNoise,
    Local,
    Normalised,
    Taken,
    everything,
    taken,
)
from impasto.networks.noise import fixed_noise


def _one(number: Any) -> int:
    """The one number that may have been given for both sides."""
    numbers = set(number) if isinstance(number, Sequence) else {number}
    if len(numbers) != 1:
        raise NotImplementedError("what differs between rows and columns is not known in windows")
    return int(numbers.pop())


def _conv2d(
    maps: LazyMaps,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> LazyMaps:
    step, before, holes, size = _one(stride), _one(padding), _one(dilation), _one(weight.shape[2:])
    size = holes * (size - 1) + 1
    height, width = ((side + 2 * before - size) // step + 1 for side in maps.shape[2:])

    def convolve(part: Tensor) -> Tensor:
        return F.conv2d(part.to(weight.dtype), weight, bias, step, 0, holes, groups)

    sides = (height, width)
    return Local(maps, len(weight), sides, weight.dtype, convolve, stride=step, before=before, size=size)


def _conv_transpose2d(
    maps: LazyMaps,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> LazyMaps:
    scale, cut, more, size = _one(stride), _one(padding), _one(output_padding), _one(weight.shape[2:])
    if _one(dilation) != 1 or more > cut:
        raise NotImplementedError("a transposed convolution with holes is not known in windows")
    height, width = ((side - 1) * scale - 2 * cut + size + more for side in maps.shape[2:])

    def enlarge(part: Tensor) -> Tensor:
        return F.conv_transpose2d(part.to(weight.dtype), weight, bias, scale, groups=groups)

    sides, channels = (height, width), weight.shape[1] * groups
    return Enlarged(maps, channels, sides, weight.dtype, enlarge, scale=scale, size=size, padding=cut, cut=cut)


def _interpolate(
    maps: LazyMaps,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    **how: Any,
) -> LazyMaps:
    _, channels, height, width = maps.shape
    if size is not None or _one(scale_factor) != 2 or align_corners or any(how.values()):
        raise NotImplementedError("only twice as large is known in windows")
    if mode == "nearest":
        return taken(maps, [row // 2 for row in range(2 * height)], [column // 2 for column in range(2 * width)])
    if mode != "bilinear":
        raise NotImplementedError(f"{mode} is not known in windows")

    def enlarge(part: Tensor) -> Tensor:
        return F.interpolate(part, scale_factor=2, mode="bilinear")

    sides = (2 * height, 2 * width)
    # It sees what [1, 3, 3, 1] / 4 would see.
    return Enlarged(maps, channels, sides, maps.dtype, enlarge, scale=2, size=4, padding=1, cut=0)


def _avg_pool2d(maps: LazyMaps, kernel_size: Any, stride: Any = None) -> LazyMaps:
    size = _one(kernel_size)
    step = size if stride is None else _one(stride)
    height, width = ((side - size) // step + 1 for side in maps.shape[2:])

    def pool(part: Tensor) -> Tensor:
        return F.avg_pool2d(part, size, step)

    return Local(maps, maps.shape[1], (height, width), maps.dtype, pool, stride=step, before=0, size=size)


def _pad(maps: LazyMaps, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> LazyMaps:
    if mode not in ("reflect", "replicate"):
        raise NotImplementedError(f"padding by {mode} is not known in windows")
    left, right, top, bottom = pad
    _, _, height, width = maps.shape
    return taken(maps, _beyond(height, top, bottom, mode), _beyond(width, left, right, mode))


def _beyond(side: int, before: int, after: int, mode: str) -> list[int]:
    """The places of a row that goes on beyond both its ends."""
    last = side - 1
    if mode == "replicate":
        return [min(max(place, 0), last) for place in range(-before, side + after)]
    return [last - abs(last - abs(place)) for place in range(-before, side + after)]


def _cat(maps: Sequence[LazyMaps], dim: int = 0) -> LazyMaps:
    if dim == 1:
        return Joined(maps)
    # Along rows or columns it only ever is padding: all are parts of one.
    parts = [each if isinstance(each, Taken) else taken(each, *everything(each)) for each in maps]
    if len({part.inputs[0] for part in parts}) != 1 or dim not in (2, 3):
        raise NotImplementedError("different maps are put together by their channels alone in windows")
    rows, columns = parts[0].rows, parts[0].columns
    if dim == 2:
        rows = [place for part in parts for place in part.rows]
    else:
        columns = [place for part in parts for place in part.columns]
    return Taken(parts[0].inputs[0], rows, columns)


OPERATIONS: dict[Any, Callable[..., LazyMaps]] = {
    F.conv2d: _conv2d,
    F.conv_transpose2d: _conv_transpose2d,
    F.interpolate: _interpolate,
    F.avg_pool2d: _avg_pool2d,
    F.pad: _pad,
    F.group_norm: Normalised,
    torch.cat: _cat,
    fixed_noise: LazyNoise,
}
POINTWISE = {
    *(F.relu, F.leaky_relu, F.silu, F.gelu, F.elu, F.batch_norm, F.dropout, torch.tanh, torch.atanh),
    *(Tensor.__add__, Tensor.__mul__, Tensor.add, Tensor.mul),
}
