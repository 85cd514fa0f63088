import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from lightning_fabric import Fabric
from torch._subclasses.fake_tensor import FakeTensorMode

from fixtures.parameters import mostly_long
from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.device import open_fabric
from impasto.errors import ImpastoError
from impasto.networks import build_discriminator, build_generator
from impasto.training import memory_estimate
from impasto.training.memory_estimate import BESIDE, Account, needed, require_memory

CPU = torch.device("cpu")
SMALL = Recipe.load("cnn").replace(["size=64", "batch=128", "generator.depth=3", "generator.width=16"])
GAN = Recipe.load("dcgan-64").replace(["size=16"])
GIGABYTE = 10**9


@pytest.fixture(scope="module")
def fabric() -> Fabric:
    return open_fabric(CPU, "32-true")


def test_a_tensor_counts_once_while_it_is_alive() -> None:
    with FakeTensorMode(), Account() as account:
        first = torch.zeros(1000)  # 4000 bytes
        second = first + 1
        view = second.view(10, 100).t()
        second.add_(1)
        assert (account.taken, account.peak) == (8000, 8000)
        del first
        assert (account.taken, account.peak) == (4000, 8000)
        del second
        assert account.taken == 4000  # the view still needs it
        del view
        assert (account.taken, account.peak) == (0, 8000)


def test_tensors_saved_for_the_backward_pass_count() -> None:
    with FakeTensorMode(), Account() as account:
        weight = torch.ones(1000, requires_grad=True)
        loss = weight.exp().exp().sum()  # each exp keeps its result, 4000 bytes
        held = account.taken
        loss.backward()
        assert held == 3 * 4000 + 4
        assert account.taken == 2 * 4000 + 4  # the weight and its gradient are left


@pytest.mark.parametrize("name", mostly_long(bundled_recipes(), "dcgan-64", "cut", "fastgan-128"))
def test_the_estimate_exceeds_weights_gradients_and_moments(name: str, fabric: Fabric) -> None:
    recipe = Recipe.load(name)
    narrow = {"width": 8, "max_width": 32, "body": 16, "blocks": 2}
    held = recipe.generator.model_dump()
    recipe = recipe.replace([f"generator.{key}={value}" for key, value in narrow.items() if held.get(key)])
    networks = [build_generator(**recipe.generator_kwargs()), build_discriminator(**recipe.discriminator_kwargs())]
    weights = [sum(weight.nbytes for weight in network.parameters()) for network in networks]
    pairs = 2 if recipe.method == "cyclegan" else 1
    assert needed(recipe, fabric) - BESIDE > 4 * pairs * sum(weights) + weights[0]


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak as Linux tells it")
def test_the_estimate_matches_the_memory_of_a_process(fabric: Fabric) -> None:
    code = """
import re, sys, torch
from pathlib import Path
from impasto.device import open_fabric
from impasto.config.registries import METHODS
from impasto.config.recipe import Recipe
from impasto.training.memory_estimate import rehearse
recipe = Recipe.load(sys.argv[1])
fabric = open_fabric(torch.device("cpu"), "32-true")
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
method = METHODS[recipe.method](recipe, fabric)
average = rehearse(method, recipe, fabric.device)
print(peak() - before)
"""
    run = [sys.executable, "-c", code]
    path = Path(os.environ["IMPASTO_CACHE"]) / "recipe.yaml"
    path.write_text(SMALL.to_yaml(), encoding="utf-8")
    done = subprocess.run([*run, str(path)], capture_output=True, text=True, check=True)
    assert needed(SMALL, fabric) - BESIDE == pytest.approx(int(done.stdout) * 1024, rel=0.3)


def test_the_estimate_computes_nothing_and_leaves_random_state_and_memory(fabric: Fabric) -> None:
    huge = Recipe.load("cyclegan-groupnorm").replace(["batch=4096"])
    state, threads, before = torch.get_rng_state(), torch.get_num_threads(), psutil.Process().memory_info().rss
    assert needed(huge, fabric) > 200 * GIGABYTE
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert psutil.Process().memory_info().rss - before < GIGABYTE / 2


def test_memory_grows_linearly_with_the_batch(fabric: Fabric) -> None:
    need = [needed(SMALL.replace([f"batch={batch}"]), fabric) for batch in (100, 200, 300)]
    assert need[2] - need[1] == pytest.approx(need[1] - need[0], rel=0.02)
    assert need[1] - need[0] > 100 * 3 * 64 * 64 * 4


def test_bf16_takes_less(fabric: Fabric) -> None:
    assert needed(SMALL, open_fabric(CPU, "bf16-mixed")) < needed(SMALL, fabric)


@pytest.mark.parametrize("recipe", [SMALL, GAN], ids=lambda recipe: recipe.name)
def test_the_proposed_batch_fits_and_a_slightly_larger_one_does_not(
    recipe: Recipe, fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = recipe.replace(["batch=4000"])
    free = BESIDE + (needed(large, fabric) - BESIDE) // 3
    monkeypatch.setattr(memory_estimate, "available", lambda device: free)
    with pytest.raises(ImpastoError) as raised:
        require_memory(large, fabric)
    told = re.fullmatch(
        rf"Training {recipe.name} with batch 4000 needs about (\S+) GB of memory and (\S+) GB are free: "
        r"--set batch=(\d+) fits\.",
        str(raised.value),
    )
    assert told is not None
    assert float(told[1]) == pytest.approx(needed(large, fabric) / GIGABYTE, rel=0.05)
    assert float(told[2]) == pytest.approx(free / GIGABYTE, rel=0.05)
    batch = int(told[3])
    require_memory(large.replace([f"batch={batch}"]), fabric)
    with pytest.raises(ImpastoError):
        require_memory(large.replace([f"batch={batch + batch // 20}"]), fabric)


def test_an_error_says_that_no_batch_fits(fabric: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_estimate, "available", lambda device: BESIDE)
    with pytest.raises(ImpastoError, match=r"too little for any batch: set a smaller size"):
        require_memory(SMALL, fabric)


def test_the_smallest_batch_is_proposed_if_only_that_fits(fabric: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    least = needed(GAN.replace(["batch=2"]), fabric)
    monkeypatch.setattr(memory_estimate, "available", lambda device: least)
    with pytest.raises(ImpastoError, match="--set batch=2 fits"):
        require_memory(GAN.replace(["batch=4000"]), fabric)
