"""Memory of a training step: estimated and measured.

    python benchmarks/memory.py [RECIPE …] [--set name=value …] [--precision auto]

By default all bundled recipes at their own batch size. The estimate is what training computes before it begins; the
measurement is the peak growth of a separate process that builds the networks, makes one step and writes a checkpoint
(resident memory on a CPU, memory allocated by torch on CUDA).
"""

import argparse
import io
import multiprocessing
import resource
import time
from multiprocessing.connection import Connection

import psutil
import torch

from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.device import choose_device, choose_precision, open_fabric
from impasto.training.memory_estimate import needed, rehearse

Outcome = tuple[int, float, int, float]  # estimated bytes and seconds, measured bytes and seconds


def measured(recipe: Recipe, precision: str) -> Outcome:
    """Estimate, then run the step, in a separate process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(there, recipe, precision))
    process.start()
    there.close()
    outcome: Outcome = here.recv()
    process.join()
    return outcome


def _run(there: Connection, recipe: Recipe, precision: str) -> None:
    device = choose_device("auto")
    fabric = open_fabric(device, choose_precision(precision, device))
    begun = time.perf_counter()
    estimated = needed(recipe, fabric)
    known = time.perf_counter()
    before = psutil.Process().memory_info().rss
    method = METHODS[recipe.method](recipe, fabric)
    average = rehearse(method, recipe, device)
    states = [network.state_dict() for network in method.networks.values()]
    torch.save([average, states, [optimizer.state_dict() for optimizer in method.optimizers.values()]], io.BytesIO())
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    there.send((estimated, known - begun, peak, time.perf_counter() - known))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=bundled_recipes())
    parser.add_argument("--set", action="append", default=[], metavar="name=value")
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    device = choose_device("auto")
    print(f"{device}, {torch.get_num_threads()} threads, {choose_precision(arguments.precision, device)}")
    for name in arguments.recipes:
        recipe = Recipe.load(name).replace(arguments.set)
        estimated, asking, peak, seconds = measured(recipe, arguments.precision)
        print(
            f"{name:>20} {recipe.size:>5}² × {recipe.batch:<4} estimated {estimated / 1e9:6.2f} GB in {asking:.1f} s, "
            f"measured {peak / 1e9:6.2f} GB in {seconds:.1f} s, ratio {estimated / peak:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
