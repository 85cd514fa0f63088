"""The one kind of error that is meant for a person."""


class ImpastoError(Exception):
    """Something the user can mend: one line saying what was wrong, with which file or value, and what to do.

    The shell prints the message alone; ``--debug`` adds the traceback.
    """
