"""The one loop: whatever the method, this is how it is run, watched, saved and gone on with."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from impasto.data.augment import to_pixels
from impasto.data.image_grid import tile
from impasto.data.loader import Batches, Loader, stream_seed
from impasto.device import memory_used
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.methods import METHODS, Method
from impasto.metrics.results import Scores
from impasto.style import Card, Style
from impasto.training import checkpoint
from impasto.training.budget import Budget
from impasto.training.ema import ModelEma
from impasto.training.failure import FailureDetector, Interruption
from impasto.training.progress import Progress
from impasto.training.run_dir import RunDir
from impasto.training.schedule import Costs, Observer, StepSchedule
from impasto.training.throughput import StepTimer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Seconds between two looks at the losses, each of which waits for the device.
LOOK_EVERY = 0.5
#: Seconds between two checkpoints: a twentieth of the training, but within these bounds.
SAVE_EVERY = (10.0, 120.0)
#: Steps between two questions to the discriminator about pictures it never learned from.
JUDGE_EVERY = 10
#: Pictures that are scored, always of the same latents or photos.
SCORED = 256
#: One part in so many of them tells how long all take.
PROBED = 8
#: How often a training that goes wrong is taken back before it is given up.
CHANCES = 3
#: What went wrong where the losses do not show it yet.
BROKEN = "the weights are no longer numbers"

#: The measure by which the best style is chosen, lower being better.
DECIDING = "KID"
#: The judgement: pictures uint8 (N, S, S, 3) in, their scores against real ones out.
Judge = Callable[[np.ndarray], Scores]


@dataclass(frozen=True)
class Outcome:
    """How the loop ended: at the end of its budget, or before, by a signal or by who watched it."""

    finished: bool
    signal: int | None = None


class Trainer:
    """One training: a method, its pictures and its run folder."""

    def __init__(
        self,
        run: RunDir,
        fabric: "Fabric",
        pictures: Batches,
        heldout: Batches | None,
        budget: Budget,
        seed: int,
        judge: Judge | None = None,
        progress: Progress | None = None,
        subjects: Loader | None = None,  # photos to paint for looking and scoring, best not learned from
        watch: Observer | None = None,
    ) -> None:
        self.run, self.fabric, self.pictures, self.heldout = run, fabric, pictures, heldout
        self.subjects = subjects
        self.recipe, self.seed = run.recipe, seed
        self.judge, self.watch = judge, watch
        self.progress = progress or Progress(0 if heldout is None else len(heldout))

        torch.manual_seed(stream_seed(seed, "weights"))
        self.method: Method = METHODS[self.recipe.method](self.recipe, fabric)
        self.ema = self._average(self.method.style())
        reverse = self.method.reverse()
        self.ema_reverse = None if reverse is None else self._average(reverse)
        torch.manual_seed(stream_seed(seed, "training"))
        self.rates = {name: o.param_groups[0]["lr"] for name, o in self.method.optimizers.items()}
        self.fixed = self._inputs(grid_count(self.recipe.sample_size), "samples")

        self.step = 0
        self.plan = StepSchedule(
            budget,
            self.recipe.batch,
            len(pictures),
            None if watch is None else watch.at,
            self.recipe.schedule.decay_from,
            self.recipe.speed_changes,
        )
        self.attempt = 0  # how often the training was taken back
        self.scores: Scores | None = None  # the newest
        self.lowest: float | None = None
        self._returned: int | None = None  # the step that it was taken back to
        self._costs = Costs()
        self._ended = False  # by who watches
        self._guard = FailureDetector()
        self._rows: list[tuple[dict[str, float], dict[str, Tensor]]] = []  # not fetched from the device yet
        self._clock = StepTimer()

    def _average(self, network: nn.Module) -> ModelEma:
        return ModelEma(network, self.recipe.ema.halflife, self.recipe.ema.rampup)

    # The loop itself.

    def train(self) -> Outcome:
        """Trains to the end of the budget, or until Ctrl-C or SIGTERM."""
        self.run.note(status="running", total_steps=self.plan.total)
        with Interruption() as interruption, self.progress:
            self._clock.start()
            if self.step == 0:
                self._begin()
            elif self.plan.total is None:
                self._measure_costs()
            while not self._done():
                self._one_step()
                turns = self.plan.turns(self.step)
                if turns or self._clock.since_look >= LOOK_EVERY or any(self.plan.due(self.step)):
                    self._look()
                if turns:
                    self._turn()
                if self.plan.total is None and self._clock.measured(self.plan.budget.amount):
                    self._lay_out()
                if self._clock.fresh and self.plan.corrected(self.step):
                    self._correct()
                if interruption.signal is not None:
                    self._leave("stopped")
                    return Outcome(finished=False, signal=int(interruption.signal))
                if self._ended:
                    self._leave("stopped")
                    return Outcome(finished=False)
                if self._clock.since_save >= self._save_every() and self._guard.healthy:
                    self._save()
            self._leave("finished")
        # One that came while the last scores were taken: all steps are made, but nothing more is wanted.
        signal = None if interruption.signal is None else int(interruption.signal)
        return Outcome(finished=signal is None, signal=signal)

    def _lay_out(self) -> None:
        """Turns a time into a number of steps, and keeps it for good."""
        self.plan.lay_out(self.step, self._clock.total, self._clock.per_step, self._costs)
        self.run.note(total_steps=self.plan.total)
        self._save()

    def _correct(self) -> None:
        """Corrects the number of steps: by the mean speed, which tells what comes beside the steps as well, or by the
        newest where that changes."""
        spent = self._clock.total
        if self.recipe.speed_changes:
            self.plan.correct(self.step, spent, self._clock.per_step, self._costs)
        else:
            self.plan.correct(self.step, spent, spent / self.step, Costs())
        self.run.note(total_steps=self.plan.total)
        self._save()

    def _turn(self) -> None:
        """From here on a step is another: its time, what the average holds, and what is the best are so as well."""
        self.plan.turned, self.lowest = self.step, None
        self._clock.forget()

    def _save_every(self) -> float:
        """Seconds between checkpoints: a short training has to have states to go back to as well."""
        low, high = SAVE_EVERY
        return high if self.plan.total is None else min(max(low, self.plan.total * self._clock.per_step / 20), high)

    def _done(self) -> bool:
        """Whether the budget is used up, and the last steps of it were good."""
        if self.plan.total is None or self.step < self.plan.total:
            return False
        if self._look() and not self._finite():
            self._go_back(BROKEN)
        return self.step >= self.plan.total

    def _begin(self) -> None:
        """Before the first step: real pictures to compare with, the bare start, a state to go back to."""
        self.method.prepare([self.method.style(), self.ema.network], self.pictures)
        self._write_grid(self.run.samples / "real.jpg", to_pixels(self._real()).cpu().numpy())
        if self.subjects is not None:
            self._write_grid(self.run.samples / "photos.jpg", to_pixels(self.fixed).cpu().numpy())
        self._measure_costs()
        self._save()

    def _measure_costs(self) -> None:
        """Samples once and scores a few, to know what that takes."""
        begun = self._clock.total
        self._sample()
        sampled = self._clock.total
        self._judge(PROBED)
        self._costs = Costs(sampled - begun, PROBED * (self._clock.total - sampled))

    def _one_step(self) -> None:
        """One update, and what is known of it without waiting for the device."""
        progress = self._progress()
        factor = 0.5**self.attempt * self.recipe.schedule.factor(progress)
        for name, optimizer in self.method.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.rates[name] * factor
        losses = self.method.step(self.pictures.batch(self.step, self.attempt, progress))
        self.step += 1
        since = self.plan.turned if self.plan.turned < self.step else 0
        seen = (self.step - since) * self.recipe.batch
        self.ema.update(self.method.style(), self.recipe.batch, seen)
        reverse = self.method.reverse()
        if self.ema_reverse is not None and reverse is not None:
            self.ema_reverse.update(reverse, self.recipe.batch, seen)

        row = {"step": self.step, "pictures": self.step * self.recipe.batch, "seconds": round(self._clock.total, 3)}
        row |= {"lr": next(iter(self.rates.values())) * factor}
        if self.heldout is not None and self.step % JUDGE_EVERY == 0:
            losses |= self.method.judge(self.heldout.batch(self.step, progress=progress))
        self._rows.append((row, losses))

    def _progress(self) -> float:
        """How much of the budget is used up, 0…1: by the clock while a time is not laid out in steps, when a warm-up
        has begun already, but no decay."""
        if self.plan.total is not None:
            return self.plan.progress(self.step)
        return min(self._clock.total / self.plan.budget.amount, self.recipe.schedule.decay_from)

    def _look(self) -> bool:
        """Fetches the numbers of the last steps, samples and scores where that is due, logs and shows.

        False if the numbers were bad, and the training went back.
        """
        if not self._rows:
            return True
        rows = [row | {name: value.item() for name, value in losses.items()} for row, losses in self._rows]
        self._rows.clear()
        self._clock.look(len(rows))
        speed = self.recipe.batch / self._clock.per_step
        sampling, scoring = self.plan.due(self.step)
        wrong = next(filter(None, map(self._guard.see, rows)), None)
        if wrong or ((sampling or scoring) and not self._finite()):
            self._go_back(wrong or BROKEN)
            return False
        if sampling:
            self._sample()
        if scoring:
            rows[-1] |= self._score()
        for row in rows:
            row |= {"pictures_per_second": round(speed, 1), "memory": memory_used(self.fabric.device)}
        self.run.log(rows)
        left = None if self.plan.total is None else (self.plan.total - self.step) * self._clock.per_step
        self.progress.update(rows, self.plan.total, left)
        return True

    def _finite(self) -> bool:
        """Whether all weights are numbers: the losses do not tell yet what the last update did."""
        weights = [weight for network in self.method.networks.values() for weight in network.parameters()]
        return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())

    # Looking at the painter.

    def _inputs(self, count: int, purpose: str) -> Tensor:
        return self.method.inputs(count, stream_seed(self.seed, purpose), self.subjects)

    def _real(self) -> Tensor:
        """As many real paintings as there are samples."""
        return self.pictures.paintings.whole(len(self.fixed), self.recipe.sample_size)

    @torch.no_grad()
    def _paint(self, average: ModelEma, inputs: Tensor) -> np.ndarray:
        """Pictures uint8 (N, H, W, 3) by an averaged generator, computed in batches as large as the training's."""
        with self.fabric.autocast():
            painted = [self.method.sample(average.network, part) for part in inputs.split(self.recipe.batch)]
        return np.concatenate([to_pixels(part).cpu().numpy() for part in painted])

    def _sample(self) -> None:
        with self._clock.paused():
            name = f"step-{self.step:08d}.jpg"
            self._write_grid(self.run.samples / name, self._paint(self.ema, self.fixed))
            if self.ema_reverse is not None:
                self._write_grid(self.run.samples / f"reverse-{name}", self._paint(self.ema_reverse, self._real()))

    def _write_grid(self, path: Path, pictures: np.ndarray) -> None:
        with atomic_write(path) as part:
            tile(pictures).save(part, format="JPEG", quality=92, subsampling=0)

    def _judge(self, part: int = 1) -> Scores | None:
        """Scores of the averaged painter, of the same inputs each time or one ``part`` in so many of them; None if the
        deciding one is no number."""
        if self.judge is None:
            return None
        with self._clock.paused():
            scores = self.judge(self._paint(self.ema, self._inputs(SCORED // part, "scored")))
        return scores if math.isfinite(scores.values[DECIDING].value) else None

    def _score(self) -> dict[str, float]:
        """Scores the averaged painter, and keeps it if it is the best so far."""
        self.scores = self._judge()
        if self.scores is None:
            return {}
        deciding = self.scores.values[DECIDING].value
        if self.lowest is None or deciding < self.lowest:
            self.lowest = deciding
            with self._clock.paused():
                self.style().save(self.run.best)
        if self.watch is not None:
            self._ended = not self.watch.told(self._progress(), self.scores)
        return self.scores.row()

    def style(self) -> Style:
        """The averaged painter as it is now, with its card."""
        facts = self.run.facts
        target, source = facts["paintings"], facts.get("photos")
        if self.recipe.target != "paintings":
            target, source = source, target
        card = Card(
            task="translation" if self.recipe.translates else "generation",
            source=self.recipe.source,
            target=self.recipe.target,
            recipe=self.recipe.values(),
            target_data=_named(target),
            source_data=None if source is None else _named(source),
            start=None if facts.get("start") is None else Path(facts["start"]).name,
            steps=self.step,
            pictures=self.step * self.recipe.batch,
            seconds=round(self._clock.total, 1),
            seed=self.seed,
            budget=facts["budget"],
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            impasto=facts["impasto"],
            scores=[self.scores] if self.scores else [],
            license=facts["license"],
        )
        return Style(self.ema.network, card, None if self.ema_reverse is None else self.ema_reverse.network)

    # State.

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, and what is reported of the past."""
        device = self.fabric.device
        return {
            "step": self.step,
            **self.plan.state(),
            "attempt": self.attempt,
            "seconds": self._clock.total,
            "scores": self.scores.model_dump() if self.scores else None,
            "lowest": self.lowest,
            "networks": {name: network.state_dict() for name, network in self.method.networks.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.method.optimizers.items()},
            "ema": self.ema.network.state_dict(),
            "ema_reverse": None if self.ema_reverse is None else self.ema_reverse.network.state_dict(),
            "diversity_ratios": list(self._guard.diversity_ratios),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a state, and takes back what the run folder holds of later steps."""
        self.step, self.attempt = state["step"], state["attempt"]
        self.scores = Scores.model_validate(state["scores"]) if state["scores"] else None
        self.lowest = state["lowest"]
        self.plan.restore(state)
        for name, network in self.method.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.method.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.ema.network.load_state_dict(state["ema"])
        self._restore_reverse(state.get("ema_reverse"))
        self._guard.diversity_ratios.clear()
        self._guard.diversity_ratios.extend(state["diversity_ratios"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self.fabric.device)
        self.run.rewind(self.step)
        if self.run.best.exists() and Style.load(self.run.best).card.steps > self.step:
            self.run.best.unlink()
            self.lowest = None

    def _restore_reverse(self, averaged: Mapping[str, Tensor] | None) -> None:
        """Takes over the average of the reverse generator; if none was kept, it starts from that generator as it is."""
        reverse = self.method.reverse()
        if self.ema_reverse is not None and reverse is not None:
            self.ema_reverse.network.load_state_dict(averaged or reverse.state_dict())

    def resume(self, state: Mapping[str, Any]) -> None:
        """Goes on from the state that an earlier process left."""
        self.restore(state)
        self._clock.before = state["seconds"]

    def start_from(
        self,
        networks: Mapping[str, Mapping[str, Tensor]],
        averaged: Mapping[str, Tensor],
        averaged_reverse: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Begins with weights that were learned before: of some networks by name, of the averaged painter, and of the
        averaged generator of the reverse direction.

        Raises :class:`impasto.errors.ImpastoError` if they are of other networks than the recipe's.
        """
        try:
            for name, network in self.method.networks.items():
                if name in networks and next(network.parameters(), None) is not None:  # no pool of old fakes
                    network.load_state_dict(networks[name])
            self.ema.network.load_state_dict(averaged)
            self._restore_reverse(averaged_reverse)
        except RuntimeError as error:
            raise ImpastoError(
                f"The networks of {self.run.facts['start']} are not those of this recipe: leave the recipe out, and "
                "what is set of its networks."
            ) from error

    def _save(self) -> None:
        """A checkpoint and the style of now, if all is well."""
        if not self._look():
            return
        if not self._finite():
            self._go_back(BROKEN)
            return
        with self._clock.paused():
            checkpoint.save(self.run.checkpoints, self.step, self.state())
            self.style().save(self.run.last)
        self._clock.saved()

    def _go_back(self, wrong: str) -> None:
        """Returns to the last good state with half the learning rate, or gives up."""
        at, attempt = self.step, self.attempt + 1
        self._rows.clear()
        saved = checkpoint.steps(self.run.checkpoints)
        if len(saved) > 1 and checkpoint.step_of(saved[-1]) == self._returned:
            saved[-1].unlink()  # it led to trouble before
        planned = self.plan.state()
        self.restore(checkpoint.newest(self.run.checkpoints)[0])
        self.plan.restore(planned)  # for the first state of all was saved before a time was laid out
        self._returned = self.step
        if attempt > CHANCES:
            self.run.note(status="stopped")
            raise ImpastoError(
                f"Training went wrong {attempt} times, at last at step {at}: {wrong}. The last good state, of step "
                f"{self.step}, is in {self.run.path}; try a lower learning rate or another recipe."
            )
        self.attempt = attempt
        self._guard.diversity_ratios.clear()
        text = f"At step {at} {wrong}. Went back to step {self.step}, with half the learning rate."
        self.run.log([{"step": self.step, "event": text}])
        self.progress.tell(text)
        self._save()

    def _leave(self, status: str) -> None:
        """Saves everything, and says in the run folder how it stands."""
        self._save()
        self.run.close()
        self.run.note(status=status, seconds=round(self._clock.total, 1), steps=self.step)


def _named(source: Mapping[str, Any]) -> dict[str, Any]:
    """What a style says of its pictures: their name, not where they lay on somebody's machine."""
    place = Path(source["spec"])
    return {**source, "spec": place.name if place.is_absolute() else source["spec"]}


def grid_count(size: int) -> int:
    """Pictures in a grid of samples: 8×8, or fewer where that would be more than about a thousand pixels wide."""
    return min(8, max(2, 1056 // (size + 2))) ** 2
