"""Kaggle addresses and the errors of downloading them."""

from pathlib import Path

import pytest

from impasto.data.sources import open_source
from impasto.errors import ImpastoError


@pytest.mark.parametrize("address", ["", "/", "..", "a/../..", "datasets", "datasets/owner"])
def test_a_malformed_kaggle_address_is_an_error(address: str) -> None:
    with pytest.raises(ImpastoError, match="is not a Kaggle address"):
        open_source(f"kaggle:{address}")


def test_kaggle_without_an_account_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HOME", "USERPROFILE", "KAGGLE_CONFIG_DIR", "KAGGLEHUB_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(ImpastoError, match=r"kaggle:gan-getting-started (needs|was not)") as error:
        open_source("kaggle:gan-getting-started/monet_jpg")
    assert "\n" not in str(error.value)
