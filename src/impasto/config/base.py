"""The base of all groups of settings."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """A frozen group of settings that refuses unknown names, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
