"""Migration of the parameter names in older checkpoints."""

from collections.abc import Mapping
from typing import Any


def rename_keys(state: dict[str, Any], prefix: str, renamed: Mapping[str, str]) -> None:
    """Rename keys of a state dict in place, for use in ``_load_from_state_dict``.

    Args:
        state: the state dict that is being loaded.
        prefix: the module's prefix; other keys are left alone.
        renamed: the beginnings of old names, after the prefix, and what replaces them.
    """
    for key in list(state):
        if not key.startswith(prefix):
            continue
        name = key[len(prefix) :]
        for old, new in renamed.items():
            if name.startswith(old):
                state[f"{prefix}{new}{name[len(old) :]}"] = state.pop(key)
                break
