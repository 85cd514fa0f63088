"""Data-parallel training: the processes of a training, each of which makes every step on its part of the batch.

The batch of a recipe is the global one. Each process has all networks, and a contiguous part of the samples. Random
numbers of samples are drawn for the global batch by every process, from the same generator, and cut to its part
(:func:`whole`, :func:`part`); statistics over the batch are those of the global one (:func:`mean`, :func:`gather`); and
gradients are averaged before each update (:func:`average_gradients`). So a training is the same for any number of
processes, but for the order of summation. For one process all functions return what they are given.

This is not DistributedDataParallel, whose reducer allows neither several forward passes before a backward pass nor
parameters that get no gradients in some passes, as those of a discriminator in the generator's step.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from impasto.errors import ImpastoError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup, Store  # type: ignore[attr-defined]

#: Gradients are averaged in groups of about this many numbers, each with one message.
BUCKET = 16 << 20
#: How long a process may wait for the others within a step, and between steps, while the first one scores.
STEP_TIMEOUT, WAIT_TIMEOUT = timedelta(minutes=5), timedelta(days=2)


class LostProcessError(ImpastoError):
    """Another process of the training has ended, or cannot be reached.

    Attributes:
        reason, advice: the parts of the message: what happened, and what to do.
    """

    def __init__(self, reason: str = "Another process of the training has ended.", advice: str = "") -> None:
        self.reason, self.advice = reason, advice
        super().__init__(f"{reason} {advice}".rstrip())


@dataclass(frozen=True)
class Processes:
    """The processes of a training, as one of them sees them.

    Attributes:
        rank: the number of this process, from 0. The first one decides, writes and reports.
        size: how many there are.
        group: exchanges tensors on the device of the training: NCCL on CUDA, else gloo.
        control: exchanges messages through the CPU, with a long timeout.
    """

    rank: int = 0
    size: int = 1
    group: "ProcessGroup | None" = None
    control: "ProcessGroup | None" = None

    @property
    def first(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def broadcast(self, message: bytes = b"") -> bytes:
        """Return the message of the first process; that of the others is not used."""
        if self.size == 1:
            return message
        length = torch.tensor([len(message)])
        with losses_explained():
            dist.broadcast(length, 0, group=self.control)
            content = torch.empty(int(length), dtype=torch.uint8)
            if self.first and message:
                content = torch.frombuffer(bytearray(message), dtype=torch.uint8)
            dist.broadcast(content, 0, group=self.control)
        return content.numpy().tobytes()

    def exchange(self, message: bytes) -> list[bytes]:
        """Return the messages of all processes, in their order."""
        if self.size == 1:
            return [message]
        length = torch.tensor([len(message)])
        with losses_explained():
            lengths = [torch.empty_like(length) for _ in range(self.size)]
            dist.all_gather(lengths, length, group=self.control)
            content = torch.zeros(max(map(int, lengths)), dtype=torch.uint8)
            content[: len(message)] = torch.frombuffer(bytearray(message), dtype=torch.uint8)
            found = [torch.empty_like(content) for _ in range(self.size)]
            dist.all_gather(found, content, group=self.control)
        return [each[: int(count)].numpy().tobytes() for each, count in zip(found, lengths, strict=True)]

    def join(self, part: NDArray[Any]) -> NDArray[Any]:
        """Return the parts of an array that the processes have, in their order; of its first dimension they may have
        unequal shares, or none."""
        if self.size == 1:
            return part
        file = io.BytesIO()
        np.save(file, part, allow_pickle=False)
        parts = [np.load(io.BytesIO(each), allow_pickle=False) for each in self.exchange(file.getvalue())]
        return np.concatenate([each for each in parts if len(each)] or [part])


_ALONE = Processes()
_current: ContextVar[Processes] = ContextVar("processes", default=_ALONE)


def current() -> Processes:
    """Return the processes of the training that is being made; one alone outside of :func:`using`."""
    return _current.get()


@contextmanager
def using(processes: Processes) -> Iterator[None]:
    """Make the steps inside as one of these processes."""
    token = _current.set(processes)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def connected(rank: int, size: int, device: torch.device, store: "Store") -> Iterator[Processes]:
    """Connect this process with the others; all of them must come here.

    Args:
        rank, size: see :class:`Processes`.
        device: the device of this process.
        store: where the processes find each other.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    with losses_explained():
        dist.init_process_group(backend, timeout=STEP_TIMEOUT, store=store, rank=rank, world_size=size)
    try:
        with losses_explained():
            control = dist.new_group(backend="gloo", timeout=WAIT_TIMEOUT)
        yield Processes(rank, size, dist.group.WORLD, control)
    finally:
        dist.destroy_process_group()


