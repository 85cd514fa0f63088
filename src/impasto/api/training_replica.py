"""The processes of a training beside the first one: they have its networks and data, and follow it."""

import json
import os
import sys
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch.distributed import FileStore  # type: ignore[attr-defined]

from impasto import parallel
from impasto.api.training_data import split_stores, stores_of
from impasto.api.training_processes import LOST
from impasto.config.recipe import Recipe
from impasto.device import open_fabric, out_of_memory, restored_torch_state
from impasto.errors import ImpastoError
from impasto.metrics.candidates import features_of, open_networks
from impasto.parallel import LostProcessError, Processes
from impasto.terminal import errors_alone, print_lines
from impasto.training.run_dir import RunDir
from impasto.training.samples import Samples
from impasto.training.state import TrainingState
from impasto.training.trainer import Outcome
from impasto.training.updates import Updates


def agree(processes: Processes, error: ImpastoError | None, arguments: Mapping[str, Any] | None = None) -> None:
    """Wait for all processes, and raise the error of any in all of them.

    Args:
        processes: of the training.
        error: what went wrong in this one, if anything.
        arguments: what this one was started with, if it was told, which must be the same for all.
    """
    message = json.dumps({"error": None if error is None else str(error), "arguments": arguments}).encode()
    answers = [json.loads(each) for each in processes.exchange(message)]
    first = answers[0]["arguments"]
    for rank, answer in enumerate(answers):
        if answer["error"] is not None:
            if rank == processes.rank and error is not None:
                raise error
            raise ImpastoError(f"Process {rank}: {answer['error']}" if rank else answer["error"])
        for name, value in (answer["arguments"] or {}).items():
            if value != first[name]:
                raise ImpastoError(
                    f"Process {rank} was started with another {name} than process 0: start all with the same command."
                )


def announce(processes: Processes, run: RunDir) -> None:
    """Tell the other processes, as the first one, what the training is, and wait until they have opened its data."""
    if processes.size > 1:
        job = {"recipe": run.recipe.values(), "facts": run.facts, "threads": torch.get_num_threads()}
        processes.broadcast(json.dumps(job).encode())
        agree(processes, None)


def follow(processes: Processes, device: torch.device) -> Outcome:
    """Make the training that the first process announces.

    Raises:
        ImpastoError: the data cannot be read here, or memory is too small.
        LostProcessError: another process has ended.
    """
    job = json.loads(processes.broadcast())
    recipe, facts = Recipe.of(job["recipe"], recorded=True), job["facts"]
    with restored_torch_state(device), parallel.using(processes), errors_alone("impasto"):  # the first says the same
        torch.set_num_threads(job["threads"])
        try:
            error, (updates, samples) = None, _open(recipe, facts, device)
        except ImpastoError as failure:
            error = failure
        agree(processes, error)
        try:
            signal = updates.follow(samples)
            return Outcome(signal is None, signal, followed=True)
        except (MemoryError, RuntimeError) as failure:
            if not out_of_memory(failure):
                raise
            raise ImpastoError(f"The memory of {device} is too small for this recipe.") from failure


def _open(recipe: Recipe, facts: Mapping[str, Any], device: torch.device) -> tuple[Updates, Samples]:
    data = split_stores(stores_of(recipe, facts, "the run"), recipe, facts["seed"], device).training
    state = TrainingState(recipe, open_fabric(device, facts["precision"]), facts["seed"])
    networks = open_networks(recipe.scoring_network, device)
    return Updates(state, data), Samples(state, data, facts["seed"], partial(features_of, networks))


def _main(rank: int, size: int, device: torch.device, store: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with parallel.connected(rank, size, device, FileStore(store, size)) as processes:
            agree(processes, None)
            follow(processes, device)
    except LostProcessError:
        os._exit(LOST)
    except ImpastoError as error:
        print_lines(str(error), file=sys.stderr)
        os._exit(1)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(LOST)


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), torch.device(sys.argv[3]), sys.argv[4])
