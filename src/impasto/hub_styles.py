"""Download the style of a repository on the Hugging Face Hub through the cache of huggingface_hub."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath

from impasto.errors import ImpastoError, require
from impasto.hub_errors import REPOSITORY, UnreachableHubError, hub_errors, repository_name

#: The files of a repository that hold a style, and its settings for other programs.
WEIGHTS, CONFIG = "model.safetensors", "config.json"
#: Largest style and largest settings that are downloaded, in bytes.
MAX_BYTES, MAX_CONFIG = 2_000_000_000, 1_000_000
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
    if force_download and local_files_only:
        raise ImpastoError("force_download and local_files_only contradict each other: choose one.")
    require("huggingface_hub", "hub")
    from huggingface_hub import HfApi, errors, hf_hub_download, snapshot_download

    missing = ImpastoError(f"{repository} is not in the cache: load it once while the Hub can be reached.")
    with hub_errors(repository):
        if not local_files_only:
            try:
                with hub_errors(repository):  # fails at once, where a file would be requested for half a minute
                    info = HfApi(token=token).model_info(repository, revision=revision, files_metadata=True)
            except UnreachableHubError as error:
                local_files_only, missing = True, error
        if local_files_only:
            try:
                folder = snapshot_download(repository, revision=revision, cache_dir=cache_dir, local_files_only=True)
            except errors.LocalEntryNotFoundError as error:
                raise missing from error
            cached = [path.name for path in Path(folder).glob("*.safetensors")]
            if not cached:
                raise missing
            return Path(folder, _chosen(cached, name, repository))
        sizes = {each.rfilename: each.size or 0 for each in info.siblings or ()}
        file = _chosen(sizes, name, repository)
        for each, limit in ((file, MAX_BYTES), (CONFIG, MAX_CONFIG)):
            if sizes.get(each, 0) > limit:
                raise ImpastoError(f"{each} of {repository} is larger than {limit / 1e6:,.0f} MB: it is of no style.")
        fetch = partial(hf_hub_download, repository, token=token, cache_dir=cache_dir)
        with suppress(errors.EntryNotFoundError):  # a request for this file, there or not, is what the Hub counts
            fetch(CONFIG, revision=revision)
        return Path(fetch(file, revision=info.sha, force_download=force_download))


def _chosen(files: Iterable[str], name: str, repository: str) -> str:
    """Return the file that holds the style. Raises ImpastoError if none does, or several may."""
    found = sorted(filter(_is_style, files))
    named = [file for file in (WEIGHTS, f"{name}.safetensors") if file in found]
    if not named and len(found) != 1:
        names = f"{', '.join(found[:MAX_NAMED])}{', …' if len(found) > MAX_NAMED else ''}"
        content = f"several safetensors files ({names})" if found else "no safetensors file"
        raise ImpastoError(f"{repository} holds {content}; expected one, or one named {WEIGHTS}.")
    return (named or found)[0]


def _is_style(file: str) -> bool:
    path = PurePosixPath(file)
    return path.suffix == ".safetensors" and not path.is_absolute() and ".." not in path.parts
