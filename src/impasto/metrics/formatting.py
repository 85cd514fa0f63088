"""Numbers as text: with as many digits as their error supports."""

import math
from collections.abc import Sequence

from impasto.metrics.results import Value

#: Standard errors of the difference from which on two numbers count as different: 95 % confidence.
SIGNIFICANT = 2.0
SPACE = "\N{NO-BREAK SPACE}"


def format_number(value: float, decimals: int | None = None) -> str:
    """Return a number with three significant digits, or with ``decimals``: ``0.0563``, ``1,240``, ``−0.0002``."""
    if not math.isfinite(value):
        return "—"
    text = f"{value:,.{decimal_places(value, 3) if decimals is None else decimals}f}"
    if not text.strip("-0.,"):  # no negative zero
        text = text.removeprefix("-")
    return text.replace("-", "−")


def decimal_places(value: float, digits: int, most: int = 6) -> int:
    """Return the decimals at which a number has that many significant digits, at most ``most``."""
    if value == 0 or not math.isfinite(value):
        return digits - 1
    return min(max(digits - 1 - math.floor(math.log10(abs(value))), 0), most)


def value_decimals(value: Value) -> int:
    """Return the decimals of a value, its error, its floor and its interval.

    Two digits of the error, or one where the value would have more than four; without an error three digits of the
    value, and at least one decimal.
    """
    if not value.error:
        return max(decimal_places(value.value, 3, most=4), 1)
    return min(decimal_places(value.error, 2), max(decimal_places(value.error, 1), decimal_places(value.value, 4)))


def format_value(value: Value) -> str:
    """Return a value with its standard error: ``0.0563 ± 0.0021``; ``99.1`` without one."""
    digits = value_decimals(value)
    error = "" if value.error is None else f"{SPACE}±{SPACE}{format_number(value.error, digits)}"
    return format_number(value.value, digits) + error


def format_floor(value: Value) -> str:
    """Return a value's floor at the value's precision; empty without one."""
    return "" if value.floor is None else format_number(value.floor, value_decimals(value))


def format_interval(value: Value) -> str:
    """Return the 95 % confidence interval: ``0.0521 to 0.0604``; empty without one."""
    if value.interval is None:
        return ""
    low, high = (format_number(end, value_decimals(value)) for end in value.interval)
    return f"{low} to {high}"


def format_percent(share: float) -> str:
    """Return a share 0…1 in whole per cent; 0 % and 100 % are kept for exactly none and all."""
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{100 * share:.0f}{SPACE}%"


def join_words(words: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
