"""The tensor that a network's ``forward`` is traced with: every operation on it adds a node to a graph of lazy maps.

Operations without a tiled implementation are computed once, on the whole image: slower and with more memory, but with
the same result. Where such a result is an image (1, C, H, W) again, later operations on it are tiled.

Limit: an in-place operation changes the tensor itself, but not earlier views of it.
"""

from collections.abc import Callable, Iterator
from functools import partial, wraps
from inspect import signature
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from impasto.inference.tiling.lazy_maps import LazyMap, NotTiledError

Handler = Callable[..., Any]
Registered = TypeVar("Registered", bound=Handler)

#: Tiled implementations by torch function; they take and return :class:`LazyMap`. Filled by :func:`implements`.
HANDLERS: dict[Any, Handler] = {}

#: Attributes and methods that the tensor answers without its values.
_ATTRIBUTES = ("shape", "dtype", "device", "ndim", "layout", "requires_grad", "is_cuda", "is_cpu", "is_mps", "is_meta")
_METHODS = ("size", "dim", "ndimension", "numel", "nelement", "element_size", "is_floating_point", "is_complex")
_METADATA = {
    *(getattr(Tensor, name).__get__ for name in _ATTRIBUTES),
    *(getattr(Tensor, name) for name in (*_METHODS, "get_device", "stride", "is_contiguous", "__len__")),
    *(torch.is_floating_point, torch.is_complex, torch.numel),
}


class Evaluator(Protocol):
    """Computes lazy maps as a whole."""

    def evaluate(self, maps: LazyMap) -> Tensor:
        """Return all values, (1, C, H, W)."""

    def store(self, values: Tensor) -> LazyMap:
        """Return a lazy map of these values, (1, C, H, W)."""

    def apply(self, function: Callable[[], Any], name: str) -> Any:
        """Call a function that computes the operation ``name`` on whole maps."""


def implements(*functions: Any) -> Callable[[Registered], Registered]:
    """Register the tiled implementation of torch functions.

    It is called with :class:`LazyMap` in place of :class:`LazyTensor`, and raises :class:`NotTiledError` for arguments
    that it does not support.
    """

    def register(handler: Registered) -> Registered:
        known = signature(handler)

        @wraps(handler)
        def bound(*args: Any, **kwargs: Any) -> Any:
            try:
                known.bind(*args, **kwargs)
            except TypeError as error:
                raise NotTiledError(str(error)) from error
            return handler(*args, **kwargs)

        HANDLERS.update(dict.fromkeys(functions, bound))
        return handler

    return register


class LazyTensor(Tensor):
    """A tensor without data, of the shape, dtype and device of a lazy map."""

    maps: LazyMap
    evaluator: Evaluator

    @staticmethod
    def __new__(cls, maps: LazyMap, evaluator: Evaluator) -> "LazyTensor":
        tensor: LazyTensor = Tensor._make_wrapper_subclass(cls, maps.shape, dtype=maps.dtype, device=maps.device)
        tensor.maps, tensor.evaluator = maps, evaluator
        return tensor

    def __init__(self, maps: LazyMap, evaluator: Evaluator) -> None:
        super().__init__()

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"LazyTensor({tuple(self.maps.shape)}, {type(self.maps).__name__})"

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in _METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return function(*args, **kwargs)
        evaluator = next(_tensors((args, kwargs))).evaluator
        in_place = _is_in_place(function, kwargs)
        if (handler := HANDLERS.get(function)) is not None and (not in_place or isinstance(args[0], LazyTensor)):
            try:
                result = handler(*_replace(args, _maps), **_replace(kwargs, _maps))
            except NotTiledError:
                pass
            else:
                if in_place and result.dtype == args[0].maps.dtype:
                    args[0].maps = result
                    return args[0]
                if not in_place:
                    return _replace(result, lambda each: LazyTensor(each, evaluator), LazyMap)
        return _on_whole_maps(function, args, kwargs, evaluator)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Operators that were called past ``__torch_function__``."""
        kwargs = kwargs or {}
        return _on_whole_maps(function, args, kwargs, next(_tensors((args, kwargs))).evaluator)


def _on_whole_maps(function: Any, args: Any, kwargs: dict[str, Any], evaluator: Evaluator) -> Any:
    """Call a function with whole maps. Results that are images become lazy maps again; others, such as pooled or
    flattened features, stay tensors."""
    name = str(getattr(function, "__name__", function))
    lazy = {id(each): each for each in _tensors((args, kwargs))}
    values = {key: evaluator.apply(partial(evaluator.evaluate, each.maps), name) for key, each in lazy.items()}
    given, named = (_replace(each, lambda tensor: values[id(tensor)]) for each in (args, kwargs))
    result = evaluator.apply(lambda: function(*given, **named), name)
    keys = {id(value): key for key, value in values.items()}
    if _is_in_place(function, kwargs) and isinstance(changed := args[0], LazyTensor):
        changed.maps = evaluator.store(values[id(changed)])

    def wrap(value: Tensor) -> Tensor:
        if id(value) in keys:
            return lazy[keys[id(value)]]
        if value.ndim == 4 and len(value) == 1 and value[0, 0].numel() > 1 and value.is_floating_point():
            return LazyTensor(evaluator.store(value), evaluator)
        return value

    return _replace(result, wrap, Tensor)


def _is_in_place(function: Any, kwargs: dict[str, Any]) -> bool:
    name = str(getattr(function, "__name__", "")).partition(".")[0]
    if name.startswith("__"):
        return name == "__setitem__" or (name.startswith("__i") and name not in ("__invert__", "__index__", "__int__"))
    return name.endswith("_") or bool(kwargs.get("inplace"))


def _maps(tensor: LazyTensor) -> LazyMap:
    return tensor.maps


def _replace(value: Any, function: Callable[[Any], Any], kind: type = LazyTensor) -> Any:
    """Replace all objects of a kind in nested tuples, lists and dicts."""
    if isinstance(value, kind):
        return function(value)
    if isinstance(value, dict):
        return {key: _replace(each, function, kind) for key, each in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        found = [_replace(each, function, kind) for each in value]
        return type(value)(*found) if hasattr(value, "_fields") else type(value)(found)  # a named tuple
    return value


def _tensors(value: Any) -> Iterator[LazyTensor]:
    if isinstance(value, LazyTensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)
