"""Open and create media files: the only place that hands a path to FFmpeg."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.container.core import Flags
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from impasto.errors import ImpastoError
from impasto.files import FULL

#: Video streams that are no film: cover art, thumbnails of chapters, stills.
NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
#: Codecs of images: beside a film of another codec, a stream of these is its cover.
STILLS = ("mjpeg", "png", "bmp", "gif", "tiff", "webp")


def open_input(path: Path) -> InputContainer:
    """Open a media file. Raises av.FFmpegError."""
    source = av.open(
        _url(path),
        # By its name, `a%03d.gif` would be a series of images.
        format="gif" if path.suffix.lower() == ".gif" else None,
        # A playlist that calls itself a film opens nothing on the network.
        container_options={"protocol_whitelist": "file"},
        metadata_errors="replace",
    )
    source.flags &= ~cast(int, Flags.gen_pts.value)  # the guess is wrong for B-frames in AVI
    return source


def create_mp4(target: Path | BytesIO) -> OutputContainer:
    """Create an MP4 that is ready to stream. Raises av.FFmpegError."""
    if isinstance(target, BytesIO):
        return av.open(target, "w", "mp4", metadata_errors="replace")
    return av.open(_url(target), "w", "mp4", options={"movflags": "+faststart"}, metadata_errors="replace")


def _url(path: Path) -> str:
    """Return the path with FFmpeg's protocol for files, so that `12:30.mp4` is not one of the protocol `12`."""
    return f"file:{path}"


def packets(source: InputContainer, *streams: Stream) -> Iterator[Any]:
    """Yield the packets of streams, or of all, up to where the file can be read. Empty ones, which repeat the last
    frame, are left out: a decoder would take them for the end."""
    return (packet for packet in all_packets(source, *streams) if packet.size)


def all_packets(source: InputContainer, *streams: Stream) -> Iterator[Any]:
    """Yield the packets of streams, or of all, with those that are empty, up to where the file can be read."""
    try:
        yield from source.demux(*streams)
    except (av.FFmpegError, IndexError):  # PyAV 18 raises the second at the end if a stream appeared after the opening
        return


def film_stream(source: InputContainer) -> VideoStream | None:
    """Return the video stream that is the film: no cover, decodable, no image, shown by default, the largest."""
    streams = [stream for stream in source.streams.video if not stream.disposition & NO_FILM]
    return max(streams, key=_film_rank, default=None)


def _film_rank(stream: Any) -> tuple[bool, bool, bool, int]:
    context = stream.codec_context
    if context is None:
        return False, False, False, 0
    moves = stream.frames != 1 and context.name not in STILLS
    return True, moves, bool(stream.disposition & Disposition.default), context.width * context.height


@contextmanager
def media_errors(path: Path, doing: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of FFmpeg, except those of a full disk, and those of other ``kinds`` into an ImpastoError: ``path``
    cannot be ``doing``."""
    caught: tuple[type[Exception], ...] = (av.FFmpegError, *kinds)
    try:
        yield
    except caught as error:
        if getattr(error, "errno", None) in FULL:
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise ImpastoError(
            f"{path} cannot be {doing} ({reason}): convert it first, for example to H.264 in BT.709."
        ) from error
