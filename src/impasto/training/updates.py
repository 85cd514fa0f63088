"""The updates of a training, made by all of its processes together.

The first process decides everything: it tells the others each update before it makes its own part, and which samples to
make, and sends them the state where it is not the result of updates. The others only follow.
"""

import io
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impasto import parallel
from impasto.training.interrupt import InterruptHandler
from impasto.training.samples import Samples, TrainingData
from impasto.training.state import TrainingState

if TYPE_CHECKING:
    from impasto.parallel import Processes

#: The name among the losses of what is above 0 where another process received a signal to stop.
STOPPED = "stopped"


@dataclass(frozen=True)
class Update:
    """What an update depends on beside the state.

    Attributes:
        progress: of the training, 0…1.
        attempt: see :meth:`impasto.data.loader.Batches.batch`.
        lr_factor: of all learning rates.
        images: seen by the averages after it.
        heldout: whether the discriminator is measured on held-out paintings after it.
    """

    progress: float
    attempt: int
    lr_factor: float
    images: int
    heldout: bool = False


class Updates:
    """Makes updates of a state, as the first process or as one of the others."""

    def __init__(self, state: TrainingState, data: TrainingData) -> None:
        self.state, self.data = state, data

    def make(self, update: Update) -> tuple[float, dict[str, Tensor]]:
        """Make an update, in all processes. Return the learning rate, and the losses, scalars on the device."""
        parallel.tell({"update": asdict(update)})
        return self._make(update)

    def share_state(self) -> None:
        """Give all processes the state of this one."""
        processes = parallel.current()
        if processes.size > 1:
            parallel.tell({"state": True})
            buffer = io.BytesIO()
            torch.save(self.state.state_dict(), buffer)
            processes.broadcast(buffer.getvalue())

    def follow(self, samples: Samples) -> int | None:
        """Make the updates and the part of the ``samples`` that the first process tells, until it ends the training.
        Return the number of the signal that ended it, if any."""
        processes = parallel.current()
        with InterruptHandler() as interrupt:
            while True:
                order = json.loads(processes.broadcast())
                if "update" in order:
                    self._make(Update(**order["update"]), stopped=interrupt.signal is not None)
                elif "state" in order:
                    content = io.BytesIO(processes.broadcast())
                    self.state.load_state_dict(torch.load(content, map_location="cpu", weights_only=True))
                elif "grid" in order:
                    samples.make_grid(**order["grid"])
                elif "features" in order:
                    samples.make_features(**order["features"])
                else:
                    signal: int | None = order["end"]
                    return signal

    def _make(self, update: Update, stopped: bool = False) -> tuple[float, dict[str, Tensor]]:
        state, data = self.state, self.data
        lr = state.scale_learning_rates(update.lr_factor)
        batch = data.train.batch(state.step, update.attempt, update.progress)  # paintings, photos: (B, 3, S, S)
        state.seed_step(update.attempt)
        losses = state.method.step(batch)  # scalars by name, on the device
        state.step += 1
        state.update_averages(update.images)
        if update.heldout and data.heldout is not None:
            losses |= state.method.evaluate_heldout(data.heldout.batch(state.step, progress=update.progress))
        return lr, losses if parallel.current().size == 1 else _averaged(losses, stopped)


def end(processes: "Processes", signal: int | None) -> None:
    """Let the other processes leave :meth:`Updates.follow`."""
    processes.broadcast(json.dumps({"end": signal}).encode())


def _averaged(losses: dict[str, Tensor], stopped: bool) -> dict[str, Tensor]:
    """Return the means of scalars over the processes, with :data:`STOPPED`."""
    values = torch.stack([value.float() for value in losses.values()])
    values = torch.cat([values, values.new_full((1,), float(stopped))])
    return dict(zip((*losses, STOPPED), parallel.mean(values).unbind(), strict=True))
