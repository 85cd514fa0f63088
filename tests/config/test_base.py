import pytest
from pydantic import ValidationError

from impasto.config.base import Config
from impasto.config.optimisation import ScheduleConfig


def test_a_group_of_settings_refuses_unknown_names_and_cannot_be_changed() -> None:
    schedule = ScheduleConfig(decay_from=0.5)
    with pytest.raises(ValidationError):
        ScheduleConfig(decay_from=0.5, decay=0.5)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        schedule.warmup = 0.1
    assert all(each.model_config["frozen"] for each in Config.__subclasses__())