def tell(order: Mapping[str, Any]) -> None:
    """Tell the other processes, as the first one, what all of them do next; :meth:`Processes.broadcast` returns it
    there, as JSON."""
    processes = current()
    if processes.size > 1:
        processes.broadcast(json.dumps(order).encode())


@contextmanager
def losses_explained() -> Iterator[None]:
    """Turn the failure of a message into LostProcessError."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError from error


# Samples.


@dataclass(frozen=True)
class Span:
    """The samples ``start`` … ``stop`` − 1 of ``total`` in the global batch: those of one process."""

    start: int
    stop: int
    total: int

    @property
    def count(self) -> int:
        """How many samples the process has."""
        return self.stop - self.start


_spans: ContextVar[tuple[Span, ...]] = ContextVar("spans", default=())


def span(count: int, total: int | None = None) -> Span:
    """Return which samples this process has of the first ``total`` (by default all) of a global batch, of which each
    process has ``count``."""
    processes = current()
    total = count * processes.size if total is None else total
    return Span(min(processes.rank * count, total), min((processes.rank + 1) * count, total), total)


@contextmanager
def concatenated(*spans: Span) -> Iterator[None]:
    """Declare that networks called inside get the concatenation of several batches, of these spans. Otherwise each
    process has as many samples, in the order of the processes."""
    token = _spans.set(spans)
    try:
        yield
    finally:
        _spans.reset(token)


def whole(count: int) -> int:
    """Return the number of samples in the global batch of which this process has ``count``."""
    spans = _spans.get() or (span(count),)
    return sum(each.total for each in spans)


def part(values: Tensor, dim: int = 0) -> Tensor:
    """Return this process's samples of values for the global batch, which has dimension ``dim``."""
    processes = current()
    if processes.size == 1:
        return values
    spans = _spans.get() or (span(values.shape[dim] // processes.size),)
    pieces, begin = [], 0
    for each in spans:
        pieces.append(values.narrow(dim, begin + each.start, each.count))
        begin += each.total
    return torch.cat(pieces, dim)


# Statistics.


class _Mean(torch.autograd.Function):
    """The mean over the processes. Each process differentiates its own loss, and gradients are averaged afterwards, so
    the gradient is a mean too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, processes: Processes) -> Tensor:
        ctx.processes = processes  # on CUDA the backward pass runs in a thread of its own
        return all_sum(value, processes) / processes.size

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(gradient, ctx.processes), None  # type: ignore[no-untyped-call]


def mean(value: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes, differentiable: of means over their parts it is the mean over the
    global batch."""
    processes = current()
    if processes.size == 1:
        return value
    averaged: Tensor = _Mean.apply(value, processes)  # type: ignore[no-untyped-call]
    return averaged


def weighted(value: Tensor, samples: Span) -> Tensor:
    """Return a mean over this process's ``samples`` with the weight that makes :func:`mean` that over all of them; 0 if
    the process has none."""
    size = current().size
    if samples.count * size == samples.total:
        return value
    return value * (samples.count * size / samples.total) if samples.count else torch.zeros_like(value)


@torch.no_grad()
def all_sum(value: Tensor, processes: Processes) -> Tensor:
    """Return the sum of a tensor over the processes."""
    total = value.detach().clone(memory_format=torch.contiguous_format)
    with losses_explained():
        dist.all_reduce(total, group=processes.group)
    return total


@torch.no_grad()
def gather(samples: Tensor) -> Tensor:
    """Return the samples (B, …) of the global batch, of which each process has as many."""
    processes = current()
    if processes.size == 1:
        return samples
    samples = samples.detach().contiguous()
    parts = [torch.empty_like(samples) for _ in range(processes.size)]
    with losses_explained():
        dist.all_gather(parts, samples, group=processes.group)
    return torch.cat(parts)


def average_gradients(network: nn.Module) -> None:
    """Replace the gradients of a network by their means over the processes."""
    processes = current()
    if processes.size == 1:
        return
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    for bucket in _buckets(gradients):
        means = all_sum(torch.cat([each.reshape(-1) for each in bucket]), processes).div_(processes.size)
        for each, averaged in zip(bucket, means.split([each.numel() for each in bucket]), strict=True):
            each.copy_(averaged.view(each.shape))


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors in groups of one dtype and about :data:`BUCKET` numbers."""
    bucket: list[Tensor] = []
    numbers = 0
    for each in tensors:
        if bucket and (numbers + each.numel() > BUCKET or each.dtype != bucket[0].dtype):
            yield bucket
            bucket, numbers = [], 0
        bucket.append(each)
        numbers += each.numel()
    if bucket:
        yield bucket
