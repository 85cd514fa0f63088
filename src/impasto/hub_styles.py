"""Download the style of a repository on the Hugging Face Hub through the cache of huggingface_hub."""

from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from impasto.errors import ImpastoError, require
from impasto.hub_errors import REPOSITORY, UnreachableHubError, hub_errors, repository_name

#: The files of a repository that hold a style, and its settings for other programs.
WEIGHTS, CONFIG = "model.safetensors", "config.json"
#: Largest style that is downloaded, in bytes, and most files of a repository that are looked at.
MAX_BYTES, MAX_FILES = 2_000_000_000, 10_000
#: Files that an error names.
MAX_NAMED = 5


def is_repository(name: str) -> bool:
    """Whether a name has the form ``OWNER/NAME`` or ``OWNER/NAME@REVISION``, and not that of a style file."""
    return REPOSITORY.fullmatch(name.partition("@")[0]) is not None and not name.endswith(".safetensors")


def download(
    repository: str,
    revision: str | None = None,
    *,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
) -> Path:
    """Return the style file of a repository ``OWNER/NAME``, from the cache if its commit has been downloaded before.

    That is ``model.safetensors``, ``NAME.safetensors`` or the only safetensors file; its content is not checked. The
    arguments are those of ``huggingface_hub.hf_hub_download``. Raises ImpastoError if there is none, it is too large,
    or the Hub refuses or cannot be reached.
    """
    name = repository_name(repository)
    require("huggingface_hub", "hub")
    from huggingface_hub import HfApi, errors, hf_hub_download
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(token=token)
    unreachable: UnreachableHubError | None = None
    if not local_files_only:
        try:
            with hub_errors(repository):  # fails at once, where a file would be requested for half a minute
                api.model_info(repository, revision=revision)
        except UnreachableHubError as error:
            unreachable = error
    local = local_files_only or unreachable is not None
    options: dict[str, Any] = {"token": token, "cache_dir": cache_dir, "local_files_only": local}
    with hub_errors(repository):
        try:
            # A request for this file is what the Hub counts. Everything below is of its commit.
            config = Path(hf_hub_download(repository, CONFIG, revision=revision, **options))
            commit: str | None = config.parent.name
            if not force_download and (config.parent / WEIGHTS).is_file():
                return config.parent / WEIGHTS
        except errors.RemoteEntryNotFoundError:  # a repository without one
            commit = api.model_info(repository, revision=revision).sha
        except errors.LocalEntryNotFoundError as error:
            raise unreachable or ImpastoError(
                f"{repository} is not in the cache: load it once while the Hub can be reached."
            ) from error
        tree = islice(api.list_repo_tree(repository, revision=commit, recursive=True), MAX_FILES)
        sizes = {each.path: each.size for each in tree if isinstance(each, RepoFile) and _is_style(each.path)}
        named = [file for file in (WEIGHTS, f"{name}.safetensors") if file in sizes]
        files = named[:1] or sorted(sizes)
        if len(files) != 1:
            names = f"{', '.join(files[:MAX_NAMED])}{', …' if len(files) > MAX_NAMED else ''}"
            content = f"several safetensors files ({names})" if files else "no safetensors file"
            raise ImpastoError(f"{repository} holds {content}; expected one, or one named {WEIGHTS}.")
        if sizes[files[0]] > MAX_BYTES:
            raise ImpastoError(f"{files[0]} of {repository} is larger than {MAX_BYTES / 1e9:.0f} GB: it is no style.")
        return Path(hf_hub_download(repository, files[0], revision=commit, force_download=force_download, **options))


def _is_style(file: str) -> bool:
    path = PurePosixPath(file)
    return path.suffix == ".safetensors" and not path.is_absolute() and ".." not in path.parts
