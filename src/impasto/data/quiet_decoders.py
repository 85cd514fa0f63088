"""Keep the lines of Pillow and its C libraries off the terminal: what matters of them is raised."""

import contextlib
import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from functools import cache

from PIL import _imaging

_lock = threading.Lock()
_active = 0
_filters = contextlib.ExitStack()


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Ignore Pillow's warnings, and what it or libtiff would write to standard error. Thread-safe.

    ``catch_warnings`` replaces a list that all threads share, so the first thread to enter and the last to leave do it.
    """
    global _active
    _silence_libtiff()
    _silence_pillow()
    with _lock:
        if _active == 0:
            _filters.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _active += 1
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            if _active == 0:
                _filters.close()


@cache
def _silence_libtiff() -> None:
    """Take away the functions by which libtiff writes errors to standard error, for the whole process: the calls that
    fail return errors all the same, and redirecting standard error would hide what other threads write.

    Where libtiff is part of Pillow's own module (Windows), its functions cannot be reached, and nothing is changed.
    """
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(library, name):
            getattr(library, name)(None)


@cache
def _silence_pillow() -> None:
    """Keep Python from writing Pillow's log to standard error, which it does for loggers without a handler."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
