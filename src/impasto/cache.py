"""The cache folder, for downloads and computed features."""

import os
from pathlib import Path

import platformdirs

from impasto.files import expand_user


def cache_folder() -> Path:
    """Return ``$IMPASTO_CACHE`` if it is set, else the system's cache folder. It is not created."""
    named = os.environ.get("IMPASTO_CACHE")
    return expand_user(named) if named else platformdirs.user_cache_path("impasto")
