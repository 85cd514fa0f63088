"""Where ``impasto tune`` searches for a setting."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from impasto.config.base import Config


class Range(Config):
    """A range of numbers from ``low`` to ``high``: uniform or, with ``log``, uniform in the logarithm; integers if
    both ends are."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range must begin above 0")
        return self


class Choice(Config):
    """A few values to choose from."""

    choices: tuple[Any, ...] = Field(min_length=2, max_length=100)


def _kind(searched: Any) -> str:
    given = searched if isinstance(searched, Mapping) else getattr(searched, "__dict__", {})
    return "choice" if "choices" in given else "range"


#: The search space of one setting.
Searched = Annotated[Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind)]
