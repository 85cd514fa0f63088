"""What is killed: a command, how it is started again, and how its result is compared."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from fixtures import noise_style
from fixtures.tiny import TINY
from fixtures.translators import translator
from fixtures.videos import read_video, scene, write_video

#: The result of a job as values that are compared with ==.
Result = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A command.

    Attributes:
        name: of the job.
        command: its arguments, with inputs in ``../inputs``.
        again: its arguments after a failure, given the folder.
        result: reads the result from the folder.
        output: the name of the result in the folder.
    """

    name: str
    command: list[str]
    output: str
    result: Callable[[Path], Result]
    again: Callable[[list[str], Path], list[str]]


def prepare_inputs(folder: Path) -> None:
    """Write styles, photos and a video into a folder."""
    folder.mkdir()
    noise_style.style().save(folder / "noise.safetensors")
    translator(-1).save(folder / "negative.safetensors")
    (folder / "photos").mkdir()
    for number in range(150):
        noise = np.random.default_rng(number).integers(0, 256, (30, 40, 3), np.uint8)
        image = Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC)
        image.save(folder / "photos" / f"{number:03d}.png")
    # Smaller frames, such as 64×48, are not encoded in the same way by x264 each time.
    film = [scene(2 * number, height=120, width=160) for number in range(120)]
    write_video(folder / "film.mp4", film, sound="aac")


def same(command: list[str], folder: Path) -> list[str]:
    """Run the same command again."""
    return command


def overwrite(command: list[str], folder: Path) -> list[str]:
    """Run the same command again, over what it may have written."""
    return [*command, "--overwrite"]


def resume(command: list[str], folder: Path) -> list[str]:
    """Resume a training; begin again if it was not begun."""
    run = folder / "run"
    if (run / "run.json").exists() and (run / "recipe.yaml").exists():
        return ["train", "--resume", "run"]
    if run.exists():  # the message says: choose another folder, or remove it
        shutil.rmtree(run)
    return command


def training(folder: Path) -> Result:
    """The last style, the newest checkpoint without its seconds, the log without speeds, and the samples."""
    run = folder / "run"
    checkpoint = sorted((run / "checkpoints").glob("step-????????.pt"))[-1]
    state = torch.load(checkpoint, weights_only=True)
    del state["seconds"]
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    timed = ("seconds", "pictures_per_second", "memory")
    patterns = ("step-????????.jpg", "reverse-step-????????.jpg")  # others may have put images there
    samples = sorted(path for pattern in patterns for path in run.glob(f"samples/{pattern}"))
    files = [*samples, run / "paintings.jpg", run / "copies.jpg"]
    return {
        "last": {name: digest(value.numpy().tobytes()) for name, value in load_file(run / "last.safetensors").items()},
        "checkpoint": checkpoint.name,
        "state": flat(state),
        "log": [{name: value for name, value in row.items() if name not in timed} for row in rows],
        "images": {path.name: digest(path.read_bytes()) for path in files},
        "status": json.loads((run / "run.json").read_text())["status"],
        "report": (run / "report.html").exists(),
    }


def flat(value: Any) -> Any:
    """Return nested values with tensors as digests."""
    if isinstance(value, torch.Tensor):
        return digest(value.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()) if value.numel() else ""
    if isinstance(value, dict):
        return {name: flat(each) for name, each in value.items()}
    return [flat(each) for each in value] if isinstance(value, list | tuple) else value


def study(folder: Path) -> Result:
    """Settings and values of the complete trials, and the best recipe."""
    found = json.loads((folder / "study" / "tuning.json").read_text())
    complete = [trial for trial in found["trials"] if trial["state"] == "complete"]
    trials = sorted(json.dumps([trial["settings"], trial["values"]], sort_keys=True) for trial in complete)
    return {"trials": trials, "best": (folder / "study" / "best.yaml").read_text().partition("#")[0]}


def images(folder: Path) -> Result:
    """The pixels of every painting of a folder."""
    return {
        path.name: digest(np.asarray(Image.open(path)).tobytes()) for path in sorted((folder / "out").glob("*.png"))
    }


def archive(folder: Path) -> Result:
    """The bytes of a zip and its names."""
    data = (folder / "out.zip").read_bytes()
    return {"bytes": digest(data), "names": zipfile.ZipFile(io.BytesIO(data)).namelist()}


def video(folder: Path) -> Result:
    """Times and pixels of the frames."""
    frames, times = read_video(folder / "out.mp4")
    return {"times": times, "frames": [digest(frame.tobytes()) for frame in frames]}


def packed(folder: Path) -> Result:
    """The files of a pack."""
    return {path.name: digest(path.read_bytes()) for path in (folder / "out").iterdir()}


def file(name: str) -> Callable[[Path], Result]:
    return lambda folder: {"bytes": digest((folder / name).read_bytes())}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def jobs(steps: int = 30) -> list[Job]:
    """Return all jobs: trainings of that many steps, and everything that writes pictures or files."""
    found = []
    for method in ("gan", "cyclegan", "cut", "fsesim"):
        recipe, small = TINY[method]
        size = ["size=16" if method == "gan" else "size=32"]  # content preservation needs 24
        settings = [part for each in [*size, "batch=2", *small] for part in ("--set", each)]
        photos = [] if method == "gan" else ["--photos", "../inputs/photos"]
        data = ["--paintings", "sample:paintings", *photos, "--out", "run", "--budget", f"{steps}steps"]
        found.append(Job(f"train {recipe}", ["train", recipe, *data, *settings], "run", training, resume))
    tiny = [part for each in ["size=16", "batch=8", *TINY["gan"][1]] for part in ("--set", each)]
    tune = ["tune", "dcgan-64", *tiny, "--paintings", "sample:paintings", "--out", "study", "--trials", "2"]
    negative = ["--style", "../inputs/negative.safetensors", "--format", "png"]
    noise = "../inputs/noise.safetensors"
    return [
        *found,
        Job("tune", [*tune, "--budget-per-trial", f"{steps // 4}steps"], "study", study, same),
        Job("paint folder", ["paint", "../inputs/photos", *negative, "--out", "out"], "out", images, same),
        Job("paint zip", ["paint", "../inputs/photos", *negative, "--out", "out.zip"], "out.zip", archive, same),
        Job("paint film", ["paint", "../inputs/film.mp4", *negative[:2], "--out", "out.mp4"], "out.mp4", video, same),
        Job("generate folder", ["generate", noise, "--count", "3000", "--out", "out"], "out", images, overwrite),
        Job("generate zip", ["generate", noise, "--count", "3000", "--out", "out.zip"], "out.zip", archive, same),
        Job("submit", ["submit", noise, "--count", "700", "--out", "out.zip"], "out.zip", archive, same),
        Job("pack", ["pack", "../inputs/photos", "out", "--size", "512"], "out", packed, same),
        Job("export", ["export", noise, "--onnx", "out.onnx"], "out.onnx", file("out.onnx"), same),
    ]
