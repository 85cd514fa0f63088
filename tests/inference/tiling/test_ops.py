"""Tiled operations have the shape and dtype of torch's, and refuse arguments that they do not support."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.inference.tiling import ops
from impasto.inference.tiling.lazy_maps import Constant, LazyMap, NotTiledError
from impasto.inference.tiling.lazy_tensor import HANDLERS

MAPS = torch.randn(1, 4, 12, 10, generator=torch.Generator().manual_seed(0))
KERNEL = torch.ones(6, 4, 3, 3)

CALLS: dict[str, Callable[[Any], Any]] = {
    "conv2d": lambda x: (F.conv2d, (x, KERNEL), {"stride": 2, "padding": 1}),
    "dilated conv2d": lambda x: (F.conv2d, (x, KERNEL), {"dilation": (2, 2)}),
    "conv_transpose2d": lambda x: (F.conv_transpose2d, (x, torch.ones(4, 5, 4, 4)), {"stride": 2, "padding": 1}),
    "interpolate": lambda x: (F.interpolate, (x,), {"scale_factor": 2, "mode": "bilinear"}),
    "avg_pool2d": lambda x: (F.avg_pool2d, (x, 2), {}),
    "reflection padding": lambda x: (F.pad, (x, (1, 2, 3, 4)), {"mode": "reflect"}),
    "group_norm": lambda x: (F.group_norm, (x, 2), {}),
    "cat": lambda x: (torch.cat, ([x, x], 1), {}),
    "slicing": lambda x: (Tensor.__getitem__, (x, (..., slice(1, 9), slice(None, None, 2))), {}),
    "channel slicing": lambda x: (Tensor.__getitem__, (x, (slice(None), slice(1, 3))), {}),
    "narrow": lambda x: (Tensor.narrow, (x, 2, 3, 4), {}),
    "to": lambda x: (Tensor.to, (x, torch.bfloat16), {}),
    "comparison": lambda x: (Tensor.__gt__, (x, 0), {}),
    "per-channel constant": lambda x: (Tensor.__mul__, (x, torch.ones(4, 1, 1)), {}),
    "per-position constant": lambda x: (torch.add, (x, torch.ones(10)), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_shape_and_dtype_equal_those_of_torch(name: str) -> None:
    function, args, kwargs = CALLS[name](MAPS)
    expected = function(*args, **kwargs)
    function, args, kwargs = CALLS[name](Constant(MAPS))
    found: LazyMap = HANDLERS[function](*args, **kwargs)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)


UNSUPPORTED: dict[str, Callable[[Any], Any]] = {
    "anisotropic stride": lambda x: (F.conv2d, (x, KERNEL), {"stride": (1, 2)}),
    "padding by name": lambda x: (F.conv2d, (x, KERNEL), {"padding": "same"}),
    "lazy weights": lambda x: (F.conv2d, (x, x), {}),
    "interpolation to a size": lambda x: (F.interpolate, (x,), {"size": (7, 7)}),
    "constant padding": lambda x: (F.pad, (x, (1, 1, 1, 1)), {}),
    "pooling with padding": lambda x: (F.avg_pool2d, (x, 3, 1, 1), {}),
    "integer index": lambda x: (Tensor.__getitem__, (x, 0), {}),
    "new axis": lambda x: (Tensor.__getitem__, (x, None), {}),
    "training batch norm": lambda x: (F.batch_norm, (x, torch.zeros(4), torch.ones(4)), {"training": True}),
    "dropout in training": lambda x: (F.dropout, (x,), {"training": True}),
    "unknown argument": lambda x: (F.avg_pool2d, (x, 2), {"unknown": 1}),
    "a batch of constants": lambda x: (torch.add, (x, torch.ones(2, 4, 12, 10)), {}),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_arguments_are_refused(name: str) -> None:
    function, args, kwargs = UNSUPPORTED[name](Constant(MAPS))
    with pytest.raises(NotTiledError):
        HANDLERS[function](*args, **kwargs)


@pytest.mark.parametrize("name", ops.ELEMENTWISE)
def test_every_elementwise_name_exists_in_torch(name: str) -> None:
    assert any(hasattr(namespace, name) for namespace in ops.NAMESPACES)
