"""The typed settings of networks, derived from the constructors of the registered classes.

A generator or discriminator is one class with one decorator. Its settings are those of its optimiser and the annotated
parameters of its constructor; what the recipe knows by itself (:data:`GIVEN`) is passed in where the constructor takes
it. What a network can do is read from the class as well: a generator that takes ``latent`` generates from noise, one
that does not translates images, and a method asks for further abilities by the names of methods (``features``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import Parameter, signature
from typing import Any, ClassVar, Literal, get_type_hints

from pydantic import GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from impasto.config.optimisation import AdamConfig
from impasto.config.registry import Registry
from impasto.config.types import Positive

#: Parameters of a constructor that the recipe supplies: the image size, the length of a latent, and the size at which
#: progressive growing starts.
GIVEN = ("size", "latent", "start")


class NetworkConfig(AdamConfig):
    """A network by its registered name, what it is made of, and its optimiser."""

    network: str
    network_class: ClassVar[type]  #: the registered class

    def architecture(self) -> dict[str, Any]:
        """What the network is made of: all settings but the optimiser's."""
        return self.model_dump(exclude=set(self.optimiser_settings()))

    def kwargs(self, **given: Any) -> dict[str, Any]:
        """The architecture, and those of the ``given`` values that the network's constructor takes."""
        return self.architecture() | {name: value for name, value in given.items() if self.takes(name)}

    def takes(self, name: str) -> bool:
        """Whether the network's constructor has a parameter of that name."""
        return takes(self.network_class, name)

    @property
    def min_size(self) -> int:
        """The smallest image side that the network takes."""
        return int(getattr(self.network_class, "min_size", 1))

    @property
    def normalises_batch(self) -> bool:
        """Whether it contains BatchNorm, which makes an image's output depend on the others of its batch."""
        return getattr(self.network_class, "normalises_batch", False) or getattr(self, "norm", None) == "batch"

    @property
    def stride(self) -> int:
        """Image sides in training must be multiples of this."""
        return int(getattr(self.network_class, "stride", 1))

    @property
    def feature_family(self) -> str | None:
        """The family of pretrained networks whose features it uses, such as ``efficientnet``; None for none."""
        family: str | None = getattr(self.network_class, "feature_family", None)
        return family

    @classmethod
    def optimiser_settings(cls) -> list[str]:
        """The names of the settings that are the optimiser's."""
        return list(AdamConfig.model_fields)


class GeneratorConfig(NetworkConfig):
    """A generator and its optimiser."""


class DiscriminatorConfig(NetworkConfig):
    """A discriminator and its optimiser."""

    clip_weights: Positive | None = None  #: largest absolute weight, as in WGAN

    @classmethod
    def optimiser_settings(cls) -> list[str]:
        return [*super().optimiser_settings(), "clip_weights"]


def takes(network: type, name: str) -> bool:
    """Whether the constructor of a network class has a parameter of that name."""
    return name in signature(network).parameters


@dataclass(frozen=True)
class NetworkField:
    """The type of a recipe's field that holds a network: ``Annotated[GeneratorConfig, NetworkField(…)]``.

    Attributes:
        registry: where the networks are registered.
        base: the settings that all of them share.
        latent: only those that take a latent (True), or only those that take none (False).
        methods: only those that have these methods.
        without: only those that do not have these methods.
    """

    registry: Registry[Any]
    base: type[NetworkConfig]
    latent: bool | None = None
    methods: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """The networks that fit."""
        return [name for name, network in self.registry.items() if self._fits(network)]

    def config(self, name: str) -> type[NetworkConfig]:
        """The typed settings of the network of that name."""
        return _config(self.base, name, self.registry[name])

    def _fits(self, network: type) -> bool:
        return (
            (self.latent is None or takes(network, "latent") == self.latent)
            and all(hasattr(network, method) for method in self.methods)
            and not any(hasattr(network, method) for method in self.without)
        )

    def _validate(self, value: Any) -> NetworkConfig:
        if isinstance(value, NetworkConfig):
            value = value.model_dump()
        if not isinstance(value, Mapping):
            raise PydanticCustomError("network", "Input should be the settings of a network")
        if "network" not in value:
            raise PydanticCustomError("union_tag_not_found", "Field required")
        if value["network"] not in self.names():
            raise PydanticCustomError("network", "Input should be one of {names}", {"names": ", ".join(self.names())})
        return self.config(value["network"]).model_validate(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda config, info: config.model_dump(mode=info.mode), info_arg=True
            ),
        )


@cache
def _config(base: type[NetworkConfig], name: str, network: type) -> type[NetworkConfig]:
    fields: dict[str, Any] = {"network": (Literal[name], ...)}
    fields |= {
        parameter.name: (annotation, ... if parameter.default is Parameter.empty else parameter.default)
        for parameter, annotation in _parameters(network)
        if parameter.name not in GIVEN
    }
    config: type[NetworkConfig] = create_model(f"{base.__name__}[{name}]", __base__=base, **fields)
    config.network_class = network
    return config


def _parameters(network: type) -> Iterator[tuple[Parameter, Any]]:
    """The parameters of a network's constructor with their annotations."""
    hints = get_type_hints(network.__init__, include_extras=True)  # type: ignore[misc]
    for name, parameter in signature(network).parameters.items():
        if name not in hints:
            raise TypeError(f"{network.__module__}.{network.__qualname__}: annotate the parameter {name!r}")
        yield parameter, hints[name]
