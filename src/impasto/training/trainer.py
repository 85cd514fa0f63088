"""The training loop, the same for every method."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from impasto.device import memory_used
from impasto.errors import ImpastoError
from impasto.notebook import Displayed
from impasto.style import Card, Style
from impasto.training import checkpoint, plan
from impasto.training.budget import Budget
from impasto.training.callbacks import Callback, CallbackList, Estimate, Observer
from impasto.training.evaluator import Evaluator, Scorer
from impasto.training.free_threads import FreeThreads
from impasto.training.interrupt import InterruptHandler
from impasto.training.recovery import MAX_ROLLBACKS, Recovery
from impasto.training.run_dir import RunDir
from impasto.training.samples import Samples, TrainingData
from impasto.training.schedule import StepSchedule
from impasto.training.state import TrainingState
from impasto.training.throughput import StepTimer
from impasto.training.trained_style import trained_style
from impasto.training.updates import STOPPED, Update, Updates

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_log = logging.getLogger(__name__)

#: Seconds between two reads of the losses, each of which waits for the device.
SYNC_EVERY = 0.5
#: Steps between two measurements of the discriminator on held-out paintings.
HELDOUT_EVERY = 10
#: The failure of weights that the losses do not show yet.
NOT_FINITE = "the weights became NaN or infinite"


@dataclass(frozen=True)
class Outcome(Displayed):
    """How a training ended: ``finished`` at the end of its budget, or earlier by a ``signal`` or by its observer.
    ``followed``: this process was not the first of several, which wrote and reported all. ``run``: the run folder."""

    finished: bool
    signal: int | None = None
    followed: bool = False
    run: RunDir | None = field(default=None, compare=False)


class Trainer:
    """Train one run, alone or as the first of several processes.

    Args:
        run: the run folder; its ``recipe``, and ``seed`` and ``budget`` of its facts, define the training.
        fabric: device and precision.
        data: the data of the training.
        scorer: scores samples; without it there is no best style.
        callbacks: follow the training, such as loggers; closed at the end of :meth:`train`.
        observer: chooses where to score, and may end the training.
        threads: adapts their number to the load; without it, it stays.
        clock: the time in seconds.
    """

    def __init__(
        self,
        run: RunDir,
        fabric: "Fabric",
        data: TrainingData,
        *,
        scorer: Scorer | None = None,
        callbacks: Iterable[Callback] = (),
        observer: Observer | None = None,
        threads: FreeThreads | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        facts = run.facts
        self.run, self.fabric, self.data, self.recipe, self.observer = run, fabric, data, run.recipe, observer
        self.callbacks = CallbackList(callbacks)
        self.state = TrainingState(self.recipe, fabric, facts["seed"])
        self.updates = Updates(self.state, data)
        self.samples = Samples(self.state, data, facts["seed"], None if scorer is None else scorer.features)
        self.evaluator = Evaluator(run, self.state, self.samples, scorer, self.callbacks)
        self.recovery = Recovery()
        self.schedule = StepSchedule(
            Budget.parse(facts["budget"]),
            self.recipe.batch,
            len(data.train),
            None if observer is None else observer.score_at,
            self.recipe.speed_changes,
        )
        self.timer, self.threads = StepTimer(clock), threads
        self._ended = False  # by the observer
        self._stopped = False  # by a signal that another process of the training received
        self._rows: list[tuple[dict[str, float], dict[str, Tensor]]] = []  # losses not read from the device yet

    @property
    def step(self) -> int:
        """Updates made so far."""
        return self.state.step

    # The loop.

    def train(self) -> Outcome:
        """Train to the end of the budget, or until Ctrl-C or SIGTERM.

        Raises:
            ImpastoError: the training failed more often than it is rolled back.
            DiskFullError: the disk is full; the last checkpoint is intact.
        """
        self.run.note(status="running", total_steps=self.schedule.total)
        with InterruptHandler() as interrupt, self.callbacks:
            self.timer.start()
            self._start()
            while not self._finished():
                if interrupt.signal is not None or self._ended or self._stopped:
                    self._leave("stopped")
                    return Outcome(False, signal.SIGTERM if self._stopped else interrupt.number, run=self.run)
                self._train_step()
                speed_changes, recovery = (
                    self.schedule.speed_changes_at(self.step),
                    self.schedule.recovery_due(self.step),
                )
                due = speed_changes or recovery or any(self.schedule.due(self.step))
                if (due or self.timer.since_sync >= SYNC_EVERY) and not self._sync():
                    continue
                if speed_changes:
                    self._change_speed()
                if recovery or self.timer.since_save >= self._save_interval():
                    self._save(recovery)
            self._leave("finished")
        # A signal during the last evaluation: all steps are made, but the caller is to stop.
        return Outcome(finished=interrupt.signal is None, signal=interrupt.number, run=self.run)

    def _start(self) -> None:
        """Prepare the networks, write the first samples, plan a time budget, and save a state to roll back to."""
        if self.step == 0:
            method = self.state.method
            method.prepare([method.style(), self.state.ema.network], self.data.train)
            self.evaluator.write_references()
        self.updates.share_state()
        if self.schedule.total is None:
            self._plan_steps()
        elif self.step == 0:
            self._write_samples()
        self.run.note(total_steps=self.schedule.total, plan=self.schedule.plan)
        if not checkpoint.steps(self.run.recovery):  # a run that has just begun, or of an earlier version
            self._save(recovery=True)

    def _train_step(self) -> None:
        """Make one update, without waiting for the device."""
        lr, losses = self._update(self._progress(), heldout=(self.step + 1) % HELDOUT_EVERY == 0)
        seconds = round(self.timer.elapsed, 3)
        row = {"step": self.step, "pictures": self.step * self.recipe.batch, "seconds": seconds, "lr": lr}
        self._rows.append((row, losses))

    def _update(self, progress: float, heldout: bool = False) -> tuple[float, dict[str, Tensor]]:
        """Make one update at ``progress``, 0…1. Return the learning rate, and the losses on the device."""
        lr_factor = self.recovery.lr_factor * self.recipe.schedule.factor(progress)
        since = self.schedule.speed_changed_at(self.step)
        images = (self.step + 1 - since) * self.recipe.batch
        return self.updates.make(Update(progress, self.recovery.rollbacks, lr_factor, images, heldout))

    def _progress(self) -> float:
        """Return the share of the training that is over, 0…1."""
        return self.schedule.progress(self.step)

    def _sync(self) -> bool:
        """Read the losses of the last steps, sample and score if due, and report. False after a rollback."""
        if not self._rows:
            return True
        # One copy from the device.
        values = iter(torch.cat([each.reshape(1) for _, losses in self._rows for each in losses.values()]).tolist())
        rows = [row | {name: next(values) for name in losses} for row, losses in self._rows]
        self._rows.clear()
        self._stopped |= sum(row.pop(STOPPED, 0) for row in rows) > 0
        self.timer.sync(len(rows))
        speed = self.recipe.batch / self.timer.seconds_per_step
        sample, score = self.schedule.due(self.step)
        failure = next(filter(None, map(self.recovery.detector.check, rows)), None)
        if failure or ((sample or score) and not self.state.finite()):
            self._roll_back(failure or NOT_FINITE)
            return False
        if sample:
            self._write_samples()
        if score:
            rows[-1] |= self._score()
        for row in rows:
            row |= {"pictures_per_second": round(speed, 1), "memory": memory_used(self.fabric.device)}
        total = self.schedule.total
        left = None if total is None else (total - self.step) * self.timer.seconds_per_step
        self.callbacks.on_rows(rows, Estimate(total, left))
        self._adapt_threads()
        return True

    def _adapt_threads(self, at_once: bool = False) -> None:
        """Follow the load by other programs, and record a change: sums in another order differ in their last digits."""
        if self.threads is not None and (change := self.threads.adapt(at_once)):
            self.timer.invalidate()
            _log.info(change)
            self.callbacks.on_event(self.step, change)

    def _finished(self) -> bool:
        """Whether the budget is used up, and its last steps did not fail."""
        if self.schedule.total is None or self.step < self.schedule.total:
            return False
        if self._sync() and not self.state.finite():
            self._roll_back(NOT_FINITE)
        return self.step >= self.schedule.total

    # Evaluation.

    def _write_samples(self) -> None:
        with self.timer.paused():
            self.evaluator.write_samples()

    def _score(self) -> dict[str, float]:
        """Score, save the style if it is the best so far, and ask the observer. Return the columns of the log."""
        with self.timer.paused():
            if self.evaluator.update_best():
                self.style().save(self.run.best)
                self._note_best()
        candidate = self.evaluator.current
        if candidate is None:
            return {}
        if self.observer is not None:
            self._ended = not self.observer.on_scores(self._progress(), candidate)
        return candidate.row()

    def _note_best(self) -> None:
        best = self.evaluator.best
        self.run.note(best=None if best is None else best.model_dump())

    def style(self) -> Style:
        """Return the averaged generators as they are now, with their card."""
        return trained_style(self.run, self.state, self.timer.elapsed, self.evaluator.current)

    # The number of steps of a time budget.

    def _plan_steps(self) -> None:
        """Convert the time budget into steps, for good, by the speed of steps that are then undone: whatever depends on
        the progress, from the first step on, depends on the steps alone."""
        begun, amount = self.step, self.schedule.budget.amount
        reached = min(self.timer.elapsed / amount, 1.0) if begun else 0.0
        overhead = plan.measure_overhead(
            self.timer,
            amount,
            sample=self._write_samples,
            score=lambda: self.evaluator.score(plan.PROBE),
            save=self._save,
        )
        self._adapt_threads(at_once=True)
        speeds = plan.measure_speeds(self.timer, amount, self.recipe.speed_changes, self._probe_step)
        state, _ = checkpoint.newest(self.run.checkpoints)
        self.state.load_state_dict(state)
        self.updates.share_state()
        self.schedule.set_total(begun, reached, amount - self.timer.elapsed, speeds, overhead)
        self._save()

    def _probe_step(self, progress: float) -> None:
        """Make one update at ``progress``, 0…1, and wait for the device."""
        _, losses = self._update(progress)
        for value in losses.values():
            value.item()

    def _change_speed(self) -> None:
        """Measure the speed and choose the best style anew: from here on the steps are others."""
        self.evaluator.best = None
        self.timer.invalidate()

    # Saving, resuming and recovery.

    def state_dict(self) -> dict[str, Any]:
        """Return the content of a checkpoint."""
        parts = (self.state, self.schedule, self.evaluator, self.recovery)
        state: dict[str, Any] = {"seconds": self.timer.elapsed}
        for part in parts:
            state |= part.state_dict()
        return state

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint, and remove what the run folder and the loggers hold of later steps."""
        for part in (self.state, self.evaluator, self.recovery):
            part.load_state_dict(state)
        self.callbacks.on_rewind(self.step)
        self.run.remove_samples_after(self.step)
        self._restore_best()
        self._note_best()

    def _restore_best(self) -> None:
        """Replace a best style of later steps by that of the checkpoint; remove it if none was kept, as by earlier
        versions."""
        best, folders = self.run.best, (self.run.checkpoints, self.run.recovery)
        if best.exists() and Card.load(best).steps <= self.step:
            return
        kept = (checkpoint.best_style(checkpoint.file_of(folder, self.step)) for folder in folders)
        if (found := next(filter(Path.exists, kept), None)) is not None:
            checkpoint.link(found, best)
        else:
            best.unlink(missing_ok=True)
            self.evaluator.best = None

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from the checkpoint of an earlier process."""
        self.schedule.load_state_dict(state)
        self._restore(state)
        checkpoint.remove_after(self.run.recovery, self.step)
        self.timer.offset = state["seconds"]

    def _save_interval(self) -> float:
        """Return the seconds between two checkpoints."""
        total = self.schedule.total
        return plan.save_interval(math.inf if total is None else total * self.timer.seconds_per_step)

    def _save(self, recovery: bool = False) -> None:
        """Save a checkpoint and the last style, unless the training has failed; ``recovery``: also to roll back to."""
        if not self._sync():
            return
        if not self.state.finite():
            self._roll_back(NOT_FINITE)
            return
        with self.timer.paused():
            path = checkpoint.save(self.run.checkpoints, self.step, self.state_dict(), self.run.best)
            if recovery and self.recovery.detector.healthy:
                checkpoint.keep(path, self.run.recovery)
            self.style().save(self.run.last)
        self.timer.saved()

    def _roll_back(self, failure: str) -> None:
        """Return to the last good state with half the learning rate, or give up."""
        failed_at, rollbacks = self.step, self.recovery.rollbacks + 1
        self._rows.clear()
        self._restore(self.recovery.last_good_state(self.run.recovery))
        self.updates.share_state()
        self.recovery.count(min(rollbacks, MAX_ROLLBACKS), self.step)
        self._save()
        checkpoint.remove_after(self.run.checkpoints, self.step)
        if rollbacks > MAX_ROLLBACKS:
            self.run.note(status="stopped")
            raise ImpastoError(
                f"Training failed {rollbacks} times, last at step {failed_at}: {failure}. The last good state, of step "
                f"{self.step}, is in {self.run.path}; try a lower learning rate or another recipe."
            )
        text = f"At step {failed_at} {failure}. Rolled back to step {self.step} with half the learning rate."
        _log.warning(text)
        self.callbacks.on_event(self.step, text)

    def _leave(self, status: str) -> None:
        """Save everything, and the status in the run folder."""
        self._save()
        self.run.note(status=status, seconds=round(self.timer.elapsed, 1), steps=self.step)
