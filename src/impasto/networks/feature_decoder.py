"""A generator that decodes the features of a fixed network, which was trained on photographs.

EfficientNet-Lite1, fixed, gives feature maps at 1/4, 1/8, 1/16 and 1/32 of a photo's size; a decoder goes up through
residual blocks, as U-Nets do, and is all that learns. The photo itself enters only softened, so that fine detail is
painted and not passed on, and with it the photographer's watermark. Noise enters at three scales, as in StyleGAN
(Karras et al. 2019, arXiv:1812.04948, section 3.2): strokes fall in a flat sky, too.

A global code modulates every residual block (FiLM; Perez et al. 2018, arXiv:1709.07871) and the tones of the softened
photo. It is made of what the photo shows (means of the coarsest features) and of a *mood*: the statistics of a painting
(AdaIN's means and deviations of all stages, Huang & Belongie 2017, arXiv:1703.06868, and its palette), one of those
that it was trained on or any other. So palette and light change together, and one photo can be painted in the mood of
any painting. The generator keeps the moods of its training paintings; without another choice, a photo is painted in
that of the painting nearest to it in content and palette, where *nearest* is balanced: over the training photos each
painting is chosen about equally often (:func:`impasto.networks.moods.offsets`), as else a few would lend most moods.

Nothing is normalised over the picture: with a code that was computed before, as painting does from a thumbnail, a
picture could be painted in tiles. Without one the code is that of the pictures at their own size. Convolutions
continue the border, and every change of size is smoothed (Zhang 2019, arXiv:1904.11486).
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
from impasto.networks.moods import PALETTE, moments, offsets, palette
from impasto.networks.noise import noise_like
from impasto.networks.pretrained.efficientnet import CHANNELS, STRIDES, Stages

#: Photos are padded to a multiple of this.
STRIDE = STRIDES[-1]
#: Numbers in a mood: the moments of all stages, and the palette.
MOOD = 2 * sum(CHANNELS) + PALETTE
#: A mood counts no further from the mean of all than so many standard deviations.
FAR = 4.0
#: How much the palette counts where the nearest mood is sought, against the content.
BY_PALETTE = 0.3
#: Channels of the global code, and of its content: the means of the coarsest stage.
CODE, CONTENT = 128, CHANNELS[-1]

#: Of several threads that need the fixed network first, one makes it.
_first = threading.Lock()


@GENERATORS.register("feature-decoder")
class Generator(nn.Module):
    """Photos (B, 3, H, W) in −1…1 to paintings of the same shape, for any H and W.

    ``width`` channels at full size, twice as many at half size, ``body`` from a quarter of the size on, with ``blocks``
    residual blocks there, as many at an eighth, and two at a sixteenth. The photo that is painted over is a mean of
    2 ``soften`` + 1 pixels of half its size, twice.
    """

    feature_family: ClassVar[str] = "efficientnet"
    stride: ClassVar[int] = STRIDE  #: image sides in training are multiples of it
    moods: Tensor  #: (N, MOOD), of the N training paintings; none before :meth:`remember`
    offsets: Tensor  #: (N,), what is taken from the distances to them, for each to be the nearest equally often

    def __init__(
        self,
        width: Width,
        body: Width,
        blocks: Annotated[int, Field(ge=1, le=64)],
        soften: Annotated[int, Field(ge=1, le=64)],
    ) -> None:
        super().__init__()
        self._soften = soften
        self._stages: list[Stages] = []  # neither parameters nor part of a style
        self.register_buffer("moods", torch.empty(0, MOOD))
        self.register_buffer("offsets", torch.empty(0))
        self.encoder = nn.Sequential(
            nn.Linear(CONTENT + MOOD, CODE), nn.LeakyReLU(0.2), nn.Linear(CODE, CODE), nn.LeakyReLU(0.2)
        )
        self.tone = nn.Linear(CODE, 12)  # a change of the colour matrix and an offset
        self.read = nn.ModuleList(nn.Conv2d(channels, body, 1) for channels in CHANNELS)
        self.at_16, self.at_8, self.at_4 = (
            nn.ModuleList(Residual(body) for _ in range(count)) for count in (2, blocks, blocks)
        )
        self.photo_4, self.photo_2, self.photo_1 = (_convolution(3, to) for to in (body, 2 * width, width))
        self.up_2, self.up_1 = nn.Conv2d(body, 2 * width, 1), nn.Conv2d(2 * width, width, 1)
        self.at_2 = Residual(2 * width)
        self.at_1 = nn.ModuleList(_convolution(width, width) for _ in range(2))
        self.paint = _convolution(width, 3)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.paint.weight, 0.0, 1e-3)
        for linear in [self.tone, *(block.film for block in self.modules() if isinstance(block, Residual))]:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.grain = nn.ParameterList(
            nn.Parameter(torch.full((channels, 1, 1), 0.1)) for channels in (width, 2 * width, body)
        )  # how strongly noise enters at full, half and quarter size

    def forward(self, photos: Tensor, code: Tensor | None = None, features: Sequence[Tensor] | None = None) -> Tensor:
        """``code`` is (B, CODE), or (1, CODE) for all; without it that of the photos in the moods nearest to them.
        ``features`` are those of :meth:`look`, if they are known already."""
        height, width = photos.shape[-2:]
        padded = _pad(photos)
        if features is None:
            features = self.fixed[0](padded)
        if code is None:
            code = self.encode(features, self.mood(self.nearest(self.statistics(padded, features))))
        soft_2 = self._softened(F.avg_pool2d(padded, 2))
        soft = _enlarge(soft_2)
        hidden = _act(_add(self.read[2](features[2]), _enlarge(self.read[3](features[3]))))
        for block in self.at_16:
            hidden = block(hidden, code)
        hidden = _act(_add(self.read[1](features[1]), _enlarge(hidden)))
        for block in self.at_8:
            hidden = block(hidden, code)
        hidden = _add(_add(self.read[0](features[0]), _enlarge(hidden)), self.photo_4(F.avg_pool2d(padded, 4)))
        hidden = self._grained(_act(hidden), 2)
        for block in self.at_4:
            hidden = block(hidden, code)
        hidden = _act(_add(_enlarge(self.up_2(hidden)), self.photo_2(soft_2)))
        hidden = self.at_2(self._grained(hidden, 1), code)
        hidden = _act(_add(_enlarge(self.up_1(hidden)), self.photo_1(soft)))
        hidden = self._grained(hidden, 0)
        for convolution in self.at_1:
            hidden = _act(convolution(hidden))
        base = self._toned(torch.atanh(soft * 0.97), code)
        painted: Tensor = torch.tanh(_add(self.paint(hidden).float(), base))
        return painted[..., :height, :width]

    @property
    def fixed(self) -> Sequence[nn.Module]:
        """The fixed network whose features are decoded; made when it is first needed, as a style may be opened for its
        card alone."""
        with _first:
            if not self._stages:
                self._stages.append(Stages("lite1", replicate=True).to(self.moods.device))
        return self._stages

    def look(self, pictures: Tensor) -> list[Tensor]:
        """The four maps of pictures (B, 3, H, W), H and W multiples of 32, that the decoder is given."""
        maps: list[Tensor] = self.fixed[0](pictures)
        return maps

    def encode(self, features: Sequence[Tensor], mood: Tensor) -> Tensor:
        """The global code (B, CODE) of pictures with these features, to be painted in moods (B, MOOD)."""
        content = features[-1].float().mean((2, 3))
        code: Tensor = self.encoder(torch.cat([content, mood.to(content.dtype)], 1))
        return code

    # Moods.

    def statistics(self, pictures: Tensor, features: Sequence[Tensor] | None = None) -> Tensor:
        """What a mood is made of, (B, MOOD), as it is measured on pictures (B, 3, H, W)."""
        return torch.cat([moments(self.look(pictures) if features is None else features), palette(pictures)], 1)

    def remember(self, paintings: Tensor, photos: Tensor | None = None) -> None:
        """Keeps the statistics (N, MOOD) of the training paintings, N ≥ 2, as moods, and as what others are measured
        against. With those of photos (M, MOOD), each is from now on the :meth:`nearest` to about equally many of
        them."""
        self.moods = paintings.float().to(self.moods.device)
        self.offsets = torch.zeros(len(paintings), device=self.moods.device)
        if photos is not None:
            self.offsets = offsets(self._distances(photos.float()))

    def standardised(self, statistics: Tensor) -> Tensor:
        """Statistics (B, MOOD) relative to those of all moods: mean 0, standard deviation 1."""
        if not len(self.moods):
            return torch.zeros_like(statistics)
        return (statistics - self.moods.mean(0)) / (self.moods.std(0) + 1e-3)

    def mood(self, numbers: Tensor) -> Tensor:
        """The moods (B, MOOD) of training paintings with these numbers (B,), standardised, as the code takes them."""
        if not len(self.moods):
            return torch.zeros(len(numbers), MOOD, device=numbers.device)
        return self.standardised(self.moods[numbers]).clamp(-FAR, FAR)

    def mood_of(self, pictures: Tensor) -> Tensor:
        """The moods (B, MOOD) of pictures (B, 3, H, W), H and W multiples of 32, standardised, as the code takes
        them."""
        return self.standardised(self.statistics(pictures)).clamp(-FAR, FAR)

    def nearest(self, statistics: Tensor) -> Tensor:
        """The numbers (B,) of the training paintings nearest to pictures with these :meth:`statistics` (B, MOOD): by
        the means of the coarsest stage, which tell the content, and :data:`BY_PALETTE` as much by the palette, less
        :attr:`offsets`."""
        if not len(self.moods):
            return torch.zeros(len(statistics), dtype=torch.long, device=statistics.device)
        return (self._distances(statistics) - self.offsets).argmin(1)

    def _distances(self, statistics: Tensor) -> Tensor:
        """How far pictures with these :meth:`statistics` (B, MOOD) are from each training painting, (B, N)."""
        away = []  # (B, N) each
        first = 2 * sum(CHANNELS[:-1])
        for part, weight in ((slice(first, first + CONTENT), 1.0), (slice(-PALETTE, None), BY_PALETTE)):
            pictures, paintings = (self.standardised(each)[:, part] for each in (statistics, self.moods))
            squares = pictures.square().sum(1)[:, None] + paintings.square().sum(1)  # not cdist: ONNX has none
            with torch.autocast(pictures.device.type, enabled=False):
                away.append(weight / pictures.shape[1] * (squares - 2 * pictures @ paintings.T))
        return away[0] + away[1]

    # Parts of the forward pass.

    def _softened(self, photos: Tensor) -> Tensor:
        side = self._soften
        for _ in range(2):
            photos = F.pad(photos, (side, side, side, side), mode="replicate")
            photos = F.avg_pool2d(photos, 2 * side + 1, stride=1)
        return photos

    def _grained(self, hidden: Tensor, level: int) -> Tensor:
        noise = noise_like(hidden, level, self.training)
        grained: Tensor = hidden + self.grain[level].to(hidden.dtype) * noise
        return grained

    def _toned(self, base: Tensor, code: Tensor) -> Tensor:
        """The softened photo (B, 3, H, W) in the light of the code: its colours mixed anew and shifted."""
        tone = self.tone(code).float()
        matrix = torch.eye(3, device=tone.device) + tone[:, :9].view(-1, 3, 3)
        with torch.autocast(base.device.type, enabled=False):  # bfloat16 would leave steps in skies
            toned: Tensor = torch.einsum("bij,bjhw->bihw", matrix, base) + tone[:, 9:, None, None]
        return toned

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Generator":
        for stages in self._stages:
            stages._apply(fn, recurse)  # type: ignore[no-untyped-call]  # to another device
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        if (moods := state.get(f"{prefix}moods")) is not None:  # as many as there were paintings
            self.moods = torch.empty(moods.shape, device=self.moods.device)
            self.offsets = torch.zeros(len(moods), device=self.moods.device)
            state.setdefault(f"{prefix}offsets", self.offsets)  # of styles that are older than they
        super()._load_from_state_dict(state, prefix, *args)


class Residual(nn.Module):
    """Two convolutions beside an identity path, weak at first, the map between them modulated by a code (B, CODE)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)
        self.film = nn.Linear(CODE, 2 * width)
        self.gain = nn.Parameter(torch.full((width, 1, 1), 0.2))

    def forward(self, hidden: Tensor, code: Tensor) -> Tensor:
        change = self.first(hidden)
        scale, shift = self.film(code).to(change.dtype)[:, :, None, None].chunk(2, 1)
        change = self.second(_act(torch.addcmul(shift, change, 1 + scale)))
        return torch.addcmul(hidden, change, self.gain.to(hidden.dtype))


def _convolution(into: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, padding=1, padding_mode="replicate")


def _act(hidden: Tensor) -> Tensor:
    return F.leaky_relu(hidden, 0.2, inplace=True)


def _add(one: Tensor, other: Tensor) -> Tensor:
    return one + other.to(one.dtype)


def _enlarge(maps: Tensor) -> Tensor:
    """Twice as large, bilinear."""
    return F.interpolate(maps, scale_factor=2, mode="bilinear")


def _pad(photos: Tensor) -> Tensor:
    """Both sides brought up to a multiple of :data:`STRIDE`, at the right and below."""
    height, width = photos.shape[-2:]
    # Up to the next multiple, in positive numbers: ONNX has another remainder of negative ones.
    right, below = (STRIDE - 1 - (side - 1) % STRIDE for side in (width, height))
    return F.pad(photos, (0, right, 0, below), mode="replicate")
