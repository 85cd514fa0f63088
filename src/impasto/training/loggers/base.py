"""The base class of loggers, and of those that need a client package."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import require
from impasto.training.callbacks import Callback

if TYPE_CHECKING:
    from impasto.training.run_dir import RunDir

#: The project, or experiment, under which trackers list trainings.
PROJECT = "impasto"


class Logger(Callback):
    """A callback that reports one run."""

    def __init__(self, run: "RunDir") -> None:
        self.run = run

    @classmethod
    def require(cls) -> None:
        """Check that the logger can be used here.

        Raises:
            ImpastoError: it cannot, and what to install.
        """


class Tracker(Logger):
    """A logger that reports to an experiment tracker through its client package, which is imported when it is opened.

    An error of a tracker does not end the training: ``log.jsonl`` holds the same numbers.

    Attributes:
        module: the client's module.
        extra: the extra of impasto that installs it.
        environment: defaults of environment variables that the client reads when it is imported.
    """

    required = False
    module: ClassVar[str]
    extra: ClassVar[str]
    environment: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def require(cls) -> None:
        cls.client()

    @classmethod
    def client(cls) -> Any:
        """Import the client.

        Raises:
            ImpastoError: it is not installed.
        """
        for name, value in cls.environment.items():
            os.environ.setdefault(name, value)
        return require(cls.module, cls.extra)

    def remembered(self) -> str | None:
        """The tracker's id of this run, if an earlier process has stored one in ``run.json``."""
        found: str | None = self.run.facts.get("trackers", {}).get(self.extra)
        return found

    def remember(self, identifier: str) -> None:
        """Store the tracker's id of this run, so that a resumed training continues it."""
        self.run.note(trackers=self.run.facts.get("trackers", {}) | {self.extra: identifier})
