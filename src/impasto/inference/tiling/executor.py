"""Tiled inference: run a network window by window, with the same result as at once, on images of any size.

The network's own ``forward`` is called with a :class:`impasto.inference.tiling.lazy_tensor.LazyTensor`, which records a
graph of operations. For each window of the output, the windows needed of all maps are derived backwards and computed
forwards. So no network declares its receptive field, and no margin is computed beyond it.

Instance and group normalisation depend on the whole image. Their input is computed first, in windows of its own,
measured and stored: each layer is computed once, and between two of them are one or two convolutions whose windows
hardly overlap.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

import torch
from torch import Tensor

import impasto.inference.tiling.ops  # noqa: F401  (registers the tiled implementations)
from impasto.device import out_of_memory
from impasto.inference.photo import TooLargeError
from impasto.inference.share_done import ShareDone, unreported
from impasto.inference.tiling.lazy_maps import GroupNorm, Input, LazyMap, Stored, WindowSource
from impasto.inference.tiling.lazy_tensor import LazyTensor
from impasto.inference.tiling.map_store import open_store
from impasto.inference.tiling.window import Window, partition

#: Sides of windows, the largest first.
SIDES = (4096, 3072, 2048, 1536, 1152, 896, 704, 512, 384, 256, 128, 64, 32)

_log = logging.getLogger(__name__)


class TiledNetwork:
    """A network (1, 3, H, W) → (1, 3, H, W) that runs in tiles. To be called in inference mode."""

    def __init__(self, network: Callable[[Any], Any], device: torch.device) -> None:
        self._network, self._device = network, device
        self._warned = False

    def run(
        self, source: WindowSource, memory: int, progress: ShareDone = unreported
    ) -> Iterator[tuple[Window, Tensor]]:
        """Yield the windows of the output and their values, (1, 3, h, w), with at most ``memory`` bytes of feature maps
        alive at a time. ``progress`` is called after each window, also of maps that are only measured.

        Operations without a tiled implementation are computed on the whole image, beyond ``memory``.
        Raises TooLargeError if memory is insufficient for that, ImpastoError if the disk is full.
        """
        with ExitStack() as stores:
            execution = Execution(memory, stores, self._warn, progress)
            image = Input(source, self._device)
            output = self._network(LazyTensor(image, execution))
            if isinstance(output, LazyTensor):
                yield from execution.tiles(output.maps)
            else:
                yield image.full, output

    def _warn(self, operation: str) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "The style's network uses the operation '%s', which has no tiled implementation: it is computed on "
                "the whole image (slower, more memory).",
                operation,
            )


class Execution:
    """Computes the lazy maps of one image."""

    def __init__(self, memory: int, stores: ExitStack, warn: Callable[[str], None], progress: ShareDone) -> None:
        self._memory, self._stores, self._warn, self._progress = memory, stores, warn, progress
        self._ahead: set[LazyMap] = set()  # maps of the whole graph that have not been computed
        self._bytes, self._done = 0, 0.0  # of all of them, and the share of these that has been computed

    def tiles(self, output: LazyMap) -> Iterator[tuple[Window, Tensor]]:
        """Yield the windows of a map and their values."""
        self._ahead = {maps for maps in _ancestors(output) if maps.inputs and maps.stored is None}
        self._bytes = sum(_bytes(maps, maps.full) for maps in self._ahead)
        self._measure_norms(output, final=True)
        yield from self._tiles(output)

    def evaluate(self, maps: LazyMap) -> Tensor:
        """Return all values of a map, which are stored for later use."""
        if not maps.inputs and maps.stored is None:
            return maps.compute(maps.full, maps.full, ())
        if maps.stored is None:
            self._measure_norms(maps, final=False)
            store = self._open(maps.shape, maps.dtype, maps.device)
            for window, values in self._tiles(maps):
                store.write(window, values)
            maps.stored = store
        return maps.stored.read(maps.full)

    def store(self, values: Tensor) -> LazyMap:
        return Stored(values, self._open(values.shape, values.dtype, values.device))

    def apply(self, function: Callable[[], Any], name: str) -> Any:
        self._warn(name)
        try:
            return function()
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise TooLargeError(
                f"The network's operation '{name}' needs the whole image in memory, which is too small: scale it down."
            ) from error

    def _open(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Any:
        return self._stores.enter_context(closing(open_store(shape, dtype, device, self._memory)))

    def _tiles(self, target: LazyMap) -> Iterator[tuple[Window, Tensor]]:
        order = _ancestors(target)
        for window in self._sweep(order, target):
            yield window, _compute(order, {target: window})[target]

    def _sweep(self, order: Iterable[LazyMap], target: LazyMap) -> Iterator[Window]:
        """Yield the windows in which to compute ``target``, and report the progress after each."""
        share = sum(_bytes(maps, maps.full) for maps in self._ahead.intersection(order)) / max(self._bytes, 1)
        self._ahead.difference_update(order)
        for window in _windows(order, target, self._memory):
            yield window
            self._done += share * window.area / target.full.area
            self._progress(min(self._done, 1.0))

    def _measure_norms(self, output: LazyMap, *, final: bool) -> None:
        for norm in [maps for maps in _ancestors(output) if isinstance(maps, GroupNorm) and not maps.measured]:
            self._measure(norm, output, final)

    def _measure(self, norm: GroupNorm, output: LazyMap, final: bool) -> None:
        """Compute, store and measure the input of ``norm``, and store what is computed on the way and needed again.

        Once the whole graph is known (``final``), stores that nothing needs any more are closed.
        """
        (subject,) = norm.inputs
        order = _ancestors(subject)
        later = {each for maps in _ancestors(output) if maps not in order for each in maps.inputs}
        computed = [
            maps for maps in order if maps.inputs and maps.stored is None and (maps in later or maps is subject)
        ]
        stores = {maps: self._open(maps.shape, maps.dtype, maps.device) for maps in computed}
        if subject.stored is not None or not subject.inputs:
            stores[subject] = None  # measured only
            computed.append(subject)
        for window in self._sweep(order, subject):
            wanted = {maps: _share(window, subject, maps) for maps in computed}
            for maps, values in _compute(order, wanted).items():
                if stores[maps] is not None:
                    stores[maps].write(wanted[maps], values)
                if maps is subject:
                    norm.measure(values)
        norm.finish()
        before = [maps for maps in order if maps.stored is not None]
        for maps in computed:
            maps.stored = stores[maps] or maps.stored
        needed = _ancestors(output)
        for maps in before:
            if final and maps not in needed and maps.stored is not None:
                maps.stored.close()


def _share(window: Window, subject: LazyMap, maps: LazyMap) -> Window:
    """Return the part of ``maps`` that corresponds to a window of ``subject``: parts of a partition are disjoint."""
    (rows, columns), (height, width) = subject.sides, maps.sides
    return Window(
        window.top * height // rows,
        window.bottom * height // rows,
        window.left * width // columns,
        window.right * width // columns,
    )


def _ancestors(*ends: LazyMap) -> dict[LazyMap, None]:
    """Return the maps that are computed or read for ``ends``, in topological order."""
    found: dict[LazyMap, None] = {}
    pending = [(maps, False) for maps in ends]
    while pending:
        maps, ready = pending.pop()
        if maps in found:
            continue
        if ready or maps.stored is not None:
            found[maps] = None
        else:
            pending.append((maps, True))
            pending.extend((each, False) for each in reversed(maps.inputs))
    return found


def _demands(order: Iterable[LazyMap], wanted: Mapping[LazyMap, Window]) -> dict[LazyMap, Window]:
    """Return the window of each map that has to be computed."""
    demands = dict(wanted)
    for maps in reversed(list(order)):
        if maps in demands and maps.stored is None:
            needed = maps.needs(demands[maps])
            for each in maps.inputs:
                demands[each] = needed.union(demands[each]) if each in demands else needed
    return demands


def _compute(order: Iterable[LazyMap], wanted: Mapping[LazyMap, Window]) -> dict[LazyMap, Tensor]:
    """Compute windows of maps; values are freed as soon as nothing needs them."""
    demands = _demands(order, wanted)
    uses = Counter(each for maps in order if maps in demands and maps.stored is None for each in maps.inputs)
    values: dict[LazyMap, Tensor] = {}
    for maps in order:
        if maps not in demands:
            continue
        window = demands[maps]
        if maps.stored is not None:
            values[maps] = maps.stored.read(window)
            continue
        given = maps.needs(window)
        inputs = [values[each][(..., *given.within(demands[each]))] for each in maps.inputs]
        values[maps] = maps.compute(window, given, inputs)
        del inputs
        for each in maps.inputs:
            uses[each] -= 1
            if not uses[each] and each not in wanted:
                values.pop(each, None)
    return {maps: values[maps][(..., *window.within(demands[maps]))] for maps, window in wanted.items()}


def _peak(order: Iterable[LazyMap], wanted: Mapping[LazyMap, Window]) -> int:
    """Return the peak of the bytes of maps alive in :func:`_compute`."""
    demands = _demands(order, wanted)
    uses = Counter(each for maps in order if maps in demands and maps.stored is None for each in maps.inputs)
    alive = peak = 0
    for maps in order:
        if maps not in demands:
            continue
        inputs = maps.inputs if maps.stored is None else ()
        alive += _bytes(maps, demands[maps])
        # A convolution may copy its input, and a normalisation computes in float32.
        peak = max(peak, alive + 2 * sum(_bytes(each, demands[each]) for each in inputs))
        for each in inputs:
            uses[each] -= 1
            alive -= 0 if uses[each] else _bytes(each, demands[each])
    return peak


def _bytes(maps: LazyMap, window: Window) -> int:
    return maps.channels * window.area * maps.dtype.itemsize


def _windows(order: Iterable[LazyMap], target: LazyMap, memory: int) -> Iterator[Window]:
    """Return the largest windows of ``target`` that can be computed with that much memory."""
    height, width = target.sides
    for side in SIDES:
        top, left = max(height - side, 0) // 2, max(width - side, 0) // 2
        window = Window(top, min(top + side, height), left, min(left + side, width))
        if _peak(order, {target: window}) <= memory:
            break
    return partition(height, width, side)
