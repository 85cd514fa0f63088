"""Translator that decodes the features of a fixed network pretrained on photographs.

EfficientNet-Lite1 is fixed and gives feature maps at 1/4, 1/8, 1/16 and 1/32 of the image size; a U-Net-like decoder of
residual blocks is trained. The photo itself enters only blurred, so fine detail (and a photographer's watermark) must
be generated and is not copied. Noise is injected at three scales, as in StyleGAN (Karras et al. 2019,
arXiv:1812.04948, section 3.2), so that flat regions get brush strokes, too.

A global code modulates every residual block (FiLM; Perez et al. 2018, arXiv:1709.07871) and the colours of the blurred
photo. It is computed from the content (channel means of the coarsest features) and a *mood*, the global style code of
one painting: its feature statistics (AdaIN's means and deviations of all stages, Huang & Belongie 2017,
arXiv:1703.06868) and its palette (:mod:`impasto.networks.moods`). The moods of the training paintings are stored in the
generator; those of other images can be measured. By default a photo gets the mood of the training painting nearest to
it in content and palette. The choice is balanced: over the training photos each painting is chosen about equally often
(:func:`impasto.networks.moods.balancing_offsets`), since otherwise a few would supply most moods.

There is no normalisation over positions: with a code computed beforehand (inference uses a thumbnail), an image can be
translated in tiles. Without one, the code is computed from the input at its own size. Convolutions replicate the
border, and every change of resolution is low-pass filtered (Zhang 2019, arXiv:1904.11486).
"""

import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS
from impasto.config.types import Width
from impasto.networks.layers import convolution, enlarge, initialise_kaiming
from impasto.networks.moods import PALETTE_DIM, balancing_offsets, moments, palette
from impasto.networks.noise import noise_like
from impasto.networks.pretrained.efficientnet import CHANNELS, STRIDES, Stages

#: Images are padded to a multiple of this.
STRIDE = STRIDES[-1]
#: Length of a mood: the moments of all stages, and the palette.
MOOD_DIM = 2 * sum(CHANNELS) + PALETTE_DIM
#: Standardised moods are clamped to this many standard deviations.
MAX_DEVIATION = 4.0
#: Weight of the palette, relative to the content, in the choice of the nearest mood.
PALETTE_WEIGHT = 0.3
#: Length of the global code, and of its content part: the channel means of the coarsest stage.
CODE_DIM, CONTENT_DIM = 128, CHANNELS[-1]

#: Held while a backbone is created.
_backbone_lock = threading.Lock()


