"""Push styles to the Hugging Face Hub, and pull them."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from impasto.errors import ImpastoError, require
from impasto.files import atomic_write, user_path
from impasto.hub_errors import hub_errors, repository_name
from impasto.hub_styles import CONFIG, WEIGHTS, download
from impasto.inference.output import reserve
from impasto.interop.model_card import LICENSE, PREVIEW, model_card, preview, thumbnail
from impasto.style import Card, Style, find_style, model_spec, require_name, with_metadata


def push(style: str | Path | Style, repository: str, *, private: bool = False, token: str | None = None) -> str:
    """Upload a style with a model card and a preview image, in one commit; create the repository if needed.

    Args:
        style: the name of a bundled style, a style file, a run folder, or a loaded style.
        repository: ``OWNER/NAME``.
        private: make a new repository private.
        token: an access token; default is that of ``hf auth login`` or ``HF_TOKEN``.

    Returns the URL of the repository. Raises ImpastoError if the Hub refuses or cannot be reached; a card that the Hub
    does not accept is refused before the repository is created.
    """
    require("huggingface_hub", "hub")
    from huggingface_hub import CommitOperationAdd, HfApi

    name = repository_name(repository)
    loaded = style if isinstance(style, Style) else Style.load(style)
    with hub_errors(repository):
        readme = _accepted_card(loaded.card, repository)
    samples = preview(loaded)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        metadata = model_spec(loaded.card) | thumbnail(samples)
        (folder / WEIGHTS).write_bytes(with_metadata(_file(style, loaded), metadata))
        (folder / CONFIG).write_text(loaded.config(), encoding="utf-8")
        (folder / "README.md").write_text(readme, encoding="utf-8")
        samples.save(folder / PREVIEW, quality=90)
        if f"license_link: {LICENSE}\n" in readme:
            (folder / LICENSE).write_text(f"{loaded.card.license}\n", encoding="utf-8")
        with hub_errors(repository):
            api = HfApi(token=token)
            url = str(api.create_repo(repository, private=private, exist_ok=True))
            operations = [CommitOperationAdd(file.name, file) for file in sorted(folder.iterdir())]
            api.create_commit(repository, operations, commit_message=f"Upload {name}")
    return url


def _file(style: str | Path | Style, loaded: Style) -> bytes:
    """Return the content of a style's file, in which its weights have their precision, or of a file for it."""
    path = None if isinstance(style, Style) else find_style(style)
    return path.read_bytes() if path is not None and path.is_file() else loaded.to_bytes()


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
    repository, _, revision = repository.partition("@")
    name = repository_name(repository)
    out = Path("styles") / f"{name}.safetensors" if out is None else user_path(out)
    require_name(out)
    reserve(out, file=True, overwrite=overwrite)
    fetched = download(repository, revision or None, token=token)
    card = Style.load_downloaded(fetched, repository).card
    with atomic_write(out) as part:
        shutil.copy(fetched, part)
    return out, card
