"""The processes of a training: those that torchrun or a cluster has started, or further ones that are started here."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch.distributed import FileStore, PrefixStore, Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from impasto import parallel
from impasto.device import choose_device
from impasto.errors import ImpastoError
from impasto.parallel import LostProcessError, Processes
from impasto.terminal import print_lines

#: What torchrun, and Kubernetes' training operator, set for each process.
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
#: Names in torchrun's store: how often process 0 was started, and whether the training was begun.
STARTS, BEGUN = "impasto/starts", "impasto/begun"
#: Seconds in which a process that has ended is noticed, and after which a message that waits for it in vain ends all.
NOTICE, PATIENCE = 2.0, 30.0


def started_outside() -> bool:
    """Whether torchrun or a cluster has started this process as one of several."""
    return all(name in os.environ for name in VARIABLES) and int(os.environ["WORLD_SIZE"]) > 1


def process_count(devices: int | None) -> int:
    """Return how many processes a training has: ``devices``, or those that were started outside."""
    return int(os.environ["WORLD_SIZE"]) if started_outside() else max(devices or 1, 1)


def threads_each(threads: int, processes: int) -> int:
    """Return how many of so many threads of the CPU each of the processes uses; torchrun has divided them already."""
    return threads if started_outside() else max(1, threads // processes)


@dataclass(frozen=True)
class Team:
    """The connected processes of a training, as one of them sees them.

    Attributes:
        processes, device: see :mod:`impasto.parallel`; the device of this process.
        store: what torchrun keeps over its restarts; None if the processes were not started outside.
    """

    processes: Processes
    device: torch.device
    store: Store | None = None

    @property
    def begun(self) -> bool:
        """Whether the training was begun before torchrun restarted its processes."""
        return self.store is not None and self.store.check([BEGUN])

    def begin(self) -> None:
        """Record that the training has been begun."""
        if self.store is not None:
            self.store.set(BEGUN, "yes")


@contextmanager
def training_processes(device: str, devices: int | None) -> Iterator[Team]:
    """Yield the processes of a training, connected.

    Args:
        device: as for :func:`impasto.train`.
        devices: how many processes to use, each with a device of its own; None for one, or for those that torchrun has
            started.

    Raises:
        ImpastoError: there are fewer devices, or torchrun has started other processes.
        LostProcessError: another process has ended.
    """
    if started_outside():
        if devices is not None:
            raise ImpastoError("torchrun has started the processes of this training already: leave out --devices.")
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local = int(os.environ.get("LOCAL_RANK", "0"))
        own = devices_of(device, int(os.environ.get("LOCAL_WORLD_SIZE", local + 1)))[local]
        with parallel.losses_explained():
            store, _, _ = next(rendezvous("env://", rank, size, timeout=parallel.STEP_TIMEOUT))
            part = part_of_this_start(store, rank, size)
        with parallel.connected(rank, size, own, part) as processes:
            yield Team(processes, own, store)
    elif devices in (None, 1):
        yield Team(Processes(), choose_device(device))
    else:
        assert devices is not None
        chosen = devices_of(device, devices)
        with (
            tempfile.TemporaryDirectory(prefix="impasto-") as folder,
            _Started(Path(folder), chosen) as started,
            started.losses_explained(),
            parallel.connected(0, devices, chosen[0], FileStore(str(started.store), devices)) as processes,
        ):
            yield Team(processes, chosen[0])


def part_of_this_start(store: Store, rank: int, size: int) -> Store:
    """Return a part of torchrun's store for this start of the processes: it keeps the store when it restarts them, with
    the addresses of those that have ended."""
    own = uuid.uuid4().hex
    if rank == 0:
        start = store.add(STARTS, 1)
        joined = [store.get(f"impasto/{start}/joined/{other}").decode() for other in range(1, size)]
        store.set(f"impasto/{start}/members", " ".join(joined))
        return PrefixStore(f"impasto/{start}", store)
    deadline = time.monotonic() + parallel.STEP_TIMEOUT.total_seconds()
    while time.monotonic() < deadline:  # an earlier start may be the newest that is known yet
        if start := store.add(STARTS, 0):
            store.set(f"impasto/{start}/joined/{rank}", own)
            members = f"impasto/{start}/members"
            if store.check([members]) and own in store.get(members).decode():
                return PrefixStore(f"impasto/{start}", store)
        time.sleep(0.05)
    raise LostProcessError("Process 0 has not started.")


def devices_of(name: str, count: int) -> list[torch.device]:
    """Return the devices of ``count`` processes of this machine: one GPU each, or all the CPU.

    Raises:
        ImpastoError: there are fewer GPUs, or the device cannot be shared.
    """
    if count < 1:
        raise ImpastoError(f"A training needs at least one device, not {count}: change --devices.")
    device = choose_device(name)
    if device.type == "cpu":
        return [device] * count
    if device.index is not None and count > 1:
        raise ImpastoError(f"{count} processes need a GPU each, not {name} alone: give --device {device.type}.")
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if count > there:
        raise ImpastoError(
            f"This machine has {there} GPU{'s' * (there > 1)}, too few for {count} processes: give --devices {there}."
        )
    return [torch.device(device.type, index) for index in range(count)] if count > 1 else [device]


class _Started:
    """The further processes of a training on this machine, which end with it."""

    def __init__(self, folder: Path, devices: list[torch.device]) -> None:
        self.folder, self.devices, self.store = folder, devices, folder / "store"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._closing = threading.Event()

    def __enter__(self) -> "_Started":
        self._interface = _loopback()
        os.environ |= self._interface  # they would listen on an address that others can reach
        for rank, device in enumerate(self.devices[1:], 1):
            command = [sys.executable, "-m", "impasto.api.training_replica"]
            command += [str(rank), str(len(self.devices)), str(device), str(self.store)]
            with self._output(rank).open("wb") as output:
                # Its end of the pipe tells a process that this one has ended, however that came.
                self.processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output))
        if self.devices[0].type == "cuda":
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing.set()
        for each in self.processes:
            if kind is not None:
                each.kill()
            assert each.stdin is not None
            each.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.wait(PATIENCE)
            each.kill()
            each.wait()
        for name in self._interface:
            os.environ.pop(name, None)

    @contextmanager
    def losses_explained(self) -> Iterator[None]:
        """Say which process has ended, and how, where one is lost."""
        try:
            yield
        except LostProcessError as error:
            raise LostProcessError(self._loss() or error.reason, error.advice) from error

    def _loss(self) -> str | None:
        """Return which process has ended, and how; it may have done so a moment ago."""
        deadline = time.monotonic() + NOTICE
        while all(each.poll() is None for each in self.processes) and time.monotonic() < deadline:
            time.sleep(0.05)
        for each in self.processes:
            each.poll()
        ended = {rank: each.returncode for rank, each in enumerate(self.processes, 1) if each.returncode is not None}
        return self._reason(ended) if ended else None

    def _reason(self, ended: Mapping[int, int]) -> str:
        # Those that failed because of another one end with LOST.
        rank, code = next(((r, c) for r, c in ended.items() if c != LOST), next(iter(ended.items())))
        which = f"Process {rank} (of {len(self.devices)}, from 0)"
        if code < 0:
            name = signal.Signals(-code).name
            memory = ", as the system does where memory is short" if name == "SIGKILL" else ""
            return f"{which} was killed by {name}{memory}."
        lines = self._output(rank).read_text(errors="replace").strip().splitlines()
        return f"{which} failed: {lines[-1] if lines else f'exit code {code}'}"

    def _watch(self) -> None:
        """End this process where it waits in vain for one that has ended, as NCCL does."""
        while not self._closing.wait(NOTICE):
            if any(each.poll() is not None for each in self.processes) and not self._closing.wait(PATIENCE):
                print_lines(f"impasto: {self._loss()} The last checkpoint is intact.", file=sys.stderr)
                os._exit(1)

    def _output(self, rank: int) -> Path:
        return self.folder / f"{rank}.log"


#: The exit code of a process that lost another one.
LOST = 75


def _loopback() -> dict[str, str]:
    """Return the settings that let gloo and NCCL listen on 127.0.0.1 alone, unless the user has made them."""
    names = [name for name, found in psutil.net_if_addrs().items() if any(a.address == "127.0.0.1" for a in found)]
    settings = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
    return {each: name for each in settings if each not in os.environ for name in names[:1]}
