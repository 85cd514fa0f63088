"""Errors of the system that no code closer to them explained, as one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from impasto.errors import ImpastoError


@contextmanager
def system_errors_explained() -> Iterator[None]:
    """Turn an OSError with an error number, a lack of memory and a circle of links into ImpastoError.

    The code closer to an error says what to do about it; this names the file and the system's reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        raise ImpastoError(f"{place}{error.strerror} (--debug shows where).") from error
    except (MemoryError, RuntimeError, SystemError, ImportError) as error:
        if str(error).startswith("Symlink loop"):  # of Path.resolve()
            raise ImpastoError(f"{error}: correct the links.") from error
        if not _out_of_memory(error):
            raise
        raise ImpastoError("There is too little memory: close other programs, or take smaller images.") from error


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, SystemError):  # C code that could not allocate memory and raised nothing
        return str(error) == "error return without exception set"
    if isinstance(error, ImportError):  # of a shared library
        return "failed to map segment" in str(error) or "cannot allocate memory" in str(error).lower()
    if isinstance(error, MemoryError):
        return True
    if "torch" not in sys.modules:  # to import it for this takes a second
        return "can't start new thread" in str(error)
    from impasto.device import out_of_memory

    return out_of_memory(error)
