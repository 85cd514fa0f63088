"""Styles on the Hugging Face Hub."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.inference.output import reserve
from impasto.interop.model_card import model_card, picture
from impasto.style import Card, Style, find_style, require_name

#: The libraries by which huggingface_hub speaks to the Hub.
CLIENTS = ("httpx", "httpx2", "requests", "huggingface_hub")


def push(style: str | Path, repository: str, *, private: bool = False, token: str | None = None) -> str:
    """Puts a style into a repository of models, which is made if it is not there: with a model card and a picture, in
    one commit.

    Args:
        style: the name of one that comes along, a style file or a run folder.
        repository: ``OWNER/NAME``.
        private: if the repository is made, only its owner sees it.
        token: that of an account; if not given, the one that ``hf auth login`` or ``HF_TOKEN`` left.

    Returns the address. Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    name = _name(repository)
    loaded = Style.load(style)
    data = io.BytesIO()
    picture(loaded).save(data, "JPEG", quality=90)
    with tempfile.TemporaryDirectory() as scratch, _told(repository):
        weights = Path(scratch) / f"{name}.safetensors"
        path = find_style(style)
        if path.is_file():
            shutil.copy(path, weights)
        else:
            loaded.save(weights)
        operations = [
            CommitOperationAdd(weights.name, weights),
            CommitOperationAdd("README.md", model_card(loaded.card, repository).encode()),
            CommitOperationAdd("paintings.jpg", data.getvalue()),
        ]
        api = HfApi(token=token)
        address = str(api.create_repo(repository, private=private, exist_ok=True))
        api.create_commit(repository, operations, commit_message=f"{name}, by impasto")
    return address


def pull(
    repository: str, out: str | Path | None = None, *, token: str | None = None, overwrite: bool = False
) -> tuple[Path, Card]:
    """Fetches a style from a repository, and looks whether it is one before it takes its name.

    Args:
        repository: ``OWNER/NAME``, or ``OWNER/NAME@REVISION``.
        out: the file; if not given, in ``styles/``, where it is found by name.
        token: as for :func:`push`.
        overwrite: replace ``out``.

    Returns the file and its card. Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    from huggingface_hub import HfApi

    repository, _, revision = repository.partition("@")
    name = _name(repository)
    out = Path("styles") / f"{name}.safetensors" if out is None else Path(out)
    require_name(out)
    reserve(out, file=True, overwrite=overwrite)
    with tempfile.TemporaryDirectory() as scratch, _told(repository):
        api = HfApi(token=token)
        files = [file for file in api.list_repo_files(repository, revision=revision or None) if _is_style(file)]
        if f"{name}.safetensors" in files:
            files = [f"{name}.safetensors"]
        if len(files) != 1:
            several = f"several files of weights ({', '.join(sorted(files))})" if files else "no file of weights"
            raise ImpastoError(f"{repository} holds {several}: there is no telling which is a style.")
        fetched = api.hf_hub_download(repository, files[0], revision=revision or None, local_dir=scratch)
        try:
            card = Style.load(fetched).card
        except ImpastoError as error:
            reason = str(error).removeprefix(f"{fetched} ")
            raise ImpastoError(f"{files[0]} of {repository} {reason}") from error
        with atomic_write(out) as part:
            shutil.copy(fetched, part)
    return out, card


def _is_style(file: str) -> bool:
    return file.endswith(".safetensors")


def _name(repository: str) -> str:
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise ImpastoError(f"{repository} names no repository: write it as OWNER/NAME.")
    return name


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Says in one line what the Hub, or the way to it, has against it."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise ImpastoError(
            f"There is no {repository} on the Hub, or not for you: check the name, or log in (hf auth login)."
        ) from error
    except errors.HFValidationError as error:
        raise ImpastoError(f"{repository} names no repository: write it as OWNER/NAME.") from error
    except errors.LocalTokenNotFoundError as error:
        raise ImpastoError("The Hub wants to know who you are: log in (hf auth login), or set HF_TOKEN.") from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        if code in (401, 403):
            raise ImpastoError(
                f"The Hub does not let you into {repository}: log in (hf auth login), or set HF_TOKEN."
            ) from error
        raise ImpastoError(f"The Hub refuses {repository} ({' '.join(str(error).split())[:200]}).") from error
    except Exception as error:
        # Its client is another library from one version to the next.
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in CLIENTS:
            raise
        raise ImpastoError(f"The Hub cannot be reached ({' '.join(str(error).split())[:100]}): try again.") from error
