"""Pixels of video frames: upright, in the colours of BT.709."""

from functools import cache
from typing import cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from impasto.config.types import Floats, Pixels

#: Values of FFmpeg for a frame without matrix coefficients: unspecified, and reserved.
UNSPECIFIED = (2, 3)
#: Matrix coefficients that cannot be converted (Rec. ITU-T H.273, table 4).
MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "SMPTE ST 2085",
    12: "chromaticity-derived",
    13: "chromaticity-derived constant luminance",
    14: "ICtCp",
    15: "IPT-PQ-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
#: Chromaticities x, y of red, green, blue and white (H.273, table 2). Those of untagged videos are taken for BT.709.
BT709 = 1
C, D65 = (0.310, 0.316), (0.3127, 0.3290)
PRIMARIES = {
    BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    4: ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), C),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
#: Display gamma of most videos (BT.1886), and of those with another transfer characteristic.
GAMMA, GAMMAS = 2.4, {4: 2.2, 5: 2.8, 13: 2.2}
#: Cone responses of XYZ, in which white points are adapted (Bradford).
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def to_rgb(frame: av.VideoFrame, width: int, height: int) -> Pixels:
    """Return a frame as uint8 (H, W, 3), upright, scaled to ``width`` × ``height`` first, as some videos change their
    size, with its primaries converted to those of BT.709. Without matrix coefficients, BT.709 is assumed from 720 lines
    on, as players do, else BT.601.

    Raises ValueError for matrix coefficients that FFmpeg does not convert.
    """
    unknown = frame.colorspace in UNSPECIFIED
    assumed = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    try:
        rgb = frame.reformat(width, height, format="rgb24", src_colorspace=assumed if unknown else None)
    except av.FFmpegError as error:
        matrix = MATRICES.get(frame.colorspace, str(frame.colorspace))
        raise ValueError(f"its colour matrix, {matrix}, cannot be converted from {frame.format.name}") from error
    return _upright(to_bt709(cast(Pixels, rgb.to_ndarray()), frame.color_primaries, frame.color_trc), frame)


def to_bt709(rgb: Pixels, primaries: int, transfer: int) -> Pixels:
    """Convert uint8 (H, W, 3) from primaries to those of BT.709, both by their numbers in H.273. Colours that BT.709
    lacks are clipped."""
    if primaries not in PRIMARIES or primaries == BT709:
        return rgb
    gamma = GAMMAS.get(transfer, GAMMA)
    light = cv2.LUT(rgb, (np.arange(256, dtype=np.float32) / 255) ** np.float32(gamma))
    light = cv2.transform(light, _conversion(primaries)).clip(0, 1)
    return cast(Pixels, cv2.convertScaleAbs(cv2.pow(light, 1 / gamma), alpha=255))


@cache
def _conversion(primaries: int) -> Floats:
    """Return the matrix (3, 3) from linear RGB of those primaries to that of BT.709, white to white."""
    return cast(Floats, (np.linalg.inv(_to_cones(BT709)) @ _to_cones(primaries)).astype(np.float32))


def _to_cones(primaries: int) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from linear RGB to cone responses, those of white being 1."""
    *colours, white = (BRADFORD @ (x / y, 1, (1 - x - y) / y) for x, y in PRIMARIES[primaries])
    cones = np.stack(colours, axis=1)
    return cones * np.linalg.solve(cones, white) / white[:, None]


def is_sideways(frame: av.VideoFrame) -> bool:
    """Return whether a frame is shown with rows and columns exchanged: rotated by 90° or 270°, or mirrored so."""
    (a, b), (c, d) = _orientation(frame)
    return abs(b) + abs(c) > abs(a) + abs(d)


def _upright(rgb: Pixels, frame: av.VideoFrame) -> Pixels:
    """Apply the display matrix: rotations by multiples of 90°, mirrored or not."""
    (a, b), (c, d) = _orientation(frame)
    if abs(b) + abs(c) > abs(a) + abs(d):
        rgb, a, d = rgb.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _orientation(frame: av.VideoFrame) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the linear part a, b; c, d of the display matrix: x' = ax + cy, y' = bx + dy."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return (1, 0), (0, 1)
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    return (a, b), (c, d)
