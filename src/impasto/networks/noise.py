"""Noise for the feature maps of translators: random in training, a fixed function of the position at inference."""

import math

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto import parallel


def noise_like(maps: Tensor, level: int, training: bool) -> Tensor:
    """Return normal noise of the dtype of maps (B, C, H, W).

    In training, new noise (B, 1, H, W) from torch's global random state; otherwise :func:`fixed_noise`, (1, 1, H, W).
    """
    if not training:
        return fixed_noise(maps, level).to(maps.dtype)
    count, _, height, width = maps.shape
    noise = torch.randn(parallel.whole(count), 1, height, width, device=maps.device)
    return parallel.part(noise).to(maps.dtype)


def fixed_noise(maps: Tensor, level: int) -> Tensor:
    """Return normal noise (1, 1, H, W) for maps (B, C, H, W), the same at the same position of all maps."""
    if has_torch_function_unary(maps):  # lazy maps of tiled inference
        noise: Tensor = handle_torch_function(fixed_noise, (maps,), maps, level)
        return noise
    rows, columns = (torch.arange(side, device=maps.device) for side in maps.shape[2:])
    return noise_at(rows, columns, level)[None, None]


def noise_at(rows: Tensor, columns: Tensor, level: int) -> Tensor:
    """Return normal noise (H, W) at integer rows (H,) and columns (W,), a function of the position and ``level`` alone.

    The bits of position and level are mixed by the finaliser of MurmurHash3 (Appleby, public domain), then mapped to a
    normal distribution by the Box-Muller transform. All of it is in 32-bit integers, without shifts, so that runtimes
    of exported networks (OpenVINO) compute the same.
    """
    bits = rows.int()[:, None] * _signed(0x9E3779B1) + columns.int() * _signed(0x85EBCA77)
    bits = bits + _signed((level + 1) * 0xC2B2AE3D)
    for places, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        bits = (bits ^ _shifted(bits, places)) * _signed(factor)
    u1, u2 = (_shifted(bits, 16) + 0.5) / 65536, (bits & 0xFFFF) / 65536
    noise: Tensor = (-2 * u1.log()).sqrt() * (2 * math.pi * u2).cos()
    return noise


def _signed(bits: int) -> int:
    """Return the 32-bit integer, in two's complement, of the lower 32 bits."""
    return (bits + 2**31) % 2**32 - 2**31


def _shifted(bits: Tensor, places: int) -> Tensor:
    """Return int32 ``bits`` shifted right, filled with zeros. Exact for at least 8 places: the upper bits fit the
    mantissa of a float32."""
    upper = (bits & -(2**places)).float() * 2.0**-places
    shifted: Tensor = upper.int() & (0xFFFFFFFF >> places)
    return shifted
