"""The dotted names of a recipe's settings: ``generator.width``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from impasto.config.base import Config
from impasto.config.networks import NetworkField

#: Parts of the longest dotted name: no recipe has more, whereas JSON may be nested a thousand times.
MAX_PARTS = 10


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings in nested ``values`` by dotted name. What is nested more than :data:`MAX_PARTS` times is
    taken for one setting."""
    for key, value in values.items():
        if isinstance(value, Mapping) and prefix.count(".") < MAX_PARTS:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def setting_names(values: Mapping[str, Any]) -> Iterator[str]:
    """The dotted names of the settings in nested ``values``."""
    return (name for name, _ in flatten(values))


def value_at(values: Mapping[str, Any], name: str | Sequence[str]) -> Any:
    """The value of a dotted name, or of its parts."""
    for part in name.split(".") if isinstance(name, str) else name:
        values = values[part]
    return values


def known_settings(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted names of all settings of a model, with the networks that ``values`` name."""
    found: list[str] = []
    for key, field in model.model_fields.items():
        if key == "tune":
            continue
        within = values.get(key)
        network = network_field(model, key)
        group: type[BaseModel] | None
        if network is not None:
            chosen = within.get("network") if isinstance(within, Mapping) else None
            group = network.config(chosen if chosen in network.names() else network.names()[0])
        else:
            choices = [each for each in get_args(field.annotation) or (field.annotation,) if isinstance(each, type)]
            group = next((each for each in choices if issubclass(each, Config)), None)
        found += [f"{prefix}{key}"] if group is None else known_settings(group, {}, f"{prefix}{key}.")
    return found


def network_fields(model: type[BaseModel]) -> Iterator[tuple[str, NetworkField]]:
    """The fields of a model that hold networks."""
    for key in model.model_fields:
        field = network_field(model, key)
        if field is not None:
            yield key, field


def network_field(model: type[BaseModel], key: str) -> NetworkField | None:
    """Which networks a field may hold; None for a field that holds none."""
    return next((each for each in model.model_fields[key].metadata if isinstance(each, NetworkField)), None)
