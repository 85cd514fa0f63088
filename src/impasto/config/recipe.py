"""A recipe: every choice of a training, typed and validated, read from and written to YAML."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from impasto.config import bundled_recipes, migrations
from impasto.config.base import Config
from impasto.config.data import AugmentConfig, DiffAugmentConfig
from impasto.config.networks import DiscriminatorConfig, GeneratorConfig, NetworkField
from impasto.config.optimisation import PENALTIES, EmaConfig, PenaltyConfig, ScheduleConfig
from impasto.config.registries import DISCRIMINATORS, GENERATORS, LOSSES, METHODS
from impasto.config.scoring import scoring_network
from impasto.config.search_space import Range, Searched
from impasto.config.setting_paths import known_settings, network_fields, setting_names, value_at
from impasto.config.types import Fraction, NotNegative
from impasto.config.yaml_reader import read_yaml, read_yaml_file
from impasto.errors import ImpastoError, nearest, shorten

#: Generators that start from noise, and those that translate images; both of one size from the first step on.
NoiseGenerator = Annotated[GeneratorConfig, NetworkField(GENERATORS, GeneratorConfig, latent=True, without=("grow",))]
ImageGenerator = Annotated[
    GeneratorConfig, NetworkField(GENERATORS, GeneratorConfig, latent=False, without=("set_moods",))
]
#: Discriminators of one size from the first step on.
FixedDiscriminator = Annotated[
    DiscriminatorConfig, NetworkField(DISCRIMINATORS, DiscriminatorConfig, without=("grow",))
]


class Recipe(Config):
    """Every choice of a training. The same recipe, seed and data give the same style."""

    name: str
    method: str
    size: int = Field(ge=16, le=1024)
    batch: int = Field(ge=1, le=4096)
    loss: str
    smoothing: Fraction = 0.0  #: of the label of real images (one-sided label smoothing)
    generator_every: int = Field(default=1, ge=1, le=1000)  #: discriminator steps per generator step
    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    penalty: PenaltyConfig = PenaltyConfig()
    schedule: ScheduleConfig
    ema: EmaConfig
    augment: AugmentConfig
    diffaugment: DiffAugmentConfig = DiffAugmentConfig()
    heldout: Fraction
    tune: dict[str, Searched] = Field(default_factory=dict)  #: the search space of `impasto tune`, by dotted names

    @field_validator("loss")
    @classmethod
    def _registered(cls, loss: str) -> str:
        if loss not in LOSSES:
            raise ValueError(f"there is no such loss{nearest(loss, LOSSES)}".rstrip(".?"))
        return loss

    @field_validator("smoothing")
    @classmethod
    def _labelled(cls, smoothing: float, info: ValidationInfo) -> float:
        loss = info.data.get("loss")
        if smoothing and loss is not None and not LOSSES[loss].labelled:
            labelled = " and ".join(name for name, each in LOSSES.items() if each.labelled)
            raise ValueError(f"only {labelled} have labels that could be smoothed")
        return smoothing

    @model_validator(mode="after")
    def _possible_size(self, info: ValidationInfo) -> Self:
        sized = self.discriminator.takes("size") or self.generator.takes("size")
        if self.size & (self.size - 1) and sized:
            raise ValueError("must be a power of two, such as 64, 128 or 256")
        for role, network in (("discriminator", self.discriminator), ("generator", self.generator)):
            if self.size < network.min_size and not _recorded(info):
                raise ValueError(f"the {role} {network.network} takes {network.min_size} at least")
        return self

    @model_validator(mode="after")
    def _no_penalty_with_batch_norm(self, info: ValidationInfo) -> Self:
        for name in PENALTIES:
            if getattr(self.penalty, name) and self.discriminator.normalises_batch and not _recorded(info):
                raise PydanticCustomError(
                    "penalty",
                    "must be 0, as the discriminator {network} normalises over the batch, which mixes the gradients of "
                    "different images",
                    {"setting": f"penalty.{name}", "network": self.discriminator.network},
                )
        return self

    @property
    def task(self) -> Literal["generation", "translation"]:
        """Unconditional generation from noise, or image-to-image translation."""
        return "generation"

    @property
    def source(self) -> str:
        """The source domain, or "noise"."""
        return "noise"

    @property
    def target(self) -> str:
        """The target domain."""
        return "paintings"

    @property
    def translates(self) -> bool:
        """Whether the task is translation."""
        return self.task == "translation"

    @property
    def min_size(self) -> int:
        """The smallest size that it may have."""
        return max(self.discriminator.min_size, self.generator.min_size)

    @property
    def min_batch(self) -> int:
        """The smallest batch; generation from noise normalises over the batch."""
        return 1

    @property
    def preserves_target(self) -> bool:
        """Whether it is trained to leave images of the target domain unchanged (identity loss)."""
        return False

    @property
    def speed_changes(self) -> tuple[float, ...]:
        """The shares of the training, within 0…1, after which a step takes another time than before."""
        return ()

    @property
    def peak_memory_at(self) -> float:
        """The progress, 0…1, at which a step takes most memory."""
        return 1.0

    @property
    def stored_size(self) -> int:
        """The size to store images at, from which training crops are cut."""
        return self.augment.stored_size(self.size)

    @property
    def sample_size(self) -> int:
        """The size of samples, at which they are shown and scored; whole images for translation."""
        return self.stored_size if self.translates else self.size

    @property
    def scoring_network(self) -> str:
        """The feature extractor that chooses the best style; of another family than those that it is trained with."""
        return scoring_network(self.feature_families)

    @property
    def feature_families(self) -> frozenset[str]:
        """The families of pretrained networks whose features its generator and discriminator use."""
        families = self.generator.feature_family, self.discriminator.feature_family
        return frozenset(family for family in families if family is not None)

    def generator_kwargs(self) -> dict[str, Any]:
        """The generator's registered name and the arguments of its constructor."""
        return self.generator.kwargs(**self._given())

    def discriminator_kwargs(self) -> dict[str, Any]:
        """The discriminator's registered name and the arguments of its constructor."""
        return self.discriminator.kwargs(**self._given())

    def _given(self) -> dict[str, Any]:
        """What a network may want to know of the recipe (:data:`impasto.config.networks.GIVEN`)."""
        return {"size": self.size}

    @classmethod
    def load(cls, name_or_file: str | Path, *, recorded: bool = False) -> "Recipe":
        """The recipe of that name, or in that YAML file. ImpastoError if there is none, or a wrong one; see
        :meth:`of`."""
        path = Path(name_or_file)
        if path.suffix in {".yaml", ".yml"}:
            if not path.is_file():
                raise ImpastoError(f"There is no recipe file {path}.")
            values = read_yaml_file(path)
        else:
            bundled = bundled_recipes()
            if str(name_or_file) not in bundled and path.is_file():
                raise ImpastoError(f"{path} is no recipe: recipe files end in .yaml.")
            if str(name_or_file) not in bundled:
                raise ImpastoError(f"There is no recipe '{name_or_file}'{nearest(str(name_or_file), bundled)}")
            values = read_yaml(bundled[str(name_or_file)].read_text(encoding="utf-8"), str(name_or_file))
        if not isinstance(values, dict):
            raise ImpastoError(f"{name_or_file} holds no settings: a recipe is 'name: value' lines.")
        return cls.of(values, recorded=recorded)

    @classmethod
    def of(cls, values: Mapping[str, Any], *, recorded: bool = False) -> "Recipe":
        """The recipe of the method that these values name, validated. ImpastoError names the first mistake.

        ``recorded``: of a training or search that has begun, such as that of a style. Earlier versions allowed settings
        that no new training may have, and searched them.
        """
        values = migrations.recipe(values)
        method = str(values.get("method"))
        model = METHODS.find(method).recipe_class
        for group, field in network_fields(model):
            given = values.get(group)
            if isinstance(given, Mapping) and "network" in given and given["network"] not in (fits := field.names()):
                network = given["network"]
                raise ImpastoError(f"{method} has no {group} '{network}'{nearest(str(network), fits)}")
        known = known_settings(model, values)
        for name in setting_names({key: value for key, value in values.items() if key != "tune"}):
            if name not in known:
                raise ImpastoError(f"There is no setting '{name}'{nearest(name, known)}")
        try:
            recipe = model.model_validate(values, context={"recorded": recorded})
        except ValidationError as error:
            raise ImpastoError(_first_mistake(error, values)) from error
        if recorded and recipe.discriminator.normalises_batch:
            penalties = {f"penalty.{name}" for name in PENALTIES}
            searched = {name: space for name, space in recipe.tune.items() if name not in penalties}
            return recipe.model_copy(update={"tune": searched})
        return recipe

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.values(),)  # the classes of its networks' settings are made at run time

    def require_valid_search_space(self) -> None:
        """Refuse a ``tune`` section with unknown settings, values that they cannot have, or without the recipe's own.

        Raises :class:`impasto.errors.ImpastoError`.
        """
        alone, values = self.without_search(), self.model_dump(exclude={"tune"})
        known = known_settings(type(self), values)
        for name, where in self.tune.items():
            if name not in known:
                raise ImpastoError(f"tune: there is no setting '{name}'{nearest(name, known)}")
            ends = [where.low, where.high] if isinstance(where, Range) else where.choices
            try:
                outcomes = [value_at(alone.replace([f"{name}={yaml.safe_dump(end)}"]).values(), name) for end in ends]
            except ImpastoError as error:
                raise ImpastoError(f"tune: {error}") from error
            own = value_at(alone.values(), name)
            within = isinstance(where, Range) and isinstance(own, int | float) and where.low <= own <= where.high
            if own not in outcomes and not within:
                raise ImpastoError(f"tune: {name} is {own} in the recipe itself, which is outside its search space.")

    def without_search(self) -> Self:
        """The same recipe without its search space, as a training stores it."""
        return self.model_copy(update={"tune": {}})

    def values(self) -> dict[str, Any]:
        """All settings, as JSON and YAML can hold them."""
        return self.model_dump(mode="json", exclude=None if self.tune else {"tune"})

    def value(self, name: str) -> Any:
        """The setting of that dotted name, as JSON can hold it."""
        return value_at(self.values(), name)

    def replace(self, settings: str | Iterable[str]) -> "Recipe":
        """The recipe with a setting such as ``generator.width=96``, or several, changed."""
        values = self.model_dump()
        for setting in [settings] if isinstance(settings, str) else settings:
            name, equals, text = setting.partition("=")
            if not equals:
                raise ImpastoError(f"'{setting}' sets nothing: write it as name=value, such as generator.width=96.")
            name = name.strip()
            known = known_settings(type(self), values)
            if name not in known:
                raise ImpastoError(f"There is no setting '{name}'{nearest(name, known)}")
            *groups, last = name.split(".")
            value_at(values, groups)[last] = read_yaml(text, f"'{setting}'")
            values["tune"].pop(name, None)  # a setting that is set is not searched
            values = migrations.recipe(values)  # it may have been set to a former name
        return self.of(values)

    def changes(self) -> list[str]:
        """The settings that differ from the bundled recipe of the same name, as :meth:`replace` takes them."""
        own, other = self.values(), Recipe.load(self.name).values()
        known = set(setting_names(other))
        own.pop("tune", None)
        return [
            f"{name}={json.dumps(value_at(own, name))}"
            for name in setting_names(own)
            if name not in known or value_at(own, name) != value_at(other, name)
        ]

    def to_yaml(self) -> str:
        """The recipe as YAML text that :meth:`load` reads back."""
        return yaml.safe_dump(self.values(), sort_keys=False, default_flow_style=None)


