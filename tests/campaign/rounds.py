"""A round: fail once, look at what is left, run again, and compare with a run that did not fail."""

import hashlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from campaign.commands import Running, Trouble
from campaign.failures import FAILURES, MOUNTED, Failure, can_mount, own_disk
from campaign.jobs import Job, Result, prepare_inputs

#: How often a command is run to be disturbed before it ends.
ATTEMPTS = 6
#: Names that others may have given to files beside ours and between them; none of them is ours.
FOREIGN = [
    "out.zip.part", "out.zip.1.part", "out.part.bak", "notes.txt", "out.mp4.bak", "run.bak", "out/mine.jpg",
    "out/inside/mine.png", "out.zip.begun/mine.jpg", "run/mine.txt", "run/samples/holiday.part",
    "run/samples/my-step-00000099.jpg", "run/checkpoints/step-mine.pt", "study/mine.png", "out.mp4.part",
]  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """A job that was not disturbed: its result, and the seconds that it took."""

    job: Job
    result: Result
    seconds: float


def references(scratch: Path, chosen: list[Job]) -> list[Reference]:
    """Run each job once, without any trouble."""
    prepare_inputs(scratch / "inputs")
    found = []
    for number, job in enumerate(chosen):
        folder = scratch / f"whole-{number}"
        folder.mkdir()
        ended = Running(job.command, folder, Trouble()).finish()
        if ended.code:
            raise RuntimeError(f"{job.name}: {ended.error}{ended.output}")
        found.append(Reference(job, job.result(folder), ended.seconds))
        print(f"{job.name}: {ended.seconds:.1f} s undisturbed", flush=True)
    return found


def play(number: int, seed: int, scratch: Path, known: list[Reference], failures: list[str] | None = None) -> str:
    """Play a round and return a line about it, which ends in "equal" if all is well.

    A command that ended before it was disturbed is run anew, and disturbed earlier.
    """
    rng = random.Random(f"{seed}/{number}")
    kinds = FAILURES | (MOUNTED if can_mount() else {})
    reference = rng.choice(known)
    name = rng.choice([kind for kind in kinds if failures is None or kind in failures])
    line = f"{number:>4}  {reference.job.name:<22} {name:<14}"
    for attempt in range(ATTEMPTS):
        hit, found = _attempt(kinds[name], reference, rng, 0.7**attempt, scratch / f"round-{number}-{attempt}")
        shutil.rmtree(scratch / f"round-{number}-{attempt}", ignore_errors=True)
        if hit or name == "clock jumps" or not found.endswith("equal"):
            break
    return f"{line} {found}"


def _attempt(fail: Failure, reference: Reference, rng: random.Random, share: float, folder: Path) -> tuple[bool, str]:
    """Disturb a command within a share of its time. Return whether it failed, and what is wrong or "equal"."""
    job = reference.job
    folder.mkdir()
    with own_disk(folder):
        foreign = dict(_plant(folder, [each for each in FOREIGN if "/" not in each]))
        try:
            ended = fail(rng, job.command, folder, share * reference.seconds)
        except TimeoutError:
            return True, "HANGS"
        problems = [ended.complaint] if ended.complaint else []
        problems += [f"half-written: {each}" for each in _half_written(folder, set(foreign))]
        foreign |= dict(_plant(folder, [each for each in FOREIGN if "/" in each]))
        if ended.code:
            problems += _run_again(job, folder)
        if not problems:
            problems += _differences(job, folder, reference)
        problems += [f"{path} was changed" for path, data in foreign.items() if _digest(folder / path) != data]
    return ended.code != 0, f"{ended.code:>4} after {ended.seconds:5.1f} s  {' | '.join(problems) or 'equal'}"


def _differences(job: Job, folder: Path, reference: Reference) -> Iterator[str]:
    try:
        result = job.result(folder)
    except OSError as error:
        yield f"no result: {error}"
        return
    if result != reference.result:
        yield f"differs: {_difference(result, reference.result)}"


def _run_again(job: Job, folder: Path) -> Iterator[str]:
    """Run the job until the end, and yield what is wrong.

    It may be refused because its output exists: it was disturbed after that was complete, as the comparison shows.
    """
    command = job.again(job.command, folder)
    try:
        ended = Running(command, folder, Trouble()).finish()
    except TimeoutError:
        yield "hangs when run again"
        return
    if ended.code and "already exists" not in ended.error:
        yield f"run again: exit code {ended.code}: {(ended.error or ended.output).strip()[-300:]!r}"


def _plant(folder: Path, names: list[str]) -> Iterator[tuple[str, str]]:
    """Write files of others where there is a folder for them, and yield their digests."""
    for name in names:
        path = folder / name
        if path.parent.is_dir():
            path.write_text(f"of somebody else: {name}")
            yield name, _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "gone"


def _half_written(folder: Path, foreign: set[str]) -> Iterator[str]:
    """Yield files that are incomplete under a final name."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        inside = path.relative_to(folder).as_posix()
        if inside in foreign or any(part.endswith(".part") for part in path.relative_to(folder).parts):
            continue
        check = CHECKS.get(path.suffix)
        try:
            if check is not None:
                check(path.read_bytes())
        except Exception as error:
            yield f"{inside} ({type(error).__name__}: {error})"


def _load_image(data: bytes) -> None:
    Image.open(io.BytesIO(data)).load()


def _test_zip(data: bytes) -> None:
    damaged = zipfile.ZipFile(io.BytesIO(data)).testzip()
    if damaged:
        raise ValueError(damaged)


def _load_safetensors(data: bytes) -> None:
    header = int.from_bytes(data[:8], "little")
    ends = [each["data_offsets"][1] for name, each in json.loads(data[8 : 8 + header]).items() if name[:2] != "__"]
    if len(data) != 8 + header + max(ends):
        raise ValueError("cut short")


#: How to read a whole file, by suffix.
CHECKS: dict[str, Callable[[bytes], object]] = {
    ".png": _load_image,
    ".jpg": _load_image,
    ".webp": _load_image,
    ".zip": _test_zip,
    ".pt": _test_zip,
    ".npz": _test_zip,
    ".npy": lambda data: np.load(io.BytesIO(data)),
    ".json": json.loads,
    ".safetensors": _load_safetensors,
}


def _difference(found: Result, expected: Result) -> str:
    """Return where two results differ first."""
    if found.keys() != expected.keys():
        return f"{sorted(found.keys() ^ expected.keys())[:5]}"
    for name, value in expected.items():
        if found[name] == value:
            continue
        if isinstance(value, dict) and isinstance(found[name], dict):
            return f"{name}: {_difference(found[name], value)}"
        return f"{name}: {str(found[name])[:80]} instead of {str(value)[:80]}"
    return "nothing"
