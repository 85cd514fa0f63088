"""Deinterlace: frames of two fields, taken one after the other, show combs wherever something moves."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.filter import Graph

#: Smallest width and height that the filter accepts.
MIN_WIDTH, MIN_HEIGHT = 3, 4


def deinterlace(frames: Iterable[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """Yield all frames with their timestamps, those that are flagged as interlaced through FFmpeg's ``bwdif``."""
    graph: Graph | None = None
    kind: tuple[int, int, str] | None = None
    times = deque[tuple[int | None, int]]()
    for frame in frames:
        this = (frame.width, frame.height, frame.format.name)
        if graph is not None and this != kind:
            yield from _finished(graph, None, times)
            graph = None
        if graph is None and frame.interlaced_frame and frame.width >= MIN_WIDTH and frame.height >= MIN_HEIGHT:
            graph, kind = _bwdif(frame, time_base), this
        if graph is None:
            yield frame
        else:
            times.append((frame.pts, frame.duration))
            yield from _finished(graph, frame, times)
    if graph is not None:
        yield from _finished(graph, None, times)


def _bwdif(frame: av.VideoFrame, time_base: Fraction) -> Graph:
    graph = Graph()
    source = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base=str(time_base),
        colorspace=str(int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )
    graph.link_nodes(source, graph.add("bwdif", mode="send_frame", deint="interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _finished(
    graph: Graph, frame: av.VideoFrame | None, times: deque[tuple[int | None, int]]
) -> Iterator[av.VideoFrame]:
    """Push a frame, or the end (None), and yield the frames that are finished: each needs the one after it."""
    graph.push(frame)
    while True:
        try:
            finished = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        finished.pts, finished.duration = times.popleft()  # the filter counts in another time base
        yield finished