class GenerationRecipe(Recipe):
    """Unconditional generation from noise."""

    batch: int = Field(ge=2, le=4096)
    latent: int = Field(ge=1, le=4096)  #: length of a latent

    @property
    def min_batch(self) -> int:
        return 2

    def _given(self) -> dict[str, Any]:
        return super()._given() | {"latent": self.latent}


class TranslationRecipe(Recipe):
    """Image-to-image translation from a source to a target domain (``direction``). ``identity`` is the weight of the
    identity loss (L1): how far the generator changes images of the target domain."""

    direction: Literal["photo-to-painting", "painting-to-photo"] = "photo-to-painting"
    generator: ImageGenerator
    discriminator: FixedDiscriminator
    identity: NotNegative = 0.0

    @property
    def task(self) -> Literal["generation", "translation"]:
        return "translation"

    @property
    def source(self) -> str:
        return "photos" if self.direction == "photo-to-painting" else "paintings"

    @property
    def target(self) -> str:
        return "paintings" if self.direction == "photo-to-painting" else "photos"

    @property
    def preserves_target(self) -> bool:
        return self.identity > 0


def _recorded(info: ValidationInfo) -> bool:
    return bool(info.context and info.context["recorded"])


def _unpickled(values: Mapping[str, Any]) -> Recipe:
    return Recipe.of(values, recorded=True)


def _first_mistake(error: ValidationError, values: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in {"range", "choice"})
    if first["type"] in {"missing", "union_tag_not_found"}:
        return f"The recipe lacks '{where if first['type'] == 'missing' else f'{where}.network'}'."
    message = first["msg"].removeprefix("Value error, ").split(", unable to")[0]
    if not where:
        setting = first.get("ctx", {}).get("setting", "size")
        return f"{setting} = {value_at(values, setting)}: {message}."
    return f"{where} = {shorten(repr(first['input']), 60)}: {message[0].lower()}{message[1:]}."
