"""Estimate the memory of a training before it starts: on a CPU the system kills a process that takes too much, and no
checkpoint is left."""

import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from impasto.config.registries import METHODS
from impasto.data.loader import Batch
from impasto.device import InsufficientMemoryError, available
from impasto.methods.base import Method

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.config.recipe import Recipe

#: Bytes beside the tensors of a training: compiled kernels, the scoring network, the libraries of the report.
BESIDE = 300 << 20


def require_memory(recipe: "Recipe", fabric: "Fabric", processes: int = 1) -> None:
    """Check that a training fits into the free memory of ``fabric``'s device. So many ``processes`` share the memory of
    the CPU; of other devices each has its own.

    Raises:
        ImpastoError: it does not fit; names the largest batch that does.
    """
    own = recipe.model_copy(update={"batch": max(recipe.batch // processes, recipe.min_batch)})
    free = available(fabric.device) // (processes if fabric.device.type == "cpu" else 1)
    need = needed(own, fabric)
    if need <= free:
        return
    wrong = (
        f"Training {recipe.name} with batch {recipe.batch} needs about {gigabytes(need)} of memory"
        f"{' a process' if processes > 1 else ''} and {gigabytes(free)} are free"
    )
    batch = fitting(own, fabric, need, free)
    if batch is None:
        raise InsufficientMemoryError(f"{wrong}, too little for any batch: set a smaller size or width.")
    raise InsufficientMemoryError(f"{wrong}: --set batch={batch * processes} fits.")


def needed(recipe: "Recipe", fabric: "Fabric") -> int:
    """Return the peak memory in bytes of a training on ``fabric``'s device, beside what is in use already.

    One step is made with fake tensors, which have shapes but no storage: nothing but the weights is allocated, and the
    global random state stays as it is. On the CPU, a checkpoint between two steps holds all weights and optimiser
    states once more.
    """
    device = fabric.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        method = METHODS[recipe.method](recipe, fabric)
    with FakeTensorMode(allow_non_fake_inputs=True), Account() as account:
        _hollow(method)
        averages = rehearse(method, recipe, device)
        resting = account.taken if device.type == "cuda" else 2 * account.taken
        del method, averages
    peak: int = max(account.peak, resting)
    return BESIDE + peak


def fitting(recipe: "Recipe", fabric: "Fabric", need: int, free: int) -> int | None:
    """Return the largest batch that fits into ``free`` bytes, where the recipe's batch needs ``need``; None if none
    fits."""
    least = recipe.min_batch
    fixed = needed(recipe.model_copy(update={"batch": least}), fabric)
    if fixed > free:
        return None
    # Everything but the weights grows linearly with the batch.
    return least + (free - fixed) * (recipe.batch - least) // (need - fixed)


def rehearse(method: Method, recipe: "Recipe", device: torch.device) -> list[Tensor]:
    """Make one step of a new ``method`` on zeros, with the moments of Adam allocated, as after the first step.

    Returns the weights of the averages, which the trainer keeps beside the method.
    """
    averaged = [network for network in (method.style(), method.reverse()) if network is not None]
    averages = [weight.detach().clone() for network in averaged for weight in network.parameters()]
    for optimizer in method.optimizers.values():
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = torch.zeros_like(weight)
        optimizer.step()
    shape = (recipe.batch, 3, recipe.size, recipe.size)
    pictures = torch.zeros(shape, device=device).contiguous(memory_format=torch.channels_last)
    photos = torch.zeros_like(pictures) if recipe.translates else pictures[:0]
    # Step 0 includes what is done only every few steps.
    method.step(Batch(pictures, photos, torch.Generator(device), 0, recipe.peak_memory_at))
    return averages


def _hollow(method: Method) -> None:
    """Replace all weights and buffers of a method, in its optimisers too, by fake ones without storage."""
    weights: dict[nn.Parameter, nn.Parameter] = {}
    for module in (module for network in method.networks.values() for module in network.modules()):
        for name, weight in module.named_parameters(recurse=False):
            hollow = weights.setdefault(weight, nn.Parameter(torch.empty_like(weight), weight.requires_grad))
            setattr(module, name, hollow)
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty_like(buffer))
    for optimizer in method.optimizers.values():
        for group in optimizer.param_groups:
            group["params"] = [weights[weight] for weight in group["params"]]


class Account(TorchDispatchMode):
    """Count the bytes of the tensors created inside while they are alive: now (``taken``) and at most (``peak``)."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.taken: int = 0
        self.peak: int = 0
        self._living: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._enter(leaf.untyped_storage())
        return out

    def _enter(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._living:
            return

        def leave(_: object) -> None:
            self.taken -= size
            del self._living[key]

        self._living[key] = weakref.ref(storage, leave)
        self.taken += size
        self.peak = max(self.peak, self.taken)


def gigabytes(count: int) -> str:
    """Format bytes as 1.2 GB or 48 GB."""
    return f"{count / 1e9:.1f} GB" if count < 10e9 else f"{count / 1e9:.0f} GB"
