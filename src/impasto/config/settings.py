"""The groups of settings that recipes are made of: networks, losses, schedule, augmentation."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[int, Field(ge=4, le=4096)]

Norm = Literal["none", "batch", "instance", "group"]
Activation = Literal["relu", "leaky", "silu", "gelu", "elu", "tanh"]
Down = Literal["stride", "blur", "mirrored-blur"]
Up = Literal["transpose", "nearest", "bilinear", "blur"]


class Settings(BaseModel):
    """A frozen group of settings that refuses names it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(Settings):
    """Where a number is searched for: between ``low`` and ``high``, evenly or, with ``log``, evenly in its logarithm;
    whole numbers if both are."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("a range in logarithms begins above 0")
        return self


class Choice(Settings):
    """A few values to search among."""

    choices: tuple[Any, ...] = Field(min_length=2)


def _kind(searched: Any) -> str:
    given = searched if isinstance(searched, Mapping) else getattr(searched, "__dict__", {})
    return "choice" if "choices" in given else "range"


#: Where one setting is searched for.
Searched = Annotated[Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind)]


class Adam(Settings):
    """Adam (Kingma & Ba 2015): step size and the decay rates of its two moments."""

    lr: Positive
    betas: tuple[Fraction, Fraction]
    clip_gradient: Positive | None = None  #: the largest norm of a step's whole gradient

    def architecture(self) -> dict[str, Any]:
        """What the network is made of: all settings but those of how it learns."""
        return self.model_dump(exclude=set(self.learning()))

    @classmethod
    def learning(cls) -> list[str]:
        """The settings of how it learns."""
        return list(Adam.model_fields)


class GeneratorSettings(Adam):
    """The network that paints, and how it learns."""

    network: str


class DiscriminatorSettings(Adam):
    """The network that judges, and how it learns."""

    network: str
    sized: ClassVar[bool] = False  #: whether it is made for pictures of one size
    least: ClassVar[int] = 1  #: the smallest pictures that it can judge
    clip_weights: Positive | None = None  #: the largest weight, as in WGAN

    @classmethod
    def learning(cls) -> list[str]:
        return [*super().learning(), "clip_weights"]


class DcganGenerator(GeneratorSettings):
    network: Literal["dcgan"]
    width: Width
    max_width: Width
    init_std: Positive


class ProgressiveGenerator(GeneratorSettings):
    network: Literal["progressive"]
    width: Width
    max_width: Width
    init_std: Positive


class FastganGenerator(GeneratorSettings):
    network: Literal["fastgan"]
    width: Width


class R3ganGenerator(GeneratorSettings):
    network: Literal["r3gan"]
    width: Width
    max_width: Width
    blocks: int = Field(ge=1, le=16)


class CnnGenerator(GeneratorSettings):
    network: Literal["cnn"]
    width: Width
    depth: int = Field(ge=2, le=64)
    activation: Activation
    norm: Norm
    init_std: Positive


class ResnetGenerator(GeneratorSettings):
    network: Literal["resnet"]
    width: Width
    blocks: int = Field(ge=0, le=64)
    norm: Norm
    activation: Activation
    down: Down
    up: Up
    residual: bool
    init_std: Positive


class UnetGenerator(GeneratorSettings):
    network: Literal["unet"]
    width: Width
    max_width: Width
    depth: int = Field(ge=2, le=10)
    norm: Norm
    dropout: Fraction
    up: Up
    init_std: Positive


class PainterGenerator(GeneratorSettings):
    network: Literal["painter"]
    width: Width
    body: Width
    blocks: int = Field(ge=2, le=64)


class FeatureDecoderGenerator(GeneratorSettings):
    stride: ClassVar[int] = 32  #: pictures have sides that are multiples of it in training
    network: Literal["feature-decoder"]
    width: Width
    body: Width
    blocks: int = Field(ge=1, le=64)
    soften: int = Field(ge=1, le=64)


class DcganDiscriminator(DiscriminatorSettings):
    sized: ClassVar[bool] = True
    network: Literal["dcgan"]
    width: Width
    max_width: Width
    slope: Fraction
    init_std: Positive


class ProgressiveDiscriminator(DiscriminatorSettings):
    sized: ClassVar[bool] = True
    network: Literal["progressive"]
    width: Width
    max_width: Width
    slope: Fraction
    init_std: Positive


class CnnDiscriminator(DiscriminatorSettings):
    network: Literal["cnn"]
    width: Width
    depth: int = Field(ge=2, le=16)
    activation: Activation
    norm: Norm
    init_std: Positive


class PatchDiscriminator(DiscriminatorSettings):
    network: Literal["patch"]
    width: Width
    max_width: Width
    layers: int = Field(ge=1, le=6)
    norm: Norm
    spectral: bool
    slope: Fraction
    init_std: Positive


class FastganDiscriminator(DiscriminatorSettings):
    sized: ClassVar[bool] = True
    least: ClassVar[int] = 32
    network: Literal["fastgan"]
    width: Width


class R3ganDiscriminator(DiscriminatorSettings):
    sized: ClassVar[bool] = True
    network: Literal["r3gan"]
    width: Width
    max_width: Width
    blocks: int = Field(ge=1, le=16)


class ProjectedDiscriminator(DiscriminatorSettings):
    network: Literal["projected"]
    width: Width
    pixels: int = Field(ge=0, le=512)
    backbones: tuple[Literal["lite0", "lite1"], ...] = Field(default=("lite1",), min_length=1)


#: Those that start from noise.
Inventing = Annotated[DcganGenerator | FastganGenerator | R3ganGenerator, Field(discriminator="network")]
#: Those that start from a photo.
Painting = Annotated[CnnGenerator | ResnetGenerator | UnetGenerator | PainterGenerator, Field(discriminator="network")]
#: Those with maps of their encoder, whose places can be compared.
Comparing = Annotated[ResnetGenerator | PainterGenerator, Field(discriminator="network")]
Judging = Annotated[
    DcganDiscriminator
    | FastganDiscriminator
    | R3ganDiscriminator
    | CnnDiscriminator
    | PatchDiscriminator
    | ProjectedDiscriminator,
    Field(discriminator="network"),
]


class Penalty(Settings):
    """What keeps the discriminator smooth: the weight of each penalty, 0 for none.

    ``every`` n steps they are computed, n times as heavy.
    """

    gradient: NotNegative = 0.0  #: WGAN-GP's
    r1: NotNegative = 0.0
    r2: NotNegative = 0.0
    every: int = Field(default=1, ge=1)


class Schedule(Settings):
    """The learning rate over the budget: rising during the fraction ``warmup``, constant until ``decay_from``, then
    falling to 0 at the end, in a line or as a cosine.

    ``decay_from: 1`` keeps it constant.
    """

    decay_from: Share
    warmup: Fraction = 0.0
    shape: Literal["linear", "cosine"] = "linear"

    def factor(self, progress: float) -> float:
        """What the learning rate is multiplied by, at ``progress`` (0…1) through the budget."""
        rise = min(1.0, progress / self.warmup) if self.warmup else 1.0
        if progress <= self.decay_from:
            return rise
        left = max(0.0, (1.0 - progress) / (1.0 - self.decay_from))
        return rise * (left if self.shape == "linear" else 0.5 - 0.5 * math.cos(math.pi * left))


class Ema(Settings):
    """Moving average of the generator: half-life in pictures, shortened at first to ``rampup`` × pictures so far."""

    halflife: Positive
    rampup: Positive


class Augment(Settings):
    """How a picture is varied each time it is seen: mirrored, turned by up to ``rotate`` degrees, a random square of a
    random scale cut out, and brightness, contrast and saturation changed by up to the fraction ``color``."""

    flip: bool
    scale: tuple[Annotated[float, Field(ge=0.1, le=1)], Annotated[float, Field(ge=0.1, le=1)]]
    rotate: float = Field(default=0.0, ge=0, le=45)
    color: Fraction = 0.0

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError("the smaller scale comes first")
        return scale

    def stored_size(self, size: int) -> int:
        """The size to keep pictures at, so that a square of the smallest scale still has ``size`` pixels of its own."""
        return math.ceil(size / self.scale[0])


class DiffAugment(Settings):
    """How all that the discriminator sees is varied, differentiably: strengths, 0 for none.

    With a ``target``, the probability follows the discriminator's overfitting from the one given; without, it stays.
    """

    color: Share = 0.0
    translation: Fraction = 0.0
    scale: Fraction = 0.0
    cutout: Fraction = 0.0
    probability: Share = 1.0
    target: Fraction | None = None

    @field_validator("target")
    @classmethod
    def _adapts(cls, target: float | None, info: ValidationInfo) -> float | None:
        if target is not None and not any(info.data.get(part) for part in ("color", "translation", "scale", "cutout")):
            raise ValueError("there is nothing to adapt: set color, translation, scale or cutout too")
        return target


class Contrast(Settings):
    """PatchNCE: its weight, on how many places of each map, at which temperature; ``identity`` also on paintings."""

    weight: Positive
    patches: int = Field(ge=2, le=4096)
    temperature: Positive
    identity: bool


class Structure(Settings):
    """Self-similarity between photo and painting: its weight, and how many places are compared with all others."""

    weight: Positive
    places: int = Field(ge=2, le=4096)


class Mood(Settings):
    """How strongly a painting takes on the mood that it is painted in: the weight of the distance to that mood's
    feature statistics and to its palette (L1, in standard deviations), and the share of photos that are painted in the
    mood of the painting nearest to them; all others draw one."""

    features: NotNegative
    palette: NotNegative
    nearest: Share
