"""Download Kaggle competitions and data sets through kagglehub and its cache."""

from pathlib import Path, PurePosixPath

from impasto.errors import ImpastoError, require


def download(address: str) -> Path:
    """Download a Kaggle competition, ``NAME[/FOLDER]``, or data set, ``datasets/OWNER/NAME[/FOLDER]``, and return its
    path in the cache.

    Raises:
        ImpastoError: the address is malformed or unknown to Kaggle, there is no network or account, the rules are not
            accepted, or kagglehub is not installed.
    """
    parts = PurePosixPath(address).parts
    taken = 3 if parts[:1] == ("datasets",) else 1
    if len(parts) < taken or ".." in parts or address.startswith("/"):
        raise ImpastoError(
            f"kaggle:{address} is not a Kaggle address: "
            "write kaggle:COMPETITION[/FOLDER] or kaggle:datasets/OWNER/NAME[/FOLDER]"
        )
    root = _download(parts[:taken])
    path = root.joinpath(*parts[taken:])
    if not path.exists():
        there = ", ".join(sorted(each.name for each in root.iterdir())) if root.is_dir() else root.name
        raise ImpastoError(f"kaggle:{address} is not in the download, which contains {there}: check the path")
    return path


def _download(parts: tuple[str, ...]) -> Path:
    kagglehub = require("kagglehub", extra="kaggle")
    exceptions = require("kagglehub.exceptions", extra="kaggle")

    name = "/".join(parts)
    page = f"kaggle.com/{name}" if len(parts) == 3 else f"kaggle.com/competitions/{name}"
    try:
        if len(parts) == 3:
            return Path(kagglehub.dataset_download("/".join(parts[1:])))
        return Path(kagglehub.competition_download(name))
    except (exceptions.UnauthenticatedError, exceptions.CredentialError) as error:
        raise ImpastoError(
            f"kaggle:{name} needs a Kaggle account: create a token at kaggle.com/settings and set KAGGLE_API_TOKEN"
        ) from error
    except exceptions.KaggleApiHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            advice = f"access denied: log in and accept the rules at {page}"
        elif status == 404:
            advice = f"not found: check the name at {page}"
        else:
            advice = f"Kaggle returned HTTP error {status}: try again later"
        raise ImpastoError(f"kaggle:{name} was not downloaded: {advice}") from error
    except OSError as error:
        raise ImpastoError(
            f"kaggle:{name} was not downloaded, the network or disk failed ({type(error).__name__}): "
            f"try again, or download it from {page} and give the zip"
        ) from error
    except (
        exceptions.BackendError,
        exceptions.DataCorruptionError,
        exceptions.NotFoundError,
        ValueError,
    ) as error:
        raise ImpastoError(f"kaggle:{name} was not downloaded: {str(error).partition(chr(10))[0]}") from error
