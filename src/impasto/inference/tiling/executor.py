"""A network at work in one window after another, exactly as at once, however large the picture.

The network's own ``forward`` is called with :class:`impasto.inference.tiling.lazy_maps.LazyMaps` in the place of tensors. They compute
nothing, and note what is to be done. For a window of the result, it is then worked out backwards what is needed of each
map, and that is computed forwards. So no network has to say how far it sees, and none is computed further than it does.

Instance and group normalisation look at the whole picture. What they normalise is computed first, in windows of its
own, measured, and kept: so each layer is computed once, and between two of them there are one or two convolutions whose
windows hardly overlap.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

import torch
from torch import Tensor

from impasto.inference.tiling.lazy_maps import LazyMaps, LazyPicture, Normalised, WindowSource
from impasto.inference.tiling.map_store import open_store
from impasto.inference.tiling.window import Window, partition

#: Sides of windows, the largest first.
SIDES = (4096, 3072, 2048, 1536, 1152, 896, 704, 512, 384, 256, 128, 64, 32)


def paint(
    network: Callable[[Any], Any], source: WindowSource, memory: int, device: torch.device
) -> Iterator[tuple[Window, Tensor]]:
    """The windows that the painting of ``source`` consists of, and what ``network`` paints there, (1, 3, h, w).

    ``memory`` is how many bytes of maps may be alive at a time. To be called in inference mode.

    Raises:
        NotImplementedError: the network does something that is not known here.
        ImpastoError: the disk is full.
    """
    output: LazyMaps = network(LazyPicture(source, device))
    with ExitStack() as files:
        for norm in [maps for maps in _ancestors([output]) if isinstance(maps, Normalised)]:
            _measure(norm, output, memory, files)
        order = _ancestors([output])
        for window in _windows(order, output, memory):
            yield window, _compute(order, {output: window})[output]


def _measure(norm: Normalised, output: LazyMaps, memory: int, files: ExitStack) -> None:
    """Computes and keeps what ``norm`` is to normalise, and what is needed for that and again later on."""
    (subject,) = norm.inputs
    order = _ancestors([subject])
    later = {each for maps in _ancestors([output]) if maps not in order for each in maps.inputs}
    kept = [maps for maps in order if maps.inputs and maps.stored is None and (maps in later or maps is subject)]
    stores = {
        maps: files.enter_context(closing(open_store(maps.shape, maps.dtype, maps.device, memory))) for maps in kept
    }
    for window in _windows(order, subject, memory):
        wanted = {maps: _share(window, subject, maps) for maps in kept}
        for maps, values in _compute(order, wanted).items():
            stores[maps].write(wanted[maps], values)
            if maps is subject:
                norm.measure(values)
    norm.settle()
    before = [maps for maps in order if maps.stored is not None]
    for maps in kept:
        maps.stored = stores[maps]
    needed = set(_ancestors([output]))
    for maps in before:
        if maps not in needed and maps.stored is not None:
            maps.stored.close()


def _share(window: Window, subject: LazyMaps, maps: LazyMaps) -> Window:
    """The part of ``maps`` that falls to a window of ``subject``: all of them together are all of it."""
    (rows, columns), (height, width) = subject.shape[2:], maps.shape[2:]
    return Window(
        window.top * height // rows,
        window.bottom * height // rows,
        window.left * width // columns,
        window.right * width // columns,
    )


def _ancestors(ends: Sequence[LazyMaps]) -> list[LazyMaps]:
    """The maps that have to be computed or read for ``ends``, each behind those that it needs."""
    found: dict[LazyMaps, None] = {}
    waiting = [(maps, False) for maps in ends]
    while waiting:
        maps, ready = waiting.pop()
        if maps in found:
            continue
        if ready or maps.stored is not None:
            found[maps] = None
        else:
            waiting.append((maps, True))
            waiting.extend((each, False) for each in reversed(maps.inputs))
    return list(found)


def _demands(order: Sequence[LazyMaps], wanted: Mapping[LazyMaps, Window]) -> dict[LazyMaps, Window]:
    """What of each map is to be computed."""
    demands = dict(wanted)
    for maps in reversed(order):
        if maps in demands and maps.stored is None:
            needed = maps.needs(demands[maps])
            for each in maps.inputs:
                demands[each] = needed.around(demands[each]) if each in demands else needed
    return demands


def _compute(order: Sequence[LazyMaps], wanted: Mapping[LazyMaps, Window]) -> dict[LazyMaps, Tensor]:
    """The wanted windows. What is not needed any more is let go at once."""
    demands = _demands(order, wanted)
    uses = Counter(each for maps in order if maps in demands and maps.stored is None for each in maps.inputs)
    values: dict[LazyMaps, Tensor] = {}
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


def _needed(order: Sequence[LazyMaps], wanted: Mapping[LazyMaps, Window]) -> int:
    """Bytes of maps that are alive at the worst moment of :func:`_compute`."""
    demands = _demands(order, wanted)
    uses = Counter(each for maps in order if maps in demands and maps.stored is None for each in maps.inputs)
    alive = peak = 0
    for maps in order:
        if maps not in demands:
            continue
        inputs = maps.inputs if maps.stored is None else ()
        alive += _bytes(maps, demands[maps])
        # A convolution may copy what it is given, and a normalisation computes in float32.
        peak = max(peak, alive + 2 * sum(_bytes(each, demands[each]) for each in inputs))
        for each in inputs:
            uses[each] -= 1
            alive -= 0 if uses[each] else _bytes(each, demands[each])
    return peak


def _bytes(maps: LazyMaps, window: Window) -> int:
    return maps.shape[1] * window.places * maps.dtype.itemsize


def _windows(order: Sequence[LazyMaps], target: LazyMaps, memory: int) -> Iterator[Window]:
    """The largest windows of ``target`` that are computed in that much memory."""
    _, _, height, width = target.shape
    for side in SIDES:
        top, left = max(height - side, 0) // 2, max(width - side, 0) // 2
        window = Window(top, min(top + side, height), left, min(left + side, width))
        if _needed(order, {target: window}) <= memory:
            break
    return partition(height, width, side)
