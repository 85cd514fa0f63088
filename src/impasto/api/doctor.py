"""Facts about this machine and installation, and problems with them."""

import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from impasto.cache import Cached, cache_folder, cached
from impasto.errors import EXTRAS, ImpastoError

#: Distributions whose versions are told.
LIBRARIES = ("impasto", "torch", "numpy", "pillow", "opencv-python-headless", "av", "safetensors", "typer")
#: What each extra is for.
PURPOSES = {
    "train": "train, explore and evaluate",
    "tune": "search for settings (impasto tune)",
    "kaggle": "data sets of Kaggle (kaggle:NAME)",
    "hub": "the Hugging Face Hub (push, pull, hf:NAME)",
    "keras": "import the weights of Keras",
    "parquet": "parquet files of the Hub",
    "onnx": "export to ONNX",
    "openvino": "export to OpenVINO",
    "remote": "addresses such as s3://bucket/pack",
    "ray": "a Ray cluster (--engine ray)",
    "studio": "the page in the browser (impasto studio)",
    "formats": "HEIC photos",
    "notebook": "progress in notebooks, and run them (Jupyter)",
    "wandb": "log to Weights & Biases (--log wandb)",
    "mlflow": "log to MLflow (--log mlflow)",
    "trackio": "log to Trackio (--log trackio)",
    "spandrel": "styles in programs with spandrel, such as chaiNNer",
}
#: Environment variables that matter, beside those of impasto; and words in the names of those that hold secrets.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_OFFLINE", "HF_TOKEN", "MKL_NUM_THREADS", "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY", "PYTHONDONTWRITEBYTECODE", "PYTORCH_CUDA_ALLOC_CONF", "RAY_ADDRESS", "TMPDIR", "WANDB_MODE",
)  # fmt: skip
SECRET = re.compile("TOKEN|KEY|SECRET|PASSWORD|DATABASE")
#: Bytes of memory, and of each disk, below which there is a problem.
LITTLE = 2 << 30


@dataclass(frozen=True)
class Extra:
    """An extra: what it is for, its packages that are not installed, and the command that installs them."""

    name: str
    purpose: str
    missing: list[str]
    install: str


@dataclass
class Diagnosis:
    """What was found. Sizes are in bytes.

    Attributes:
        versions: of libraries; None if one is not installed.
        device: what ``--device auto`` chooses, and why.
        precision: what ``--precision auto`` chooses there, and why.
        gpus: names of the CUDA devices, with their memory.
        processors: those that this process may use.
        threads: those that PyTorch uses.
        instructions: instruction sets that PyTorch uses.
        memory: of the machine, and what is free for this process, within the limits of its container.
        disks: free space of the current folder, of that for temporary files, and of the cache.
        cache_folder: where the cache is; empty if that cannot be used.
        cache: what is in it.
        environment: variables that matter; of those with secrets only that they are set.
        problems: one sentence each, with what to do.
    """

    versions: dict[str, str | None] = field(default_factory=dict)
    device: tuple[str, str] = ("", "")
    precision: tuple[str, str] = ("", "")
    gpus: list[str] = field(default_factory=list)
    processors: int = 0
    threads: int = 0
    instructions: list[str] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    disks: dict[str, int] = field(default_factory=dict)
    cache_folder: str = ""
    cache: list[Cached] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def doctor() -> Diagnosis:
    """Examine this machine and installation."""
    found = Diagnosis(
        versions={
            "python": platform.python_version(),
            "system": platform.platform(),
            **{name: _version(name) for name in LIBRARIES},
        },
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory={"total": psutil.virtual_memory().total, "free": psutil.virtual_memory().available},
        extras=[_extra(name) for name in EXTRAS],
        environment={name: _shown(name) for name in sorted(os.environ) if _matters(name)},
    )
    _examine_torch(found)
    _examine_disks(found)
    _examine_environment(found)
    if found.memory["free"] < LITTLE:
        found.problems.append(f"Only {found.memory['free'] / 1e9:.1f} GB of memory are free: close other programs.")
    return found


