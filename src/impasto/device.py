"""Device and precision of computations, and free memory."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil
import torch

from impasto.errors import ImpastoError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Fabric's names: bfloat16 mixed precision with float32 weights, or float32 throughout.
Precision = Literal["bf16-mixed", "32-true"]

#: Texts of RuntimeErrors that mean out of memory: of torch's CPU allocator (also on Windows), MPS, CUDA's libraries,
#: oneDNN, and threads of Python and ONNX Runtime, whose stacks need some.
FULL = (
    "can't allocate memory", "Cannot allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED",
    "could not create a primitive", "can't start new thread",
)  # fmt: skip


class InsufficientMemoryError(ImpastoError):
    """There is too little memory for a training."""


def choose_device(name: str) -> torch.device:
    """Return the device of that name: ``auto`` is CUDA, else MPS, else the CPU; other names are torch's, such as
    ``cuda:1``. ImpastoError if this machine has none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ImpastoError(f"There is no device '{name}': choose auto, cpu, cuda, cuda:1 … or mps.") from error
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if (device.index or 0) >= there.get(device.type, 0):
        raise ImpastoError(f"There is no device '{name}' on this machine: choose another, or auto.")
    return device


def choose_precision(name: str, device: torch.device) -> Precision:
    """Return the precision of that name: ``bf16``, ``fp32``, or ``auto`` for bf16 where the hardware accelerates it."""
    choices: dict[str, Precision] = {"bf16": "bf16-mixed", "fp32": "32-true"}
    if name != "auto":
        if name not in choices:
            raise ImpastoError(f"There is no precision '{name}': choose auto, bf16 or fp32.")
        return choices[name]
    if device.type == "cuda":
        gains = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        gains = device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    return choices["bf16" if gains else "fp32"]


def open_fabric(device: torch.device, precision: Precision) -> "Fabric":
    """Return a launched Fabric for that device."""
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision
    devices = [device.index] if device.index is not None else 1
    # It is to start no processes, and not to look for those of torchrun or SLURM: impasto.parallel connects them.
    fabric = Fabric(accelerator=device.type, devices=devices, precision=precision, plugins=[LightningEnvironment()])
    fabric.launch()
    return fabric


def upload(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return an array as a tensor on a device. The host does not wait for the copy to a GPU."""
    tensor = torch.from_numpy(values)
    return tensor.to(device) if device.type in ("cpu", "mps") else tensor.pin_memory().to(device, non_blocking=True)


@contextmanager
def restored_torch_state(device: torch.device) -> Iterator[None]:
    """Restore torch's global random generators, of the CPU and of the kind of ``device``, its number of threads and the
    choice of cuDNN's algorithms on exit, also after an error.

    Inside, cuDNN measures which algorithm is fastest for each shape, of which a training has few. TF32 is left as it
    is: by torch's default convolutions in float32 use it, and matrix products do not, as those of resampling need all
    digits.
    """
    threads = torch.get_num_threads()
    gpus = list(range(torch.cuda.device_count())) if device.type == "cuda" or torch.cuda.is_initialized() else []
    mps = torch.mps.get_rng_state() if device.type == "mps" else None
    benchmark = torch.backends.cudnn.benchmark
    with torch.random.fork_rng(gpus):
        torch.backends.cudnn.benchmark = True
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.backends.cudnn.benchmark = benchmark
            if mps is not None:
                torch.mps.set_rng_state(mps)


def out_of_memory(error: Exception) -> bool:
    """Whether an error means out of memory, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in FULL)


def available(device: torch.device) -> int:
    """Return the free memory of a device for this process, in bytes."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free: int = torch.cuda.mem_get_info(device)[0]
        return free + cached
    return min([int(psutil.virtual_memory().available), *_allowances(Path("/"))])


def memory_used(device: torch.device) -> int:
    """Return peak allocated bytes of a CUDA device, else the resident set size of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


def _allowances(root: Path) -> Iterator[int]:
    """Yield the bytes that the control groups (cgroups v1 and v2) of this process leave it: in a container the limit
    may be far below the machine's memory."""
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount, limit, usage, unused = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            mount, limit, usage = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            unused = "total_inactive_file"
        else:
            continue
        group = mount / path.lstrip("/")
        for folder in (each for each in (group, *group.parents) if each.is_relative_to(mount)):
            if not (folder / limit).exists():  # in a container the path may be the host's
                continue
            most = (folder / limit).read_text().strip()
            if most != "max":
                words = (folder / "memory.stat").read_text().split()
                rows = dict(zip(words[::2], words[1::2], strict=True))
                # The page cache counts as used, but is reclaimed when memory is needed.
                yield int(most) - int((folder / usage).read_text()) + int(rows.get(unused, 0))
