"""How much memory a training takes, known before it begins: on a CPU the system ends a process that takes too much,
without a word and without a checkpoint."""

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
from impasto.device import available, choose_layout
from impasto.errors import ImpastoError
from impasto.methods.base import Method

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.config.recipe import Recipe

#: What a training takes beside its tensors: compiled kernels, the scoring network, the libraries of the report.
BESIDE = 300 << 20


def require_memory(recipe: "Recipe", fabric: "Fabric") -> None:
    """Refuses a training that would not fit into the memory that is free on ``fabric``'s device now.

    Raises :class:`impasto.errors.ImpastoError` with the largest batch that does.
    """
    free, need = available(fabric.device), needed(recipe, fabric)
    if need <= free:
        return
    wrong = (
        f"Training {recipe.name} with batch {recipe.batch} needs about {gigabytes(need)} of memory and "
        f"{gigabytes(free)} are free"
    )
    batch = fitting(recipe, fabric, need, free)
    if batch is None:
        raise ImpastoError(f"{wrong}, too little for any batch: set a smaller size or smaller widths.")
    raise ImpastoError(f"{wrong}: --set batch={batch} fits.")


def needed(recipe: "Recipe", fabric: "Fabric") -> int:
    """Bytes that training by ``recipe`` takes of ``fabric``'s device at its peak, beside what is taken already.

    The networks make a step as ever, but of tensors that have a shape and no content, so that nothing is computed or
    allocated but their weights, and no random number is drawn from the global state. Between steps a checkpoint takes,
    on the CPU, once more what is kept.
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
    """The largest batch for which ``free`` bytes are enough, where that of ``recipe`` needs more, ``need``; None if
    there is none."""
    least = recipe.min_batch
    fixed = needed(recipe.model_copy(update={"batch": least}), fabric)
    if fixed > free:
        return None
    # All but the weights grows with the batch, in a line.
    return least + (free - fixed) * (recipe.batch - least) // (need - fixed)


def rehearse(method: Method, recipe: "Recipe", device: torch.device) -> list[Tensor]:
    """Has a new ``method`` make a step like any but its first, when the moments of Adam are there already, on pictures
    without content. Returns what the loop keeps beside it: the weights of the averages."""
    kept = [network for network in (method.style(), method.reverse()) if network is not None]
    averages = [weight.detach().clone() for network in kept for weight in network.parameters()]
    for optimizer in method.optimizers.values():
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = torch.zeros_like(weight)
        optimizer.step()
    shape = (recipe.batch, 3, recipe.size, recipe.size)
    layout = choose_layout(device, recipe.normalises_spatially)
    pictures = torch.zeros(shape, device=device).contiguous(memory_format=layout)
    photos = torch.zeros_like(pictures) if recipe.translates else pictures[:0]
    # At step 0 everything is done that is not done at every step.
    method.step(Batch(pictures, photos, torch.Generator(device), 0, recipe.peak_memory_at))
    return averages


def _hollow(method: Method) -> None:
    """Exchanges all weights and buffers of a method for ones without content, in its optimisers as well."""
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
    """Counts the bytes of all tensors that are made inside, for as long as each lives."""

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
    """Bytes as 1.2 GB or 48 GB."""
    return f"{count / 1e9:.1f} GB" if count < 10e9 else f"{count / 1e9:.0f} GB"
