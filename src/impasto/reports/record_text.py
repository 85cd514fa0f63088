"""Text for run records: names, settings and durations."""

import json
from pathlib import PurePath


def base_name(spec: str) -> str:
    """Return the last part of a path, or the name that it is."""
    return PurePath(spec).name or spec


def setting_text(value: object) -> str:
    """Return a setting as text: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def format_duration(seconds: float) -> str:
    """Return a duration as ``48 s``, ``12 min 05 s`` or ``3 h 20 min``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minute:02} min"
    return f"{minutes} min {second:02} s" if minutes else f"{second} s"
