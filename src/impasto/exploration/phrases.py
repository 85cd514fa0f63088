"""Phrases shared by recommendations and the report."""

from collections.abc import Sequence

from impasto.exploration.results import RelativeBox
from impasto.metrics.formatting import join_words

#: Names that are listed before "and 5 more".
MAX_NAMES = 3


def count_noun(count: int, noun: str) -> str:
    """Return ``1 photo`` or ``7,028 photos``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def first_names(names: Sequence[str]) -> str:
    """Return the first names and the number of the others: ``a, b, c and 5 more``."""
    more = len(names) - MAX_NAMES
    return f"{', '.join(names[:MAX_NAMES])} and {more:,} more" if more > 0 else join_words(names)


def describe_position(box: RelativeBox) -> str:
    """Return where the centre of a box lies: ``at the top left``, ``at the bottom``, ``in the middle``."""
    left, top, right, bottom = box
    column, row = (min(int(3 * (low + high) / 2), 2) for low, high in ((left, right), (top, bottom)))
    position = f"{('top ', '', 'bottom ')[row]}{('left', '', 'right')[column]}".strip()
    return f"at the {position}" if position else "in the middle"


def has_or_have(names: Sequence[str]) -> str:
    """Return ``has`` for one name, else ``have``."""
    return "has" if len(names) == 1 else "have"
