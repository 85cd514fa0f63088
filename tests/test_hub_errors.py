"""Errors of the Hub's client as one line, and names of repositories."""

import pytest
from huggingface_hub import errors

from impasto.errors import ImpastoError
from impasto.hub_errors import UnreachableHubError, hub_errors, repository_name


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.OfflineModeIsEnabled("offline mode is enabled"), "The Hub cannot be reached (offline mode is enabled)"),
        (errors.LocalEntryNotFoundError("no\nfile"), "The Hub cannot be reached (no file)"),
        (
            PermissionError(13, "Permission denied", "/cache/x"),
            "/cache/x cannot be read or written (Permission denied)",
        ),
        (errors.HFValidationError("too long"), "hf:me/x is not a repository name"),
        (errors.LocalTokenNotFoundError(), "The Hub needs an access token"),
    ],
)
def test_an_error_of_the_client_is_one_line(error: Exception, message: str) -> None:
    with pytest.raises(ImpastoError) as raised, hub_errors("hf:me/x"):
        raise error
    assert str(raised.value).startswith(message)
    assert isinstance(raised.value, UnreachableHubError) == message.startswith("The Hub cannot be reached")


def test_an_error_that_is_not_the_hubs_passes() -> None:
    with pytest.raises(ZeroDivisionError), hub_errors("hf:me/x"):
        raise ZeroDivisionError


def test_the_name_of_a_repository_follows_its_owner() -> None:
    assert repository_name("me/x") == "x"
    with pytest.raises(ImpastoError, match="write it as OWNER/NAME"):
        repository_name("x")
