"""Tiled implementations of torch operations."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.inference.tiling.lazy_maps import (
    Concatenated,
    Constant,
    GroupNorm,
    Indexed,
    LazyMap,
    LazyNoise,
    Local,
    NotTiledError,
    Pointwise,
    Strided,
    Upsampling,
    indices,
    take,
)
from impasto.inference.tiling.lazy_tensor import HANDLERS, Handler, implements
from impasto.networks.noise import fixed_noise


def _one(value: Any) -> int:
    """Return the value that rows and columns share."""
    if isinstance(value, str):
        raise NotTiledError(f"padding={value!r}")
    values = set(value) if isinstance(value, Sequence) else {value}
    if len(values) != 1:
        raise NotTiledError("different values for rows and columns")
    return int(values.pop())


@implements(F.conv2d)
def _conv2d(
    maps: LazyMap,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> LazyMap:
    _require(maps, weight)
    step, before, holes, size = _one(stride), _one(padding), _one(dilation), _one(weight.shape[2:])
    size = holes * (size - 1) + 1

    def convolve(part: Tensor) -> Tensor:
        return F.conv2d(part.to(weight.dtype), weight, bias, step, 0, holes, groups)

    sides, geometry = _strided(maps, step, before, size), Strided(step, before, size)
    return Local(maps, convolve, geometry, channels=len(weight), sides=sides, dtype=weight.dtype)


@implements(F.conv_transpose2d)
def _conv_transpose2d(
    maps: LazyMap,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> LazyMap:
    _require(maps, weight)
    scale, crop, more, size = _one(stride), _one(padding), _one(output_padding), _one(weight.shape[2:])
    if _one(dilation) != 1 or more > crop:
        raise NotTiledError("a dilated transposed convolution")
    height, width = ((side - 1) * scale - 2 * crop + size + more for side in maps.sides)

    def enlarge(part: Tensor) -> Tensor:
        return F.conv_transpose2d(part.to(weight.dtype), weight, bias, scale, groups=groups)

    geometry, channels = Upsampling(scale, size, crop, crop), weight.shape[1] * groups
    return Local(maps, enlarge, geometry, channels=channels, sides=(height, width), dtype=weight.dtype)


@implements(F.interpolate)
def _interpolate(
    maps: LazyMap,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
    antialias: bool = False,
) -> LazyMap:
    if size is not None or align_corners or recompute_scale_factor or antialias:
        raise NotTiledError("interpolation to a size")
    factors = scale_factor if isinstance(scale_factor, Sequence) else [scale_factor]
    if any(each != 2 for each in factors) or mode not in ("nearest", "bilinear"):
        raise NotTiledError("interpolation other than ×2 nearest or bilinear")
    height, width = maps.sides
    if mode == "nearest":
        return take(maps, [row // 2 for row in range(2 * height)], [column // 2 for column in range(2 * width)])

    def enlarge(part: Tensor) -> Tensor:
        return F.interpolate(part, scale_factor=2, mode="bilinear")

    # The support of the filter [1, 3, 3, 1] / 4.
    geometry, sides = Upsampling(2, 4, 1, 0), (2 * height, 2 * width)
    return Local(maps, enlarge, geometry, channels=maps.channels, sides=sides, dtype=maps.dtype)


@implements(F.avg_pool2d)
def _avg_pool2d(
    maps: LazyMap,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> LazyMap:
    if _one(padding) or ceil_mode or divisor_override is not None:
        raise NotTiledError("average pooling with padding")
    size = _one(kernel_size)
    step = _one(stride) if stride else size

    def pool(part: Tensor) -> Tensor:
        return F.avg_pool2d(part, size, step)

    sides = _strided(maps, step, 0, size)
    return Local(maps, pool, Strided(step, 0, size), channels=maps.channels, sides=sides, dtype=maps.dtype)


def _require(maps: Any, *parameters: Any) -> None:
    """Refuse lazy maps as weights, and tensors as input."""
    if not isinstance(maps, LazyMap) or any(isinstance(each, LazyMap) for each in parameters):
        raise NotTiledError("weights that depend on the input")


def _strided(maps: LazyMap, stride: int, padding: int, size: int) -> tuple[int, int]:
    height, width = ((side + 2 * padding - size) // stride + 1 for side in maps.sides)
    return height, width


@implements(F.group_norm)
def _group_norm(
    maps: LazyMap,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> LazyMap:
    _require(maps, weight, bias)
    return GroupNorm(maps, num_groups, weight, bias, eps)


@implements(F.instance_norm)
def _instance_norm(
    maps: LazyMap,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> LazyMap:
    if not use_input_stats or running_mean is not None:
        raise NotTiledError("instance normalisation with running statistics")
    return _group_norm(maps, maps.channels, weight, bias, eps)


@implements(F.batch_norm)
def _batch_norm(
    maps: LazyMap,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> LazyMap:
    _require(maps, running_mean, running_var, weight, bias)
    if training and running_mean is None:
        return _group_norm(maps, maps.channels, weight, bias, eps)  # of a batch of one
    if training:
        raise NotTiledError("an update of running statistics")
    return Pointwise(F.batch_norm, (maps, running_mean, running_var, weight, bias), {"eps": eps})


@implements(F.dropout, F.dropout2d)
def _dropout(maps: LazyMap, p: float = 0.5, training: bool = True, inplace: bool = False) -> LazyMap:
    if training:
        raise NotTiledError("dropout in training mode")
    return maps


@implements(F.prelu)
def _prelu(maps: LazyMap, weight: Tensor) -> LazyMap:
    _require(maps, weight)
    return Pointwise(F.prelu, (maps, weight), {})


@implements(F.pad)
def _pad(maps: LazyMap, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> LazyMap:
    if mode not in ("reflect", "replicate") or len(pad) != 4:
        raise NotTiledError(f"padding by {mode}")
    left, right, top, bottom = pad
    height, width = maps.sides
    return take(maps, _padded(height, top, bottom, mode), _padded(width, left, right, mode))


def _padded(side: int, before: int, after: int, mode: str) -> list[int]:
    """Return the indices of a padded row."""
    last = side - 1
    if mode == "replicate":
        return [min(max(place, 0), last) for place in range(-before, side + after)]
    return [last - abs(last - abs(place)) for place in range(-before, side + after)]


@implements(torch.cat, torch.concat)
def _cat(tensors: Sequence[Any], dim: int = 0) -> LazyMap:
    maps = [each if isinstance(each, LazyMap) else _constant(each) for each in tensors]
    if dim % 4 == 1:
        return Concatenated(maps)
    # Along rows or columns it is padding: all are parts of one map.
    parts = [each if isinstance(each, Indexed) else take(each, *indices(each)) for each in maps]
    if len({part.inputs[0] for part in parts}) != 1 or dim % 4 == 0:
        raise NotTiledError("different maps along rows or columns")
    rows, columns = parts[0].rows, parts[0].columns
    if dim % 4 == 2:
        if any(part.columns != columns for part in parts):
            raise NotTiledError("different columns")
        return Indexed(parts[0].inputs[0], [place for part in parts for place in part.rows], columns)
    if any(part.rows != rows for part in parts):
        raise NotTiledError("different rows")
    return Indexed(parts[0].inputs[0], rows, [place for part in parts for place in part.columns])


def _constant(values: Tensor) -> LazyMap:
    if values.ndim != 4 or len(values) != 1:
        raise NotTiledError("a tensor of another shape")
    return Constant(values)


@implements(Tensor.__getitem__)
def _getitem(maps: LazyMap, where: Any) -> LazyMap:
    index: tuple[Any, ...] = where if isinstance(where, tuple) else (where,)
    if any(not isinstance(each, slice) and each is not Ellipsis for each in index) or index.count(Ellipsis) > 1:
        raise NotTiledError("indices other than slices")
    if Ellipsis in index:
        place = index.index(Ellipsis)
        index = (*index[:place], *[slice(None)] * (5 - len(index)), *index[place + 1 :])
    missing: list[Any] = [slice(None)] * (4 - len(index))
    batch, channels, rows, columns = [*index, *missing]
    if range(1)[batch] != range(1) or len(range(maps.channels)[channels]) == 0:
        raise NotTiledError("an empty result")
    every_row, every_column = indices(maps)
    if not every_row[rows] or not every_column[columns]:
        raise NotTiledError("an empty result")
    if channels != slice(None):
        maps = Pointwise(lambda part: part[:, channels], (maps,), {})
    if (rows, columns) == (slice(None), slice(None)):
        return maps
    return take(maps, every_row[rows], every_column[columns])


@implements(Tensor.narrow, torch.narrow)
def _narrow(maps: LazyMap, dim: int, start: Any, length: int) -> LazyMap:
    if isinstance(start, Tensor):
        raise NotTiledError("a tensor as start")
    index: list[Any] = [slice(None)] * 4
    first = start % maps.shape[dim]
    index[dim] = slice(first, first + length)
    return _getitem(maps, tuple(index))


@implements(Tensor.chunk, torch.chunk)
def _chunk(maps: LazyMap, chunks: int, dim: int = 0) -> tuple[LazyMap, ...]:
    size = -(-maps.shape[dim] // chunks)
    starts = range(0, maps.shape[dim], size)
    return tuple(_narrow(maps, dim, start, min(size, maps.shape[dim] - start)) for start in starts)


@implements(Tensor.expand)
def _expand(maps: LazyMap, *sizes: Any) -> LazyMap:
    wanted = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], Sequence) else sizes
    if len(wanted) != 4 or wanted[0] not in (-1, 1) or wanted[1] not in (-1, maps.channels):
        raise NotTiledError("expansion of other dimensions")
    places = list(indices(maps))
    for axis, (length, size) in enumerate(zip(maps.sides, wanted[2:], strict=True)):
        if size not in (-1, length):
            if length != 1:
                raise NotTiledError("expansion of more than one row or column")
            places[axis] = places[axis] * size
    return take(maps, *places)


@implements(fixed_noise)
def _fixed_noise(maps: LazyMap, level: int) -> LazyMap:
    return LazyNoise(maps, level)


@implements(Tensor.contiguous, Tensor.clone, torch.clone, Tensor.detach, torch.detach)
def _identity(maps: LazyMap, *, memory_format: Any = None) -> LazyMap:
    return maps


@implements(Tensor.to)
def _to(maps: LazyMap, *args: Any, **kwargs: Any) -> LazyMap:
    if any(isinstance(each, Tensor | LazyMap) for each in args):
        args = (args[0].dtype, *args[1:])
    device, dtype, _, _ = torch._C._nn._parse_to(
        *args, **{name: value for name, value in kwargs.items() if name != "copy"}
    )
    if device is not None and torch.device(device) != maps.device:
        raise NotTiledError("another device")
    return maps if dtype in (None, maps.dtype) else Pointwise(Tensor.to, (maps, dtype), {})


def _cast(dtype: torch.dtype) -> Handler:
    def cast(maps: LazyMap, memory_format: Any = None) -> LazyMap:
        return _to(maps, dtype)

    return cast


for _name, _dtype in (("float", torch.float32), ("half", torch.half), ("bfloat16", torch.bfloat16)):
    implements(getattr(Tensor, _name))(_cast(_dtype))

#: Functions of each position alone, in whichever of these namespaces they are.
NAMESPACES = (torch, Tensor, F)
ELEMENTWISE = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardtanh"),
    *("hardsigmoid", "hardswish", "softsign", "logsigmoid", "tanh", "atanh", "sigmoid", "sin", "cos", "exp", "log"),
    *("sqrt", "rsqrt", "square", "abs", "neg", "sign", "reciprocal", "clamp", "clip", "clamp_min", "clamp_max"),
    *("add", "sub", "mul", "div", "true_divide", "pow", "maximum", "minimum", "lerp", "addcmul", "where"),
    *("gt", "lt", "ge", "le", "eq", "ne", "logical_and", "logical_or", "logical_not"),
)
OPERATORS = ("add", "sub", "mul", "truediv", "pow")
COMPARISONS = ("gt", "lt", "ge", "le", "eq", "ne", "neg", "abs")


def _pointwise(function: Callable[..., Tensor]) -> Handler:
    """Return the handler of an elementwise function with broadcasting."""

    def handler(*args: Any, **kwargs: Any) -> LazyMap:
        sides = next((each.sides for each in args if isinstance(each, LazyMap)), None)
        if sides is None:
            raise NotTiledError("maps as keyword arguments")
        return Pointwise(function, [_broadcast(each, sides) for each in args], kwargs)

    return handler


def _broadcast(value: Any, sides: tuple[int, int]) -> Any:
    """Return a tensor that depends on the position as a lazy map; anything else unchanged."""
    if not isinstance(value, Tensor) or all(side == 1 for side in value.shape[-2:]):
        return value
    if value.ndim > 4 or any(side not in (1, own) for side, own in zip(value.shape[::-1], sides[::-1], strict=False)):
        raise NotTiledError("a tensor of another shape")
    spatial = value[(None,) * (4 - value.ndim)]
    return _constant(spatial.expand(-1, -1, *sides))


for _name in ELEMENTWISE:
    for _space in (each for each in NAMESPACES if hasattr(each, _name)):
        HANDLERS[getattr(_space, _name)] = _pointwise(getattr(_space, _name))
        if hasattr(_space, f"{_name}_"):
            HANDLERS[getattr(_space, f"{_name}_")] = _pointwise(getattr(_space, _name))
for _name in OPERATORS:
    for _prefix in ("__", "__r"):
        if hasattr(Tensor, f"{_prefix}{_name}__"):
            HANDLERS[getattr(Tensor, f"{_prefix}{_name}__")] = _pointwise(getattr(Tensor, f"{_prefix}{_name}__"))
    HANDLERS[getattr(Tensor, f"__i{_name}__")] = _pointwise(getattr(Tensor, f"__{_name}__"))
for _name in COMPARISONS:
    HANDLERS[getattr(Tensor, f"__{_name}__")] = _pointwise(getattr(Tensor, f"__{_name}__"))
