"""Training diagnostics in sentences, derived from the log alone."""

import math
from dataclasses import dataclass
from typing import Self

from impasto.metrics.formatting import format_percent
from impasto.reports.run_log import Log
from impasto.reports.run_record import RunRecord
from impasto.training.diagnostics import diagnose, memorises

RECENT_SHARE, RECENT_ROWS = 0.05, 20
"""Steps averaged: the last 5 %, but at least 20, as single batches are noisy."""

LOW_DIVERSITY = 0.5
"""Diversity ratio below which a warning is given."""


@dataclass(frozen=True)
class Diagnostics:
    """Recent means of discriminator accuracies and diversity ratio; None where the log has none."""

    steps: tuple[int, int]
    """First and last step of the means."""
    real: float | None
    fake: float | None
    heldout: float | None
    heldout_images: int
    diversity_ratio: float | None
    translates: bool = False
    """Whether the task is image-to-image translation."""
    target: str = "paintings"
    """The target domain."""

    @classmethod
    def of(cls, record: RunRecord) -> Self | None:
        """Return the diagnostics of a run, or None before its first step."""
        log = record.log
        if not len(log):
            return None
        steps = log.columns["step"]
        first = int(steps[-min(len(steps), max(RECENT_ROWS, math.ceil(RECENT_SHARE * len(steps))))])
        return cls(
            steps=(first, int(steps[-1])),
            real=_recent(log, "accuracy_real", first),
            fake=_recent(log, "accuracy_fake", first),
            heldout=_recent(log, "accuracy_heldout", first),
            heldout_images=record.target_data.heldout,
            diversity_ratio=_recent(log, "diversity_ratio", first),
            translates=record.translates,
            target=record.target,
        )

    def sentences(self) -> list[str]:
        """Return the state of the discriminator, then warnings."""
        found = [self._accuracy()]
        if self.diversity_ratio is not None and self.diversity_ratio < LOW_DIVERSITY:
            cause = "low contrast or mode collapse" if self.translates else "possibly mode collapse"
            found.append(
                f"Low diversity ({cause}): the pixel standard deviation of the fakes is "
                f"{format_percent(self.diversity_ratio)} of that of the real {self.target}."
            )
        return found

    def _accuracy(self) -> str:
        if self.real is None or self.fake is None:
            return "This run logs no discriminator accuracy."
        accuracy = f"Discriminator accuracy: {format_percent(self.real)} on training {self.target}"
        if self.heldout is not None:
            accuracy += f", {format_percent(self.heldout)} on the {self.heldout_images} held-out ones"
        accuracy += f", {format_percent(self.fake)} on fakes"
        if self.heldout is not None and memorises(self.real, self.heldout, self.heldout_images):
            return f"{accuracy}. It is overfitting: it memorises the training {self.target}."
        return f"{accuracy} ({diagnose(self.real, self.fake)})."


def _recent(log: Log, name: str, first: int) -> float | None:
    """Return the mean of a quantity from step ``first`` on, or its latest value if it was logged only before."""
    steps, values = log.series(name)
    recent = values[steps >= first]
    return float(recent.mean()) if len(recent) else log.last(name)
