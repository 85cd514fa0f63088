"""Pruning by asynchronous successive halving (Jamieson & Talwalkar 2016; Li et al. 2020, arXiv:1810.05934).

After each rung, a share of the budget, only the best third of the trials that reached it continue.
"""

import math
from typing import TYPE_CHECKING

from impasto.metrics.candidates import Candidate
from impasto.training.callbacks import Observer
from impasto.tuning.trials import original_number, trial_attributes

if TYPE_CHECKING:
    import optuna

#: One of so many trials continues after each rung.
REDUCTION_FACTOR = 3
#: The shares of the budget after which trials are compared.
RUNGS = (1 / REDUCTION_FACTOR**2, 1 / REDUCTION_FACTOR, 1.0)


def successive_halving() -> "optuna.pruners.BasePruner":
    """Return the pruner for :data:`RUNGS`, whose resources are 1, 3 and 9."""
    import optuna

    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION_FACTOR)


def pruning_observer(trial: "optuna.Trial", prune: bool) -> Observer:
    """Return an observer that reports the scores of a training to the study, and stops it if it is pruned.

    A model that reproduces training images counts as worse than any other. The baseline, which all other trials are
    compared with, is never pruned.

    Args:
        trial: the trial that is trained.
        prune: whether to prune at all; Optuna does not with several objectives.
    """

    def observe(share: float, candidate: Candidate) -> bool:
        rung = min(range(len(RUNGS)), key=lambda each: abs(RUNGS[each] - share))
        known: dict[str, float] = trial_attributes(trial).get("rung_scores", {})
        trial.set_user_attr("rung_scores", known | {str(RUNGS[rung]): candidate.value})
        trial.set_user_attr("copies", candidate.copies)
        if not prune:
            return True
        if str(RUNGS[rung]) not in known:  # a resumed trial may reach the same rung twice
            trial.report(math.inf if candidate.copies else candidate.value, REDUCTION_FACTOR**rung)
        pruned = trial.should_prune()  # also records the value that later trials are compared with
        return RUNGS[rung] == RUNGS[-1] or original_number(trial) == 0 or not pruned

    return Observer(RUNGS, observe)


def scoring_observer() -> Observer:
    """Return an observer that has a training scored at the rungs and never stops it."""
    return Observer(RUNGS, lambda *_: True)
