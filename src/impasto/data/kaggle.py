"""Kaggle's competitions and data sets, fetched through kagglehub, which keeps what it has fetched."""

from pathlib import Path, PurePosixPath

from impasto.errors import ImpastoError


def fetch(address: str) -> Path:
    """Download (or find again) what ``NAME[/FOLDER]`` or ``datasets/OWNER/NAME[/FOLDER]`` names on Kaggle.

    The first is a competition, the second a data set, as in the addresses of Kaggle's own pages.

    Raises:
        ImpastoError: the address is none, there is no network or account, rules are not accepted, or
            Kaggle has nothing of that name.
    """
    parts = PurePosixPath(address).parts
    taken = 3 if parts[:1] == ("datasets",) else 1
    if len(parts) < taken or ".." in parts or address.startswith("/"):
        raise ImpastoError(
            f"kaggle:{address} names nothing: write kaggle:COMPETITION[/FOLDER] or kaggle:datasets/OWNER/NAME[/FOLDER]"
        )
    root = _download(parts[:taken])
    path = root.joinpath(*parts[taken:])
    if not path.exists():
        there = ", ".join(sorted(each.name for each in root.iterdir())) if root.is_dir() else root.name
        raise ImpastoError(f"kaggle:{address} is not in that download: it holds {there}")
    return path


def _download(parts: tuple[str, ...]) -> Path:
    import kagglehub
    from kagglehub import exceptions

    name = "/".join(parts)
    page = f"kaggle.com/{name}" if len(parts) == 3 else f"kaggle.com/competitions/{name}"
    try:
        if len(parts) == 3:
            return Path(kagglehub.dataset_download("/".join(parts[1:])))
        return Path(kagglehub.competition_download(name))
    except (exceptions.UnauthenticatedError, exceptions.CredentialError) as error:
        raise ImpastoError(
            f"kaggle:{name} needs a Kaggle account: make a token at kaggle.com/settings and set KAGGLE_API_TOKEN"
        ) from error
    except exceptions.KaggleApiHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            advice = f"Kaggle refuses it: log in and accept the rules at {page}"
        elif status == 404:
            advice = f"Kaggle knows nothing of that name: look at {page}"
        else:
            advice = f"Kaggle answered with an error ({status}): try again later"
        raise ImpastoError(f"kaggle:{name} was not fetched: {advice}") from error
    except OSError as error:
        raise ImpastoError(
            f"kaggle:{name} was not fetched, the network or disk failed ({type(error).__name__}): "
            f"try again, or download it from {page} and give the zip"
        ) from error
    except (
        exceptions.BackendError,
        exceptions.DataCorruptionError,
        exceptions.NotFoundError,
        ValueError,
    ) as error:
        raise ImpastoError(f"kaggle:{name} was not fetched: {str(error).partition(chr(10))[0]}") from error
