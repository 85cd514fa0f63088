"""Styles that a worker keeps in memory."""

import threading
from pathlib import Path

import torch

from impasto.device import choose_device
from impasto.errors import ImpastoError
from impasto.inference.load import for_task
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator
from impasto.serving.library import Library
from impasto.serving.shelf import style_file
from impasto.style import Style

#: Styles in memory at once.
MODELS = 2


class Models:
    """Styles that are loaded once and kept in memory, the last few of them. Thread-safe."""

    def __init__(self, library: Library, device: str) -> None:
        self._library, self._device = library, device
        self._lock = threading.Lock()
        self._loaded: dict[tuple[Path, float, bool], Sampler | Translator] = {}
        self._threads = torch.get_num_threads()

    def load(self, name: str, *, reverse: bool = False) -> Sampler | Translator:
        """Return the pipeline of a style. Raises ImpastoError as :func:`impasto.load`."""
        path = style_file(self._library, name)
        key = path, path.stat().st_mtime, reverse
        with self._lock:
            pipeline = self._loaded.pop(key, None)
            if pipeline is None:
                while len(self._loaded) >= MODELS:
                    self._loaded.pop(next(iter(self._loaded)))
                style = Style.load(path)
                threads = torch.get_num_threads()
                torch.set_num_threads(self._threads)  # which a pipeline uses for large images, whoever loaded it
                try:
                    pipeline = for_task(style.reversed() if reverse else style, choose_device(self._device))
                finally:
                    torch.set_num_threads(threads)
            self._loaded[key] = pipeline  # as the last used
            return pipeline

    def translator(self, name: str, *, reverse: bool = False) -> Translator:
        """Return the pipeline of a translation style."""
        pipeline = self.load(name, reverse=reverse)
        if not isinstance(pipeline, Translator):
            raise ImpastoError(f"{name} generates from noise and cannot paint photos: choose a translation style.")
        return pipeline

    def sampler(self, name: str) -> Sampler:
        """Return the pipeline of an unconditional style."""
        pipeline = self.load(name)
        if not isinstance(pipeline, Sampler):
            raise ImpastoError(f"{name} paints photos and cannot generate from noise: choose an unconditional style.")
        return pipeline
