"""How the two networks stand, said in plain words and from nothing but the log's numbers."""

import math
from dataclasses import dataclass
from typing import Self

from impasto.reports.run_record import Log, RunRecord
from impasto.training.diagnostics import diagnose, memorises

RECENT_SHARE, RECENT_ROWS = 0.05, 20
"""What counts as now: the last 5 % of the steps, but at least 20, as single batches are noisy."""

MONOTONOUS = 0.5
"""Below this spread of the fakes, relative to the real pictures, the generator repeats itself."""


@dataclass(frozen=True)
class Diagnostics:
    """The latest measures: accuracies and spread as recent means, None where the log has none."""

    steps: tuple[int, int]
    """The first and the last step that the means are taken over."""
    real: float | None
    fake: float | None
    heldout: float | None
    heldout_pictures: int
    spread: float | None
    translates: bool = False
    """Whether the fakes are translations: then they vary too little where each of them is dull, too."""
    target: str = "paintings"
    """What the real pictures are."""

    @classmethod
    def of(cls, record: RunRecord) -> Self | None:
        """How a run stands, or None before its first step."""
        log = record.log
        if not len(log):
            return None
        steps = log.columns["step"]
        first = int(steps[-min(len(steps), max(RECENT_ROWS, math.ceil(RECENT_SHARE * len(steps))))])
        photos = record.facts.photos
        real = record.facts.paintings if record.target == "paintings" or photos is None else photos
        return cls(
            steps=(first, int(steps[-1])),
            real=_recent(log, "accuracy_real", first),
            fake=_recent(log, "accuracy_fake", first),
            heldout=_recent(log, "accuracy_heldout", first),
            heldout_pictures=real.heldout,
            spread=_recent(log, "diversity_ratio", first),
            translates=record.translates,
            target="paintings" if record.target == "paintings" else "photos",
        )

    def sentences(self) -> list[str]:
        """What the numbers mean: first how D and G stand, then what else is wrong, if anything is."""
        said = [self._duel()]
        if self.spread is not None and self.spread < MONOTONOUS:
            why = "they are dull, or all alike" if self.translates else "the generator repeats itself"
            said.append(f"The fakes vary only {percent(self.spread)} as much as the real {self.target}: {why}.")
        return said

    def _duel(self) -> str:
        if self.real is None or self.fake is None:
            return "This run does not log how well the discriminator tells real from fake."
        if self.heldout is not None and memorises(self.real, self.heldout, self.heldout_pictures):
            return (
                f"The discriminator recognises {percent(self.real)} of its training {self.target} but only "
                f"{percent(self.heldout)} of the {self.heldout_pictures} held-out ones: it is memorising."
            )
        unseen = f", {percent(self.heldout)} of the held-out ones" if self.heldout is not None else ""
        numbers = (
            f"The discriminator recognises {percent(self.real)} of its training {self.target}{unseen} "
            f"and {percent(self.fake)} of the fakes"
        )
        return f"{numbers}: {diagnose(self.real, self.fake)}."


def percent(share: float) -> str:
    """A share of 0…1 as whole per cents; 100 % and 0 % are kept for all and none."""
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _recent(log: Log, name: str, first: int) -> float | None:
    """The mean of a measure from step ``first`` on, or its latest value if it was last taken before."""
    steps, values = log.measured(name)
    recent = values[steps >= first]
    return float(recent.mean()) if len(recent) else log.last(name)
