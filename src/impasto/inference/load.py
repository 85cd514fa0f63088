"""Open a style for inference."""

from pathlib import Path

import torch

from impasto.device import choose_device
from impasto.errors import ImpastoError
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator
from impasto.style import Style


def load(style: str | Path, device: str = "auto", *, reverse: bool = False) -> Sampler | Translator:
    """Load a style.

    An unconditional style gives a :class:`impasto.inference.sampler.Sampler`, a translation style a
    :class:`impasto.inference.translator.Translator`.

    Args:
        style: name of a bundled style, a ``.safetensors`` file, a run folder, or ``OWNER/NAME`` or
            ``OWNER/NAME@REVISION`` on the Hugging Face Hub, which is downloaded once.
        device: see :func:`impasto.device.choose_device`.
        reverse: use the reverse direction (paintings → photos) of a style that has both.

    Raises :class:`impasto.errors.ImpastoError` if there is no such style, it is damaged, or has one direction only.
    """
    loaded = Style.from_pretrained(style)
    return for_task(loaded.reversed() if reverse else loaded, choose_device(device))


def for_task(style: Style, device: torch.device) -> Sampler | Translator:
    """Return the pipeline that fits the style's task."""
    return Translator(style, device) if style.card.task == "translation" else Sampler(style, device)


def load_sampler(style: str | Path, device: str = "auto") -> Sampler:
    """Load an unconditional style. Raises ImpastoError as :func:`load`, and if the style translates photos."""
    loaded = load(style, device)
    if isinstance(loaded, Translator):
        raise ImpastoError(
            f"{style} is a translation model ({loaded.card.domains}) and cannot generate from noise: use impasto paint."
        )
    return loaded


def load_translator(style: str | Path, device: str = "auto", *, reverse: bool = False) -> Translator:
    """Load a translation style. Raises ImpastoError as :func:`load`, and if the style is unconditional."""
    loaded = load(style, device, reverse=reverse)
    if isinstance(loaded, Sampler):
        raise ImpastoError(
            f"{style} is an unconditional model ({loaded.card.domains}) and cannot stylise photos: choose a "
            "translation style (impasto styles)."
        )
    return loaded
