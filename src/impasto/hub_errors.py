"""Names of repositories on the Hugging Face Hub, and one-line errors of its client."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from impasto.errors import ImpastoError

#: Top-level modules whose exceptions mean that a request failed.
CLIENTS = ("httpx", "httpx2", "requests", "huggingface_hub")
REPOSITORY = re.compile(r"[a-zA-Z0-9][\w.-]{0,95}/[a-zA-Z0-9][\w.-]{0,95}", re.ASCII)


class UnreachableHubError(ImpastoError):
    """The Hub, or a proxy on the way, does not answer, or the client is told to stay offline."""


def repository_name(repository: str) -> str:
    """Return NAME of OWNER/NAME. Raises ImpastoError for any other form."""
    if not REPOSITORY.fullmatch(repository):
        raise ImpastoError(f"{repository} is not a repository name: write it as OWNER/NAME.")
    return repository.partition("/")[2]


@contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """Turn errors of the Hub, of the connection and of the client's cache into an ImpastoError of one line."""
    try:
        yield
    except Exception as error:
        wrapped = type(error) is RuntimeError and error.__cause__ is not None  # so does the upload of large files
        translated = _translated(error.__cause__ if wrapped else error, repository)
        if translated is None:
            raise
        raise translated from error


def _translated(error: BaseException | None, repository: str) -> ImpastoError | None:
    """Return what to raise for an error of the Hub, of the connection or of the cache; None for any other."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ImpastoError(
            f"{repository} is open to those who accept its conditions: do so on its page on the Hub, and log in "
            "(hf auth login)."
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
        return ImpastoError(
            f"There is no {repository} on the Hub, or not for you: check the name, or log in (hf auth login)."
        )
    if isinstance(error, errors.HFValidationError):
        return ImpastoError(f"{repository} is not a repository name: write it as OWNER/NAME.")
    if isinstance(error, errors.LocalTokenNotFoundError):
        return ImpastoError("The Hub needs an access token: log in (hf auth login) or set HF_TOKEN.")
    # Addresses to upload to carry a signature in their query.
    reason = re.sub(r"\?[^\s'\"]+", "", " ".join(str(error).split()))
    if isinstance(error, errors.HfHubHTTPError):
        if error.response is not None and error.response.status_code in (401, 403):
            return ImpastoError(f"The Hub denies access to {repository}: log in (hf auth login) or set HF_TOKEN.")
        return ImpastoError(f"The Hub refused {repository} ({reason[:200]}).")
    if isinstance(error, OSError) and error.filename is not None:
        return ImpastoError(
            f"{error.filename} cannot be read or written ({error.strerror}): check it, or set HF_HOME to another."
        )
    # the HTTP client differs between versions of huggingface_hub
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in CLIENTS:
        return UnreachableHubError(f"The Hub cannot be reached ({reason[:100]}); try again.")
    return None
