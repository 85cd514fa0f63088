"""How long to train: ``30m``, ``50kimg``, ``2000steps`` or ``20epochs``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from impasto.errors import ImpastoError

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
#: Largest number: 1,000 images a second for 30 years.
MAX_AMOUNT = 1_000_000_000_000
_FORMS = "write 90s, 30m, 2h, 50kimg, 2000steps or 20epochs"


@dataclass(frozen=True)
class Budget:
    """The length of a training in seconds, images shown, steps, or epochs.

    Attributes:
        parts: the steps of each part of a training whose speed changes, if they are given: ``900+300steps``.
    """

    amount: float
    unit: Literal["seconds", "pictures", "steps", "epochs"]
    parts: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a budget such as ``30m`` or ``50kimg``.

        Raises:
            ImpastoError: the text is not a positive number, up to :data:`MAX_AMOUNT`, and a known unit.
        """
        if parts := re.fullmatch(r"\s*(\d{1,15}(?:\+\d{1,15})+)\s*steps\s*", text.lower()):
            steps = tuple(map(int, parts[1].split("+")))
            if min(steps) > 0 and sum(steps) <= MAX_AMOUNT:
                return cls(sum(steps), "steps", steps)
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", text.lower())
        if not match:
            raise ImpastoError(f"The budget '{text}' cannot be parsed: {_FORMS}.")
        if not 0 < float(match[1]) <= MAX_AMOUNT:
            raise ImpastoError(f"The budget '{text}' is not positive, or above {MAX_AMOUNT:,}: {_FORMS}.")
        amount, unit = float(match[1]), match[2]
        if unit in _SECONDS:
            return cls(amount * _SECONDS[unit], "seconds")
        match unit:
            case "kimg":
                return cls(amount * 1000, "pictures")
            case "img" | "pictures":
                return cls(amount, "pictures")
            case "step" | "steps":
                return cls(amount, "steps")
            case "epoch" | "epochs":
                return cls(amount, "epochs")
        raise ImpastoError(f"The budget '{text}' cannot be parsed: {_FORMS}.")

    def steps(self, batch: int, epoch: int) -> int | None:
        """Return the budget in steps of ``batch`` images, with ``epoch`` images an epoch; None for a time, which can be
        converted only when the speed is measured."""
        match self.unit:
            case "seconds":
                return None
            case "steps":
                steps = self.amount
            case "pictures":
                steps = self.amount / batch
            case "epochs":
                steps = self.amount * epoch / batch
        return max(1, round(steps))

    def require_parts(self, count: int) -> None:
        """Check a budget with parts against the number of parts of a training.

        Raises:
            ImpastoError: they differ.
        """
        if self.parts and len(self.parts) != count:
            raise ImpastoError(
                f"The budget {self.plan(self.parts)} has {len(self.parts)} parts and the training {count}: "
                f"give the steps of each part, or {sum(self.parts)}steps."
            )

    @staticmethod
    def plan(parts: Sequence[int]) -> str:
        """Return the budget of so many steps in each part as text: ``1200steps``, ``900+300steps``."""
        return f"{'+'.join(map(str, parts))}steps"
