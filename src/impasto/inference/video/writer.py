"""Pictures one after the other as a film: the only place that knows how one is encoded."""

from collections.abc import Iterable
from itertools import count, islice
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from impasto.errors import ImpastoError
from impasto.files import atomic_write

#: Encoders whose films all browsers play, the best first: some builds of PyAV come without the GPL's libx264. The bit
#: rate has a bound so that the film of any size of picture fits into a page.
ENCODERS = {
    "libx264": {"crf": "19", "preset": "veryfast", "maxrate": "2500k", "bufsize": "5000k"},
    "libopenh264": {"b": "2500k"},
    "libvpx-vp9": {"crf": "30", "b": "2500k", "cpu-used": "4"},
}
#: Endings of films; the second is an endless animation that can stand where a picture can.
FILMS = (".mp4", ".webp")


def write_film(path: Path, frames: Iterable[tuple[NDArray[np.uint8], int]], rate: int) -> None:
    """Writes pictures, each uint8 (H, W, 3) and for how many frames it is shown, as a film of ``rate`` frames a second.

    H.264 in MP4, ready to stream, if ``path`` ends in .mp4 (an odd side loses a line); else an animated WebP that
    never ends.

    Raises:
        ImpastoError: PyAV has no encoder for a film that browsers play, or the disk is full.
    """
    with atomic_write(path) as part:
        if path.suffix.lower() == ".webp":
            _write_webp(part, frames, rate)
        else:
            _write_mp4(part, frames, rate)


def _write_mp4(path: Path, frames: Iterable[tuple[NDArray[np.uint8], int]], rate: int) -> None:
    encoder = choose_encoder()
    with av.open(path, "w", "mp4", options={"movflags": "+faststart"}) as film:
        stream = cast(VideoStream, film.add_stream(encoder, rate, options=ENCODERS[encoder]))
        stream.pix_fmt = "yuv420p"
        tag(stream.codec_context)
        moments = count()
        for pixels, times in frames:
            yuv = to_yuv(pixels)
            if not stream.codec_context.is_open:
                stream.width, stream.height = yuv.width, yuv.height
            for moment in islice(moments, times):
                yuv.pts = moment
                film.mux(stream.encode(yuv))
        film.mux(stream.encode(None))


def _write_webp(path: Path, frames: Iterable[tuple[NDArray[np.uint8], int]], rate: int) -> None:
    shown = [(Image.fromarray(pixels), round(1000 * times / rate)) for pixels, times in frames]
    (first, _), *others = shown
    more = [picture for picture, _ in others]
    times = [time for _, time in shown]
    first.save(path, "WEBP", save_all=True, append_images=more, duration=times, loop=0, quality=80)


def to_yuv(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    """A frame of a film of pixels (H, W, 3): an odd side loses a line."""
    height, width = (side - side % 2 for side in pixels.shape[:2])
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), "rgb24")
    return rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)


def tag(encoder: VideoCodecContext) -> None:
    """Says of which colours the frames are: an untagged film is shown with those of one matrix or another, as the
    player pleases."""
    encoder.colorspace, encoder.color_range = Colorspace.ITU709, ColorRange.MPEG
    encoder.color_primaries, encoder.color_trc = ColorPrimaries.BT709, ColorTrc.BT709


def choose_encoder() -> str:
    """The best of :data:`ENCODERS` that is there. Raises ImpastoError if there is none."""
    for name in ENCODERS:
        if name in av.codecs_available:
            return name
    raise ImpastoError(f"This PyAV makes no film for browsers ({', '.join(ENCODERS)}): install av from PyPI.")
