"""A recipe: every choice of a training, typed and checked, read from and written to YAML."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator

from impasto.config.settings import (
    Augment,
    Comparing,
    Contrast,
    DiffAugment,
    DiscriminatorSettings,
    Ema,
    FeatureDecoderGenerator,
    Fraction,
    GeneratorSettings,
    Inventing,
    Judging,
    Mood,
    NotNegative,
    Painting,
    Penalty,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    ProjectedDiscriminator,
    Range,
    Schedule,
    Searched,
    Settings,
    Share,
    Structure,
)
from impasto.errors import ImpastoError, nearest


class Recipe(Settings):
    """Every choice of a training. The same recipe, seed and pictures give the same style."""

    name: str
    method: str
    size: int = Field(ge=16, le=1024)
    batch: int = Field(ge=1, le=4096)
    loss: Literal["bce", "lsgan", "hinge", "wgan", "relativistic"]
    smoothing: Fraction = 0.0  #: of the label of real pictures
    generator_every: int = Field(default=1, ge=1)  #: steps of the discriminator to one of the generator
    generator: GeneratorSettings
    discriminator: DiscriminatorSettings
    penalty: Penalty = Penalty()
    schedule: Schedule
    ema: Ema
    augment: Augment
    diffaugment: DiffAugment = DiffAugment()
    heldout: Fraction
    tune: dict[str, Searched] = Field(
        default_factory=dict
    )  #: where `impasto tune` searches, by the settings' dotted setting_names

    @field_validator("smoothing")
    @classmethod
    def _labelled(cls, smoothing: float, info: ValidationInfo) -> float:
        if smoothing and info.data.get("loss") not in {"bce", "lsgan"}:
            raise ValueError("only bce and lsgan have labels that could be smoothed")
        return smoothing

    @model_validator(mode="after")
    def _power_of_two(self) -> Self:
        if self.size & (self.size - 1) and (self.discriminator.sized or isinstance(self, NoiseRecipe)):
            raise ValueError("must be a power of two, such as 64, 128 or 256")
        if self.size < self.discriminator.least:
            raise ValueError(
                f"the discriminator {self.discriminator.network} takes {self.discriminator.least} at least"
            )
        return self

    @property
    def min_size(self) -> int:
        """The smallest size that it may have."""
        return self.discriminator.least

    @property
    def min_batch(self) -> int:
        """Of pictures in a step: those from noise are normalised over the batch."""
        return 2 if isinstance(self, NoiseRecipe) else 1

    @property
    def translates(self) -> bool:
        """Whether it translates images, rather than generates them from noise."""
        return isinstance(self, TranslatorRecipe)

    @property
    def source(self) -> str:
        """The source domain, or "noise"."""
        return "noise"

    @property
    def target(self) -> str:
        """The target domain."""
        return "paintings"

    @property
    def preserves_target(self) -> bool:
        """Whether it learns to leave paintings what they are."""
        return False

    @property
    def speed_changes(self) -> tuple[float, ...]:
        """The shares of the training, within 0…1, after which a step takes another time than before."""
        return ()

    @property
    def peak_memory_at(self) -> float:
        """How much of the training is over, 0…1, when a step takes most memory."""
        return 1.0

    @property
    def stored_size(self) -> int:
        """The size to keep pictures at, to cut out those that are learned from."""
        return self.augment.stored_size(self.size)

    @property
    def sample_size(self) -> int:
        """The size at which its paintings are shown and scored: translators paint whole pictures."""
        return self.stored_size if self.translates else self.size

    @property
    def scoring_network(self) -> str:
        """The feature network that chooses the best style: of another family than those whose features are trained
        against."""
        return "alexnet" if isinstance(self.discriminator, ProjectedDiscriminator) else "efficientnet-lite0"

    @property
    def normalises_spatially(self) -> bool:
        """Whether a network normalises over the places of each picture."""
        norms = {getattr(network, "norm", "none") for network in (self.generator, self.discriminator)}
        return not norms.isdisjoint({"instance", "group"})

    def generator_kwargs(self) -> dict[str, Any]:
        """What the network is made of that paints."""
        return self.generator.architecture()

    def discriminator_kwargs(self) -> dict[str, Any]:
        """What the network is made of that judges."""
        return self.discriminator.architecture() | ({"size": self.size} if self.discriminator.sized else {})

    @classmethod
    def load(cls, name_or_file: str | Path) -> "Recipe":
        """The recipe of that name, or in that YAML file."""
        path = Path(name_or_file)
        if path.suffix in {".yaml", ".yml"}:
            if not path.is_file():
                raise ImpastoError(f"There is no recipe file {path}.")
            text = path.read_text(encoding="utf-8")
        else:
            known = bundled_recipes()
            if str(name_or_file) not in known and path.is_file():
                raise ImpastoError(f"{path} is no recipe: the file of one ends in .yaml.")
            if str(name_or_file) not in known:
                raise ImpastoError(f"There is no recipe '{name_or_file}'{nearest(str(name_or_file), known)}")
            text = (resources.files("impasto") / "config" / "recipes" / f"{name_or_file}.yaml").read_text(
                encoding="utf-8"
            )
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ImpastoError(f"{name_or_file} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise ImpastoError(f"{name_or_file} holds no settings: a recipe is 'name: value' lines.")
        return cls.of(values)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe of the method that these values name, checked; the first thing wrong is told in one line."""
        method = str(values.get("method"))
        if method not in RECIPES:
            raise ImpastoError(f"There is no method '{method}'{nearest(method, RECIPES)}")
        model = RECIPES[method]
        for group, networks in _choices(model):
            given = values.get(group)
            if isinstance(given, Mapping) and "network" in given and given["network"] not in networks:
                network = given["network"]
                raise ImpastoError(f"{method} has no {group} '{network}'{nearest(str(network), networks)}")
        known = _settings(model, values)
        for name in setting_names({key: value for key, value in values.items() if key != "tune"}):
            if name not in known:
                raise ImpastoError(f"There is no setting '{name}'{nearest(name, known)}")
        try:
            return model.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            tags = _networks(values) | {"range", "choice"}
            where = ".".join(str(part) for part in first["loc"] if part not in tags)
            if first["type"] in {"missing", "union_tag_not_found"}:
                lacking = where if first["type"] == "missing" else f"{where}.network"
                raise ImpastoError(f"The recipe lacks '{lacking}'.") from error
            message = first["msg"].removeprefix("Value error, ").split(", unable to")[0]
            if not where:
                raise ImpastoError(f"size = {values['size']}: {message}.") from error
            raise ImpastoError(f"{where} = {first['input']!r}: {message[0].lower()}{message[1:]}.") from error

    def require_sound_space(self) -> None:
        """Refuses a ``tune`` section of settings that there are not, of values that they cannot have, or without the
        recipe's own.

        Raises :class:`impasto.errors.ImpastoError`.
        """
        alone, values = self.without_search(), self.model_dump(exclude={"tune"})
        known = _settings(type(self), values)
        for name, where in self.tune.items():
            if name not in known:
                raise ImpastoError(f"tune: there is no setting '{name}'{nearest(name, known)}")
            ends = [where.low, where.high] if isinstance(where, Range) else where.choices
            try:
                outcomes = [_value(alone.replace([f"{name}={yaml.safe_dump(end)}"]).values(), name) for end in ends]
            except ImpastoError as error:
                raise ImpastoError(f"tune: {error}") from error
            own = _value(alone.values(), name)
            within = isinstance(where, Range) and isinstance(own, int | float) and where.low <= own <= where.high
            if own not in outcomes and not within:
                raise ImpastoError(f"tune: {name} is {own} in the recipe itself, outside of what is searched.")

    def without_search(self) -> Self:
        """The same recipe, as a training has it."""
        return self.model_copy(update={"tune": {}})

    def values(self) -> dict[str, Any]:
        """All settings, as JSON and YAML can hold them."""
        return self.model_dump(mode="json", exclude=None if self.tune else {"tune"})

    def value(self, name: str) -> Any:
        """The setting of that dotted name, as JSON can hold it."""
        return _value(self.values(), name)

    def replace(self, settings: Iterable[str]) -> "Recipe":
        """The recipe with settings such as ``generator.width=96`` changed."""
        values = self.model_dump()
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals:
                raise ImpastoError(f"'{setting}' sets nothing: write it as name=value, such as generator.width=96.")
            name = name.strip()
            known = _settings(type(self), values)
            if name not in known:
                raise ImpastoError(f"There is no setting '{name}'{nearest(name, known)}")
            *groups, last = name.split(".")
            group = values
            for part in groups:
                group = group[part]
            try:
                group[last] = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ImpastoError(f"'{setting}': the value is not YAML.") from error
            values["tune"].pop(name, None)  # what is set is not searched for
        return self.of(values)

    def changes(self) -> list[str]:
        """The settings that differ from the bundled_recipes recipe of the same name, as :meth:`replace` takes them."""
        own, other = self.values(), Recipe.load(self.name).values()
        known = set(setting_names(other))
        own.pop("tune", None)
        return [
            f"{name}={json.dumps(_value(own, name))}"
            for name in setting_names(own)
            if name not in known or _value(own, name) != _value(other, name)
        ]

    def to_yaml(self) -> str:
        """The recipe as YAML text that :meth:`load` reads back."""
        return yaml.safe_dump(self.values(), sort_keys=False, default_flow_style=None)