@GENERATORS.register("feature-decoder")
class Generator(nn.Module):
    """Images (B, 3, H, W) in −1…1 to images of the same shape and range, for any H and W.

    ``width`` channels at full resolution, twice as many at half, ``body`` from a quarter on; ``blocks`` residual blocks
    at 1/4 and at 1/8, two at 1/16. The photo is blurred at half resolution by two box filters of 2 ``soften`` + 1
    pixels.
    """

    feature_family: ClassVar[str] = "efficientnet"
    stride: ClassVar[int] = STRIDE  #: image sides in training are multiples of it
    supports_bfloat16: ClassVar[bool] = True  #: its convolutions may run in bfloat16 at inference
    moods: Tensor  #: (N, MOOD_DIM), statistics of N training paintings; N is 0 before :meth:`set_moods`
    offsets: Tensor  #: (N,), subtracted from the distances to them to balance the choice

    def __init__(
        self,
        width: Width,
        body: Width,
        blocks: Annotated[int, Field(ge=1, le=64)],
        soften: Annotated[int, Field(ge=1, le=64)],
    ) -> None:
        super().__init__()
        self._radius = soften
        self._stages: list[Stages] = []  # at most one: the backbone, neither parameters nor part of a style
        self.register_buffer("moods", torch.empty(0, MOOD_DIM))
        self.register_buffer("offsets", torch.empty(0))
        self.encoder = nn.Sequential(
            nn.Linear(CONTENT_DIM + MOOD_DIM, CODE_DIM),
            nn.LeakyReLU(0.2),
            nn.Linear(CODE_DIM, CODE_DIM),
            nn.LeakyReLU(0.2),
        )
        self.tone = nn.Linear(CODE_DIM, 12)  # residual of a 3×3 colour matrix, and an RGB offset
        self.read = nn.ModuleList(nn.Conv2d(channels, body, 1) for channels in CHANNELS)
        self.at_16, self.at_8, self.at_4 = (
            nn.ModuleList(Residual(body) for _ in range(count)) for count in (2, blocks, blocks)
        )
        self.photo_4, self.photo_2, self.photo_1 = (convolution(3, to) for to in (body, 2 * width, width))
        self.up_2, self.up_1 = nn.Conv2d(body, 2 * width, 1), nn.Conv2d(2 * width, width, 1)
        self.at_2 = Residual(2 * width)
        self.at_1 = nn.ModuleList(convolution(width, width) for _ in range(2))
        self.paint = convolution(width, 3)
        initialise_kaiming(self, self.paint)
        for linear in [self.tone, *(block.film for block in self.modules() if isinstance(block, Residual))]:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.grain = nn.ParameterList(
            nn.Parameter(torch.full((channels, 1, 1), 0.1)) for channels in (width, 2 * width, body)
        )  # per-channel noise strength at full, half and quarter resolution

    def forward(self, images: Tensor, code: Tensor | None = None, features: Sequence[Tensor] | None = None) -> Tensor:
        """Translate images (B, 3, H, W).

        Args:
            code: (B, CODE_DIM), or (1, CODE_DIM) for all images; by default that of their nearest moods.
            features: what :meth:`extract_features` returns for the images, if known already.
        """
        height, width = images.shape[-2:]
        padded = _pad_to_stride(images)
        if features is None:
            features = self.backbone(padded)
        if code is None:
            code = self.encode(features, self.training_moods(self.nearest_moods(self.statistics(padded, features))))
        blurred_2 = self._blur(F.avg_pool2d(padded, 2))
        blurred = enlarge(blurred_2)
        hidden = _leaky_relu(_add(self.read[2](features[2]), enlarge(self.read[3](features[3]))))
        for block in self.at_16:
            hidden = block(hidden, code)
        hidden = _leaky_relu(_add(self.read[1](features[1]), enlarge(hidden)))
        for block in self.at_8:
            hidden = block(hidden, code)
        hidden = _add(_add(self.read[0](features[0]), enlarge(hidden)), self.photo_4(F.avg_pool2d(padded, 4)))
        hidden = self._add_noise(_leaky_relu(hidden), 2)
        for block in self.at_4:
            hidden = block(hidden, code)
        hidden = _leaky_relu(_add(enlarge(self.up_2(hidden)), self.photo_2(blurred_2)))
        hidden = self.at_2(self._add_noise(hidden, 1), code)
        hidden = _leaky_relu(_add(enlarge(self.up_1(hidden)), self.photo_1(blurred)))
        hidden = self._add_noise(hidden, 0)
        for layer in self.at_1:
            hidden = _leaky_relu(layer(hidden))
        base = self._adjust_colours(torch.atanh(blurred * 0.97), code)
        output: Tensor = torch.tanh(_add(self.paint(hidden).float(), base))
        return output[..., :height, :width]

    @property
    def backbone(self) -> nn.Module:
        """The fixed feature extractor, created at first use: a style can be opened for its card alone."""
        with _backbone_lock:
            if not self._stages:
                self._stages.append(Stages("lite1", replicate=True).to(self.moods.device))
        return self._stages[0]

    def extract_features(self, images: Tensor) -> list[Tensor]:
        """Return the backbone's four feature maps, at 1/4 to 1/32 of the size, of images (B, 3, H, W) in −1…1, H and W
        multiples of 32."""
        maps: list[Tensor] = self.backbone(images)
        return maps

    def encode(self, features: Sequence[Tensor], mood: Tensor) -> Tensor:
        """Return the global code (B, CODE_DIM) for images with these features and standardised moods (B, MOOD_DIM)."""
        content = features[-1].float().mean((2, 3))
        code: Tensor = self.encoder(torch.cat([content, mood.to(content.dtype)], 1))
        return code

    # Moods.

    def statistics(self, images: Tensor, features: Sequence[Tensor] | None = None) -> Tensor:
        """Return the statistics (B, MOOD_DIM) of images (B, 3, H, W): moments of their features, and palette."""
        return torch.cat([moments(self.extract_features(images) if features is None else features), palette(images)], 1)

    def set_moods(self, paintings: Tensor, photos: Tensor | None = None) -> None:
        """Store the moods of the training paintings, replacing others.

        Args:
            paintings: statistics (N, MOOD_DIM), N ≥ 2; they are also the reference for standardisation.
            photos: statistics (M, MOOD_DIM) over which :meth:`nearest_moods` is balanced; without them it is not.
        """
        self.moods = paintings.float().to(self.moods.device)
        self.offsets = torch.zeros(len(paintings), device=self.moods.device)
        if photos is not None:
            self.offsets = balancing_offsets(self._distances(photos.float()))

    def standardise(self, statistics: Tensor) -> Tensor:
        """Return statistics (B, MOOD_DIM) standardised over all moods: mean 0, standard deviation 1."""
        if not len(self.moods):
            return torch.zeros_like(statistics)
        return (statistics - self.moods.mean(0)) / (self.moods.std(0) + 1e-3)

    def training_moods(self, indices: Tensor) -> Tensor:
        """Return the standardised moods (B, MOOD_DIM) of the training paintings ``indices`` (B,), for
        :meth:`encode`."""
        if not len(self.moods):
            return torch.zeros(len(indices), MOOD_DIM, device=indices.device)
        return self.standardise(self.moods[indices]).clamp(-MAX_DEVIATION, MAX_DEVIATION)

    def measure_moods(self, images: Tensor) -> Tensor:
        """Return the standardised moods (B, MOOD_DIM) of images (B, 3, H, W), H and W multiples of 32, for
        :meth:`encode`."""
        return self.standardise(self.statistics(images)).clamp(-MAX_DEVIATION, MAX_DEVIATION)

    def nearest_moods(self, statistics: Tensor) -> Tensor:
        """Return the indices (B,) of the training paintings nearest to images with these :meth:`statistics`
        (B, MOOD_DIM).

        The distance is that of the content plus :data:`PALETTE_WEIGHT` times that of the palette, minus
        :attr:`offsets`.
        """
        if not len(self.moods):
            return torch.zeros(len(statistics), dtype=torch.long, device=statistics.device)
        return (self._distances(statistics) - self.offsets).argmin(1)

    def _distances(self, statistics: Tensor) -> Tensor:
        """Return the distances (B, N) of images with these statistics (B, MOOD_DIM) to all moods."""
        distances = []  # (B, N) each
        first = 2 * sum(CHANNELS[:-1])
        for part, weight in ((slice(first, first + CONTENT_DIM), 1.0), (slice(-PALETTE_DIM, None), PALETTE_WEIGHT)):
            images, paintings = (self.standardise(each)[:, part] for each in (statistics, self.moods))
            squares = images.square().sum(1)[:, None] + paintings.square().sum(1)  # ONNX has no cdist
            with torch.autocast(images.device.type, enabled=False):
                distances.append(weight / images.shape[1] * (squares - 2 * images @ paintings.T))
        return distances[0] + distances[1]

    # Parts of the forward pass.

    def _blur(self, images: Tensor) -> Tensor:
        radius = self._radius
        for _ in range(2):
            images = F.pad(images, (radius, radius, radius, radius), mode="replicate")
            images = F.avg_pool2d(images, 2 * radius + 1, stride=1)
        return images

    def _add_noise(self, hidden: Tensor, level: int) -> Tensor:
        noise = noise_like(hidden, level, self.training)
        noisy: Tensor = hidden + self.grain[level].to(hidden.dtype) * noise
        return noisy

    def _adjust_colours(self, base: Tensor, code: Tensor) -> Tensor:
        """Apply the code's colour matrix and offset to the blurred photo (B, 3, H, W)."""
        tone = self.tone(code).float()
        matrix = torch.eye(3, device=tone.device) + tone[:, :9].view(-1, 3, 3)
        with torch.autocast(base.device.type, enabled=False):  # bfloat16 would cause banding in skies
            adjusted: Tensor = torch.einsum("bij,bjhw->bihw", matrix, base) + tone[:, 9:, None, None]
        return adjusted

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Generator":
        for stages in self._stages:
            stages._apply(fn, recurse)  # type: ignore[no-untyped-call]  # to another device
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        if (moods := state.get(f"{prefix}moods")) is not None:  # N depends on the training data
            self.moods = torch.empty(moods.shape, device=self.moods.device)
            self.offsets = torch.zeros(len(moods), device=self.moods.device)
            state.setdefault(f"{prefix}offsets", self.offsets)  # absent from older styles
        super()._load_from_state_dict(state, prefix, *args)


