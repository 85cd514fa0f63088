import pytest
from pydantic import ValidationError

from impasto.config.data import AugmentConfig


def test_scales_come_in_order() -> None:
    assert AugmentConfig(flip=True, scale=(0.5, 0.75)).rotate == 0
    with pytest.raises(ValidationError, match="smaller scale comes first"):
        AugmentConfig(flip=True, scale=(0.75, 0.5))
