"""Push styles to the Hugging Face Hub, and pull them."""

import contextlib
import io
import shutil
import tempfile
from itertools import islice
from pathlib import Path, PurePosixPath

from impasto.errors import ImpastoError, require
from impasto.files import atomic_write, user_path
from impasto.hub_errors import hub_errors, repository_name
from impasto.inference.output import reserve
from impasto.interop.model_card import model_card, preview
from impasto.style import Card, Style, find_style, require_name

#: Largest style that is downloaded, in bytes, and most files of a repository that are looked at.
MAX_BYTES, MAX_FILES = 2_000_000_000, 10_000
#: Files that an error names.
MAX_NAMED = 5


def push(style: str | Path, repository: str, *, private: bool = False, token: str | None = None) -> str:
    """Upload a style with a model card and a preview image, in one commit; create the repository if needed.

    Args:
        style: the name of a bundled style, a style file or a run folder.
        repository: ``OWNER/NAME``.
        private: make a new repository private.
        token: an access token; default is that of ``hf auth login`` or ``HF_TOKEN``.

    Returns the URL of the repository. Raises ImpastoError if the Hub refuses or cannot be reached; a card that the Hub
    does not accept is refused before the repository is created.
    """
    require("huggingface_hub", "hub")
    from huggingface_hub import CommitOperationAdd, HfApi

    name = repository_name(repository)
    loaded = Style.load(style)
    with hub_errors(repository):
        readme = _accepted_card(loaded.card, repository)
    data = io.BytesIO()
    preview(loaded).save(data, "JPEG", quality=90)
    with tempfile.TemporaryDirectory() as scratch, hub_errors(repository):
        weights = Path(scratch) / f"{name}.safetensors"
        path = find_style(style)
        if path.is_file():
            shutil.copy(path, weights)
        else:
            loaded.save(weights)
        operations = [
            CommitOperationAdd(weights.name, weights),
            CommitOperationAdd("README.md", readme.encode()),
            CommitOperationAdd("paintings.jpg", data.getvalue()),
        ]
        api = HfApi(token=token)
        url = str(api.create_repo(repository, private=private, exist_ok=True))
        api.create_commit(repository, operations, commit_message=f"Upload {name}")
    return url


def _accepted_card(card: Card, repository: str) -> str:
    """Return the model card of a style, with metadata that the Hub accepts."""
    from huggingface_hub import ModelCard, errors

    reason = ""
    for known_license in (True, False):
        text = model_card(card, repository, known_license=known_license)
        # A Hub that does not answer is reported by the first request that needs it.
        with contextlib.suppress(errors.HfHubHTTPError):
            try:
                ModelCard(text).validate(repo_type="model")
            except ValueError as error:
                reason = " ".join(str(error).split())
                continue
        return text
    raise ImpastoError(f"The Hub does not accept the description of this style ({reason}).")


def pull(
    repository: str, out: str | Path | None = None, *, token: str | None = None, overwrite: bool = False
) -> tuple[Path, Card]:
    """Download a style and check that it is one before writing ``out``.

    Args:
        repository: ``OWNER/NAME``, or ``OWNER/NAME@REVISION``.
        out: the file to write; default ``styles/NAME.safetensors``, where it is found by name.
        token: as for :func:`push`.
        overwrite: replace ``out``.

    Returns the file and its card. Raises ImpastoError if the repository holds no single style, the Hub refuses or
    cannot be reached, or ``out`` exists.
    """
    require("huggingface_hub", "hub")
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    repository, _, revision = repository.partition("@")
    name = repository_name(repository)
    out = Path("styles") / f"{name}.safetensors" if out is None else user_path(out)
    require_name(out)
    reserve(out, file=True, overwrite=overwrite)
    with tempfile.TemporaryDirectory() as scratch, hub_errors(repository):
        api = HfApi(token=token)
        # Everything below is of one commit, whatever is pushed meanwhile.
        commit = api.model_info(repository, revision=revision or None).sha
        tree = islice(api.list_repo_tree(repository, revision=commit, recursive=True), MAX_FILES)
        sizes = {each.path: each.size for each in tree if isinstance(each, RepoFile) and _is_style(each.path)}
        files = [f"{name}.safetensors"] if f"{name}.safetensors" in sizes else list(sizes)
        if len(files) != 1:
            names = f"{', '.join(sorted(files)[:MAX_NAMED])}{', …' if len(files) > MAX_NAMED else ''}"
            content = f"several safetensors files ({names})" if files else "no safetensors file"
            raise ImpastoError(f"{repository} holds {content}; expected one, or one named {name}.safetensors.")
        if sizes[files[0]] > MAX_BYTES:
            raise ImpastoError(f"{files[0]} of {repository} is larger than {MAX_BYTES / 1e9:.0f} GB: it is no style.")
        fetched = api.hf_hub_download(repository, files[0], revision=commit, local_dir=scratch)
        try:
            card = Style.load(fetched).card
        except ImpastoError as error:
            reason = str(error).removeprefix(f"{fetched} ")
            raise ImpastoError(f"{files[0]} of {repository} {reason}") from error
        with atomic_write(out) as part:
            shutil.copy(fetched, part)
    return out, card


def _is_style(file: str) -> bool:
    path = PurePosixPath(file)
    return path.suffix == ".safetensors" and not path.is_absolute() and ".." not in path.parts