class NoiseRecipe(Recipe):
    """From noise."""

    batch: int = Field(ge=2, le=4096)
    latent: int = Field(ge=1, le=4096)

    def generator_kwargs(self) -> dict[str, Any]:
        return super().generator_kwargs() | {"size": self.size, "latent": self.latent}


class GanRecipe(NoiseRecipe):
    """At one size."""

    method: Literal["gan"]
    generator: Inventing
    discriminator: Judging


class ProgressiveRecipe(NoiseRecipe):
    """At first at a small size, which is doubled so many times, each for an equal share of the training; each new size
    is faded in during the share ``fade`` of its time."""

    method: Literal["progressive"]
    doublings: int = Field(ge=1, le=6)
    fade: Share
    generator: ProgressiveGenerator
    discriminator: ProgressiveDiscriminator

    @field_validator("doublings")
    @classmethod
    def _begins(cls, doublings: int, info: ValidationInfo) -> int:
        if info.data.get("size", math.inf) < 8 << doublings:
            raise ValueError("the first size would be below 8")
        return doublings

    @property
    def speed_changes(self) -> tuple[float, ...]:
        return tuple(number / (self.doublings + 1) for number in range(1, self.doublings + 1))

    @property
    def peak_memory_at(self) -> float:
        return (self.doublings + self.fade / 2) / (self.doublings + 1)  # while the largest size fades in

    def growth(self, progress: float) -> float:
        """How far the networks are grown at ``progress`` (0…1) through the training: sizes beside the first one, the
        last of which may be fading in."""
        number = min(int(progress * (self.doublings + 1)), self.doublings)
        within = progress * (self.doublings + 1) - number
        return number - 1 + min(within / self.fade, 1.0) if number and self.fade else float(number)

    def generator_kwargs(self) -> dict[str, Any]:
        return super().generator_kwargs() | {"start": self.size >> self.doublings}

    def discriminator_kwargs(self) -> dict[str, Any]:
        return super().discriminator_kwargs() | {"start": self.size >> self.doublings}


