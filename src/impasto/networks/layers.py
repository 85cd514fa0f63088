"""Building blocks of the networks: norms, activations, down- and upsampling by name, padding and initialisation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import register_parametrization

T = TypeVar("T")

Norm = Literal["none", "batch", "instance", "instance-affine", "group"]
Activation = Literal["relu", "leaky", "silu", "gelu", "elu", "tanh"]
Down = Literal["stride", "blur", "mirrored-blur"]
Padding = Literal["reflect", "replicate", "zero"]
Up = Literal["transpose", "nearest", "bilinear", "blur"]


def _choose(kind: str, choices: Mapping[str, T], name: str) -> T:
    if name not in choices:
        raise ValueError(f"unknown {kind} {name!r}: choose one of {', '.join(choices)}")
    return choices[name]


def _groups(channels: int) -> int:
    """Return the largest number of groups up to the 32 of Wu & He that leaves at least four channels per group; with
    fewer it would be close to instance normalisation."""
    return max((n for n in range(2, 33) if channels % n == 0 and channels >= 4 * n), default=1)


class InstanceNorm(nn.GroupNorm):
    """Instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022) of maps (B, C, H, W), as a group norm of one group
    per channel: InstanceNorm2d is several times slower in channels-last."""

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__(channels, channels, affine=affine)

    def forward(self, input: Tensor) -> Tensor:
        on_cpu = input.device.type == "cpu" and torch.is_grad_enabled()
        if not on_cpu or not _is_channels_last(input) or input[0, 0].numel() == 1:
            return super().forward(input)
        # Each image's batch norm is the same function, whose gradient takes a thirtieth of the time of group norm's.
        images = [
            F.batch_norm(image, None, None, self.weight, self.bias, training=True, eps=self.eps)
            for image in input.split(1)
        ]
        return images[0] if len(images) == 1 else torch.cat(images)


def _is_channels_last(maps: Tensor) -> bool:
    return maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()


def _pad_borders(maps: Tensor, widths: Sequence[int], mode: str) -> Tensor:
    """Reflection or replication padding in the type of the maps: under autocast a CPU would pad in float32, and cast
    twice."""
    if not torch.is_autocast_enabled(maps.device.type):
        return F.pad(maps, widths, mode)
    with torch.autocast(maps.device.type, enabled=False):
        return F.pad(maps, widths, mode)


class Convolution(nn.Conv2d):
    """A convolution that pads by reflection or replication in the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        if self.padding_mode == "zeros":
            return super().forward(input)
        padded = _pad_borders(input, self._reversed_padding_repeated_twice, self.padding_mode)
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: InstanceNorm(channels, affine=False),
    # Of one image it is batch norm with the image's own statistics, as pix2pix runs it.
    "instance-affine": lambda channels: InstanceNorm(channels, affine=True),
    "group": lambda channels: nn.GroupNorm(_groups(channels), channels),
}
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky": lambda: nn.LeakyReLU(0.2, inplace=True),
    # The gradients of these two need their input, so working in place would save nothing.
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "elu": lambda: nn.ELU(inplace=True),
    "tanh": nn.Tanh,
}
_STRIDES = {"stride": 2, "blur": 1, "mirrored-blur": 1}
_MODES = {"transpose": "", "nearest": "nearest", "bilinear": "bilinear", "blur": "bilinear"}

NORMS = tuple(_NORMS)
ACTIVATIONS = tuple(_ACTIVATIONS)
DOWNS = tuple(_STRIDES)
UPS = tuple(_MODES)


def norm(name: str, channels: int) -> nn.Module:
    """Build a normalisation of maps (B, ``channels``, H, W), one of ``NORMS``.

    ``batch`` (Ioffe & Szegedy 2015, arXiv:1502.03167) and ``group`` (Wu & He 2018, arXiv:1803.08494) have a learned
    scale and shift per channel, ``instance`` (Ulyanov et al. 2016, arXiv:1607.08022) has none, ``instance-affine`` has
    them.
    ValueError for another name.
    """
    return _choose("norm", _NORMS, name)(channels)


def padded_convolution(channels: int, padding: Padding, *, bias: bool) -> Convolution:
    """Build a 3×3 convolution of maps (B, ``channels``, H, W) that keeps their shape."""
    mode = "zeros" if padding == "zero" else padding
    return Convolution(channels, channels, 3, padding=1, padding_mode=mode, bias=bias)


def activation(name: str) -> nn.Module:
    """Build an activation, one of ``ACTIVATIONS``, in place where that saves memory. ValueError for another name."""
    return _choose("activation", _ACTIVATIONS, name)()


def _replication_pad(maps: Tensor, dim: int, before: int, after: int) -> Tensor:
    """Replication padding along ``dim``. Not torch's own, whose gradient is not deterministic on CUDA."""
    sizes = [-1] * maps.ndim
    sizes[dim] = before
    first = maps.narrow(dim, 0, 1).expand(sizes)
    sizes[dim] = after
    last = maps.narrow(dim, -1, 1).expand(sizes)
    return torch.cat([first, maps, last], dim)