class Residual(nn.Module):
    """Residual block of two convolutions, modulated between them by a code (B, CODE_DIM), with a learned gain per
    channel that starts at 0.2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = convolution(width, width), convolution(width, width)
        self.film = nn.Linear(CODE_DIM, 2 * width)
        self.gain = nn.Parameter(torch.full((width, 1, 1), 0.2))

    def forward(self, hidden: Tensor, code: Tensor) -> Tensor:
        change = self.first(hidden)
        scale, shift = self.film(code).to(change.dtype)[:, :, None, None].chunk(2, 1)
        change = self.second(_leaky_relu(torch.addcmul(shift, change, 1 + scale)))
        return torch.addcmul(hidden, change, self.gain.to(hidden.dtype))


def _leaky_relu(hidden: Tensor) -> Tensor:
    return F.leaky_relu(hidden, 0.2, inplace=True)


def _add(one: Tensor, other: Tensor) -> Tensor:
    return one + other.to(one.dtype)


def _pad_to_stride(images: Tensor) -> Tensor:
    """Pad at the right and bottom to multiples of :data:`STRIDE`."""
    height, width = images.shape[-2:]
    # As multiples of the stride: exporters simplify the sizes that follow, in two thirds of the time.
    below, right = (STRIDE * ((side + STRIDE - 1) // STRIDE) - side for side in (height, width))
    return F.pad(images, (0, right, 0, below), mode="replicate")
