"""Which style of a training is the best one, and what decided."""

from pydantic import BaseModel

from impasto.metrics.formatting import format_number, format_percent
from impasto.metrics.memorisation_finding import Level, MemorisationFinding


class Choice(BaseModel, frozen=True):
    """A style by what it is compared by with the other styles of its training: in ``run.json`` and in a style's card.

    Attributes:
        step: of the training.
        decided_by: the deciding metric with network and counts: ``KID[efficientnet-lite0] 256 v 30 held-out``.
        value: of the deciding metric; lower is better.
        memorisation: the verdict on copies of training images.
        copies: the share of the fakes, 0…1, that are as near to a training image as a copy; 0 if none is suspicious.
    """

    step: int
    decided_by: str
    value: float
    memorisation: Level
    copies: float

    @property
    def rank(self) -> tuple[float, float]:
        """Sorts styles, the best first: those that memorise come after all others, the more copies the later."""
        return self.copies, self.value

    def replaced_by(self, other: "Choice") -> bool:
        """Whether a later style is better, or cannot be compared as another metric, network or number decided."""
        return other.decided_by != self.decided_by or other.rank < self.rank

    def sentence(self) -> str:
        """Return what decided."""
        chosen = f"The best style is that of step {self.step:,}, by {self.decided_by}: {format_number(self.value, 4)}."
        if not self.copies:
            return f"{chosen} {MemorisationFinding(self.memorisation, '').short}"
        return (
            f"{chosen} Every scored style reproduces training images; this one does so least: "
            f"{format_percent(self.copies)} of its images."
        )