class TranslatorRecipe(Recipe):
    """Image-to-image translation. ``direction`` tells what is translated into what; ``identity`` is the weight of how
    far the generator changes what is in the target domain already (L1)."""

    direction: Literal["photo-to-painting", "painting-to-photo"] = "photo-to-painting"
    discriminator: Judging
    identity: NotNegative = 0.0

    @property
    def source(self) -> str:
        return "photos" if self.direction == "photo-to-painting" else "paintings"

    @property
    def target(self) -> str:
        return "paintings" if self.direction == "photo-to-painting" else "photos"

    @property
    def preserves_target(self) -> bool:
        return self.identity > 0


class PlainRecipe(TranslatorRecipe):
    """An adversarial loss and nothing to hold on to the photo, but for ``content``: the weight of its distance (L1)."""

    method: Literal["plain"]
    generator: Painting
    content: NotNegative = 0.0


class CycleRecipe(TranslatorRecipe):
    """There and back: the weight of the way back (L1), and the old fakes that are kept for the discriminators."""

    method: Literal["cyclegan"]
    generator: Painting
    cycle: NotNegative
    pool: int = Field(ge=0, le=10_000)

    @field_validator("direction")
    @classmethod
    def _both(cls, direction: str) -> str:
        if direction != "photo-to-painting":
            raise ValueError("a CycleGAN trains both directions: paint with --reverse instead")
        return direction


