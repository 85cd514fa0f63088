"""Where impasto keeps what it can fetch or compute again."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """``$IMPASTO_CACHE`` where it is set, else the system's place for caches; not made here."""
    named = os.environ.get("IMPASTO_CACHE")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("impasto")
