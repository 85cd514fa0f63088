"""Loggers, one file each: what a training reports its numbers and sample grids to.

``jsonl`` and ``tensorboard`` are always on; ``impasto train --log NAME`` adds others. A logger is a subclass of
:class:`impasto.training.loggers.base.Logger`, registered by name; another package adds one through the entry-point
group ``impasto.loggers``.
"""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from impasto.config.registry import Registry
from impasto.errors import ImpastoError
from impasto.training.loggers.base import Logger

if TYPE_CHECKING:
    from impasto.training.run_dir import RunDir

_log = logging.getLogger(__name__)

LOGGERS: Registry[type[Logger]] = Registry("logger", package="impasto.training.loggers", group="impasto.loggers")

#: The loggers of every training.
ALWAYS = ("jsonl", "tensorboard")


def require_loggers(names: Iterable[str]) -> None:
    """Check that loggers exist and can be used here, before a training begins.

    Raises:
        ImpastoError: a name is unknown, or a client package is not installed.
    """
    for name in names:
        LOGGERS.find(name).require()


def open_loggers(run: "RunDir", names: Iterable[str], resumed: bool = False) -> list[Logger]:
    """Open the loggers of ``run``: those that are always on, and those of ``names``.

    A ``resumed`` training does without a tracker that cannot be opened here, with a warning: it may have begun on
    another machine. A new training raises ImpastoError.
    """
    opened: list[Logger] = []
    for name in dict.fromkeys((*ALWAYS, *names)):
        try:
            require_loggers([name])
            opened.append(LOGGERS[name](run))
        except ImpastoError as error:
            if not resumed or name in ALWAYS:
                for logger in opened:
                    logger.close()
                raise
            _log.warning("The training resumes without the logger %s: %s", name, error)
    return opened