class Blur(nn.Module):
    """Antialiased subsampling (Zhang 2019, arXiv:1904.11486): maps (B, C, H, W) to (B, C, ⌈H/2⌉, ⌈W/2⌉), every second
    pixel of their convolution with [1, 2, 1] ⊗ [1, 2, 1] / 16.

    Borders are replicated, or reflected with ``mirrored``, as in CUT's code (sides of one pixel are replicated).
    """

    kernel: Tensor

    def __init__(self, mirrored: bool = False) -> None:
        super().__init__()
        self.mirrored = mirrored
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(row, row)[None, None])

    def forward(self, maps: Tensor) -> Tensor:
        channels = maps.shape[1]
        kernel = self.kernel.to(maps.dtype).expand(channels, 1, 3, 3)
        if self.mirrored and min(maps.shape[2:]) > 1:
            maps = _pad_borders(maps, (1, 1, 1, 1), "reflect")
        elif maps.device.type == "cpu":
            maps = _pad_borders(maps, (1, 1, 1, 1), "replicate")
        else:
            maps = _replication_pad(_replication_pad(maps, 2, 1, 1), 3, 1, 1)
        return F.conv2d(maps, kernel, stride=2, groups=channels)


def downsample(name: str, before: int, after: int, *then: nn.Module, bias: bool = True) -> nn.Sequential:
    """Build a downsampling of maps (B, ``before``, H, W) to (B, ``after``, ⌈H/2⌉, ⌈W/2⌉), one of ``DOWNS``, followed by
    ``then`` (a norm and an activation).

    ``stride`` is a 3×3 convolution of stride 2. The others are one of stride 1, ``then``, and a :class:`Blur`, in the
    order of Zhang 2019: an activation after the blur would add aliasing again.
    ValueError for another name.
    """
    stride = _choose("downsampling", _STRIDES, name)
    antialias = [] if name == "stride" else [Blur(mirrored=name == "mirrored-blur")]
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=bias), *then, *antialias)


def upsample(name: str, before: int, after: int, *then: nn.Module, bias: bool = True) -> nn.Sequential:
    """Build an upsampling of maps (B, ``before``, H, W) to (B, ``after``, 2H, 2W), one of ``UPS``, followed by ``then``
    (a norm and an activation).

    ``transpose`` is CycleGAN's 3×3 transposed convolution (Zhu et al. 2017, arXiv:1703.10593). The others interpolate
    and then convolve, 3×3, which avoids checkerboard artefacts (Odena et al. 2016, doi:10.23915/distill.00003):
    ``nearest``, ``bilinear``, and ``blur``, CUT's antialiased upsampling. That inserts zeros and convolves with
    [1, 3, 3, 1] ⊗ [1, 3, 3, 1] / 16, which equals bilinear interpolation: the two names are one layer.
    ValueError for another name.
    """
    mode = _choose("upsampling", _MODES, name)
    if name == "transpose":
        return nn.Sequential(nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1, bias=bias), *then)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode=mode), nn.Conv2d(before, after, 3, 1, 1, bias=bias), *then)


def convolution(before: int, after: int, kernel: int = 3) -> nn.Conv2d:
    """Build a convolution with replication padding: zero padding reveals where the border is, and borders look
    different."""
    return Convolution(before, after, kernel, padding=kernel // 2, padding_mode="replicate")


def enlarge(maps: Tensor) -> Tensor:
    """Double the resolution of maps (B, C, H, W), bilinear."""
    return F.interpolate(maps, scale_factor=2, mode="bilinear")


def pad(images: Tensor, multiple: int, minimum: int) -> Tensor:
    """Pad images (B, C, H, W) at the right and bottom by replication, until both sides are a multiple of ``multiple``
    and at least ``minimum`` (itself such a multiple). Return the same tensor where nothing is to be padded."""
    height, width = images.shape[-2:]
    # Rounded up in positive numbers, since ONNX divides negative ones towards zero.
    below = max(minimum, (height + multiple - 1) // multiple * multiple) - height
    right = max(minimum, (width + multiple - 1) // multiple * multiple) - width
    always = torch.compiler.is_exporting()  # a program is for all sizes, and a condition would restrict it to some
    if always or right:
        images = _replication_pad(images, 3, 0, right)
    return _replication_pad(images, 2, 0, below) if always or below else images


def initialise(network: nn.Module, std: float) -> None:
    """Initialise weights of convolutions and linear layers from N(0, ``std``), their biases with 0 (DCGAN, section 4;
    CycleGAN, section 7.1), and BatchNorm scales from N(1, ``std``). Call it before :func:`apply_spectral_norm`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)


def initialise_kaiming(network: nn.Module, output: nn.Conv2d) -> None:
    """Initialise convolutions for leaky ReLUs of slope 0.2 (He et al. 2015, arXiv:1502.01852), and ``output``, the last
    of them, near zero, so that the network begins with an output of almost zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.2)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    nn.init.normal_(output.weight, 0.0, 1e-3)


class _Float32SpectralNorm(_SpectralNorm):
    """torch's, without autocast: that of CUDA would iterate in bfloat16, whose rounding errors add up over a
    training."""

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            normalised: Tensor = super().forward(weight)
        return normalised


def spectral_norm(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> nn.Module:
    """Apply spectral normalisation (Miyato et al. 2018, arXiv:1802.05957) to a layer, and return it. Its weight is
    divided by its largest singular value, which a power iteration tracks in float32."""
    outputs = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    register_parametrization(layer, "weight", _Float32SpectralNorm(layer.weight, dim=outputs))
    return layer


def apply_spectral_norm(network: nn.Module) -> None:
    """Apply :func:`spectral_norm` to all convolutions and linear layers."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            spectral_norm(module)
