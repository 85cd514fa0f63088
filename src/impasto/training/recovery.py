"""Recovery from failed training: detect NaN/Inf and mode collapse, and roll back with half the learning rate.

The states to roll back to are saved at fixed steps, so that a training that fails, stops and resumes equals one that
fails alone.
"""

import math
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impasto.training import checkpoint

#: Diversity ratio (pixel standard deviation of fakes / reals) below which the generator counts as collapsed.
COLLAPSED = 0.05
#: Steps before collapse is checked, since untrained generators give grey images; steps in a row that make a collapse.
GRACE, WINDOW = 200, 20
#: Rollbacks before the training is given up.
MAX_ROLLBACKS = 3


class FailureDetector:
    """Detect NaN/Inf losses and mode collapse in the rows of the log."""

    def __init__(self) -> None:
        self.diversity_ratios: deque[float] = deque(maxlen=WINDOW)

    def check(self, row: Mapping[str, float]) -> str | None:
        """Return what is wrong after ``row``, as a clause for a message; None if nothing is."""
        watched = {name: value for name, value in row.items() if name.startswith("loss_") or name == "diversity_ratio"}
        bad = [name for name, value in watched.items() if not math.isfinite(value)]
        if bad:
            return f"{bad[0].replace('_', ' ')} became NaN or infinite"
        if row["step"] > GRACE:
            self.diversity_ratios.append(row["diversity_ratio"])
        if len(self.diversity_ratios) == WINDOW and max(self.diversity_ratios) < COLLAPSED:
            return (
                "the generator collapsed to nearly identical images "
                f"(diversity ratio fakes/reals {max(self.diversity_ratios):.1%})"
            )
        return None

    @property
    def healthy(self) -> bool:
        """Whether the current state is far enough from a collapse to be saved as a state to roll back to."""
        return not self.diversity_ratios or self.diversity_ratios[-1] > 2 * COLLAPSED


class Recovery:
    """Choose the state to roll back to, and count the rollbacks: each halves the learning rate.

    Attributes:
        detector: finds the failures.
        rollbacks: how often the training was rolled back. It also seeds the batches, so that a repeated step gets other
            random numbers.
    """

    def __init__(self) -> None:
        self.detector = FailureDetector()
        self.rollbacks = 0
        self._returned: int | None = None  # the step of the last rollback

    @property
    def lr_factor(self) -> float:
        """Factor of the learning rate: 0.5 to the number of rollbacks."""
        return 0.5**self.rollbacks

    def last_good_state(self, folder: Path) -> dict[str, Any]:
        """Return the newest readable state in the ``recovery`` folder of a run, or the one before if the newest was
        rolled back to already.

        Raises:
            ImpastoError: no state can be read.
        """
        saved = checkpoint.steps(folder)
        if len(saved) > 1 and checkpoint.step_of(saved[-1]) == self._returned:
            checkpoint.remove(saved[-1])  # it led to a failure
        state, _ = checkpoint.newest(folder)
        return state

    def count(self, rollbacks: int, step: int) -> None:
        """Record the ``rollbacks``-th rollback, to ``step``."""
        self.rollbacks, self._returned = rollbacks, step
        self.detector.diversity_ratios.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {
            "attempt": self.rollbacks,
            "returned": self._returned,
            "diversity_ratios": list(self.detector.diversity_ratios),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.rollbacks, self._returned = state["attempt"], state.get("returned")
        self.detector.diversity_ratios.clear()
        self.detector.diversity_ratios.extend(state["diversity_ratios"])