def _examine_torch(found: Diagnosis) -> None:
    try:
        import torch

        from impasto.device import available, choose_device, choose_precision
    except (ImportError, OSError) as error:
        found.problems.append(f"PyTorch cannot be imported ({error}): install it again, with pip install torch.")
        return
    device = choose_device("auto")
    where = {
        "cuda": "PyTorch sees a CUDA GPU",
        "mps": "PyTorch sees an Apple GPU",
        "cpu": "PyTorch sees no GPU",
    }
    found.device = str(device), where[device.type]
    precision = choose_precision("auto", device)
    gains = "accelerates" if precision == "bf16-mixed" else "does not accelerate"
    found.precision = "bf16" if precision == "bf16-mixed" else "fp32", f"the hardware {gains} bfloat16"
    found.threads = torch.get_num_threads()
    found.memory["free"] = available(torch.device("cpu"))
    capability = torch.backends.cpu.get_cpu_capability()
    kinds = {"AVX-512 BF16": torch.cpu._is_avx512_bf16_supported, "AMX": torch.cpu._is_amx_tile_supported}
    found.instructions = [capability, *(name for name, supported in kinds.items() if supported())]
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        found.gpus.append(f"{facts.name}, {facts.total_memory / 1e9:.0f} GB")
    if device.type == "cpu" and shutil.which("nvidia-smi"):
        build = torch.version.cuda or "no CUDA"
        found.problems.append(
            f"An NVIDIA driver is installed, but PyTorch (built for {build}) sees no GPU: install a build for the CUDA "
            "version that nvidia-smi shows, and check CUDA_VISIBLE_DEVICES."
        )


def _examine_disks(found: Diagnosis) -> None:
    try:
        places = {"current folder": Path.cwd(), "temporary files": Path(tempfile.gettempdir()), "cache": cache_folder()}
        found.cache_folder, found.cache = str(cache_folder()), cached()
    except (ImpastoError, OSError) as error:
        found.problems.append(f"A folder cannot be used ({error}): check IMPASTO_CACHE, TMPDIR and the current folder.")
        return
    for name, place in places.items():
        there = next(each for each in (place, *place.absolute().parents) if each.exists())
        found.disks[name] = shutil.disk_usage(there).free
        if found.disks[name] < LITTLE:
            found.problems.append(f"Only {found.disks[name] / 1e9:.1f} GB are free in {there}: delete files there.")
        if not os.access(there, os.W_OK):
            remedy = (
                "set IMPASTO_CACHE" if name == "cache" else "set TMPDIR" if "temp" in name else "use another folder"
            )
            found.problems.append(f"{there} ({name}) cannot be written to: {remedy}.")


def _examine_environment(found: Diagnosis) -> None:
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads is not None and not threads.isdecimal():
        found.problems.append(f"OMP_NUM_THREADS is {threads}: set it to a number of threads, or unset it.")
    elif threads is not None and int(threads) > found.processors:
        found.problems.append(
            f"OMP_NUM_THREADS is {threads}, more than the {found.processors} processors of this process: threads would "
            "wait for each other."
        )
    if sys.dont_write_bytecode:
        found.problems.append(
            "PYTHONDONTWRITEBYTECODE is set, and Python compiles PyTorch at every start, which takes seconds: unset it."
        )
    limit = os.environ.get("IMPASTO_PACK_CACHE_GB")
    if limit and not re.fullmatch(r"\d+(\.\d*)?", limit):
        found.problems.append(f"IMPASTO_PACK_CACHE_GB is {limit}: set it to a number of gigabytes.")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _extra(name: str) -> Extra:
    missing = [package for package in EXTRAS[name] if find_spec(package) is None]
    return Extra(name, PURPOSES[name], missing, f"pip install 'impasto[{name}]'")


def _matters(name: str) -> bool:
    return name in VARIABLES or name.startswith("IMPASTO_")


def _shown(name: str) -> str:
    return "set" if SECRET.search(name) else os.environ[name]


def lines(found: Diagnosis) -> list[tuple[str, list[str]]]:
    """Return the diagnosis as text: headings, each with lines."""
    absent = [f"{each.name}: {each.purpose}. Missing {', '.join(each.missing)}: {each.install}" for each in found.extras
              if each.missing]  # fmt: skip
    complete = [each.name for each in found.extras if not each.missing]
    values: dict[str, Any] = {
        "Versions": [f"{name} {number or 'not installed'}" for name, number in found.versions.items()],
        "Device": [f"{name}: {why}" for name, why in (found.device, found.precision) if name] + found.gpus,
        "Processors": [f"{found.processors}, {found.threads} threads of PyTorch, {', '.join(found.instructions)}"],
        "Memory": [f"{found.memory['free'] / 1e9:.1f} of {found.memory['total'] / 1e9:.1f} GB free for this process"],
        "Free disk": [f"{name}: {free / 1e9:.1f} GB" for name, free in found.disks.items()],
        "Cache": [found.cache_folder] * bool(found.cache_folder)
        + [f"{each.kind}: {each.files:,} files, {each.bytes / 1e6:.1f} MB" for each in found.cache if each.files],
        "Extras": [f"installed: {', '.join(complete) or 'none'}", *absent],
        "Environment": [f"{name} = {value}" for name, value in found.environment.items()],
        "Problems": found.problems or ["none found"],
    }
    return [(title, rows) for title, rows in values.items() if rows]
