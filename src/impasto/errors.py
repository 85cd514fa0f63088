"""The one kind of error that is meant for a person, and how it proposes a name."""

import difflib
from collections.abc import Iterable


class ImpastoError(Exception):
    """Something the user can mend: one line saying what was wrong, with which file or value, and what to do.

    The shell prints the message alone; ``--debug`` adds the traceback.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that there is not: the known one that is most like it, or all of them. Of
    dotted names the last parts count too."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:
        last = {full.rpartition(".")[2]: full for full in known}
        close = [last[part] for part in difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.6)]
    return f"; did you mean '{close[0]}'?" if close else f": there are {', '.join(known)}."