class CutRecipe(TranslatorRecipe):
    """Each place of a painting is more like that place of the photo than like others."""

    method: Literal["cut"]
    generator: Comparing
    contrast: Contrast

    @property
    def preserves_target(self) -> bool:
        return super().preserves_target or self.contrast.identity


class FsesimRecipe(TranslatorRecipe):
    """The layout of the photo is kept, as its self-similarities tell it, and nothing else of it."""

    method: Literal["fsesim"]
    generator: FeatureDecoderGenerator
    structure: Structure
    mood: Mood
    half: Fraction = 0.0  #: the share of the training, at its beginning, that is spent at half the size

    @field_validator("identity")
    @classmethod
    def _none(cls, identity: float) -> float:
        if identity:
            raise ValueError("the method fsesim has no identity loss: leave it at 0")
        return identity

    @model_validator(mode="after")
    def _whole_maps(self) -> Self:
        if self.size % self.min_size:
            half = ", as the first part of the training is at half the size (half > 0)" if self.half else ""
            raise ValueError(f"must be a multiple of {self.min_size}{half}")
        return self

    @property
    def min_size(self) -> int:
        return 2 * self.generator.stride if self.half else self.generator.stride

    @property
    def speed_changes(self) -> tuple[float, ...]:
        return (self.half,) if self.half else ()

    @property
    def scoring_network(self) -> str:
        return "alexnet"  # whatever the discriminator: the losses compare features of an EfficientNet


RECIPES: dict[str, type[Recipe]] = {
    "gan": GanRecipe,
    "progressive": ProgressiveRecipe,
    "plain": PlainRecipe,
    "cyclegan": CycleRecipe,
    "cut": CutRecipe,
    "fsesim": FsesimRecipe,
}


def bundled_recipes() -> list[str]:
    """The setting_names of the recipes that come with impasto, in order."""
    files = (resources.files("impasto") / "config" / "recipes").iterdir()
    stems = (Path(file.name).stem for file in files if file.name.endswith(".yaml"))
    return sorted(stems, key=lambda stem: (stem.rpartition("-")[0], len(stem), stem))


def setting_names(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted setting_names of the settings in nested ``values``."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from setting_names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _value(values: Mapping[str, Any], name: str) -> Any:
    for part in name.split("."):
        values = values[part]
    return values


def _settings(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted setting_names of all settings that a model knows, its networks being those that ``values`` name."""
    found: list[str] = []
    for key, field in model.model_fields.items():
        if key == "tune":
            continue
        within = values.get(key)
        group = _group(field.annotation, within if isinstance(within, Mapping) else {})
        found += [f"{prefix}{key}"] if group is None else _settings(group, {}, f"{prefix}{key}.")
    return found


def _group(annotation: Any, values: Mapping[str, Any]) -> type[BaseModel] | None:
    """The settings of a group; among networks, those of the one that is named; None for a single setting."""
    groups = _groups(annotation)
    named = [each for each in groups if values.get("network") in _network(each)]
    return next(iter(named or groups), None)


def _choices(model: type[BaseModel]) -> Iterator[tuple[str, list[str]]]:
    """The groups of a model that are networks, and the setting_names that each may have."""
    for key, field in model.model_fields.items():
        networks = [name for group in _groups(field.annotation) for name in _network(group)]
        if networks:
            yield key, networks


def _groups(annotation: Any) -> list[type[Settings]]:
    """The groups of settings that may stand there."""
    choices = [each for each in get_args(annotation) or (annotation,) if isinstance(each, type)]
    return [each for each in choices if issubclass(each, Settings)]


def _network(group: type[Settings]) -> tuple[str, ...]:
    field = group.model_fields.get("network")
    return () if field is None else get_args(field.annotation)


def _networks(values: Mapping[str, Any]) -> set[str]:
    """The setting_names of the networks, which pydantic puts into the places of its errors."""
    return {str(each["network"]) for each in values.values() if isinstance(each, Mapping) and "network" in each}
