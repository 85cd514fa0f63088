"""Run folders as a training leaves them: paintings of real Monets, and an invented log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from impasto.grid import tile
from impasto.report.record import Facts

BATCH = 16
RECIPE = {
    "name": "dcgan-64",
    "method": "gan",
    "size": 64,
    "batch": BATCH,
    "generator": {"network": "dcgan", "width": 64, "lr": 0.0002, "betas": [0.5, 0.999]},
    "discriminator": {"network": "dcgan", "width": 64, "lr": 0.0002, "betas": [0.5, 0.999]},
    "augment": {"flip": True, "scale": [0.8, 1.0]},
}
FACTS: dict[str, Any] = {
    "impasto": "0.1.0",
    "created": "2026-03-01T10:20:30+00:00",
    "seed": 0,
    "budget": "2m",
    "total_steps": 400,
    "source": {
        "spec": "pictures/monet_jpg",
        "fingerprint": "9f86d081884c7d659a2feaa0c55ad015",
        "crop_frames": False,
        "pictures": 300,
        "heldout": 30,
        "left_out": 2,
        "duplicates": 1,
        "size": 80,
    },
    "device": "cpu",
    "precision": "bf16-mixed",
    "status": "finished",
}


def facts() -> Facts:
    """The facts of every invented run."""
    return Facts.model_validate(FACTS)


def pictures(folder: Path, count: int, size: int) -> NDArray[np.uint8]:
    """(count, size, size, 3): the first pictures of a folder."""
    read = []
    for path in sorted(folder.glob("*.jpg"))[:count]:
        with Image.open(path) as picture:
            read.append(np.asarray(picture.convert("RGB").resize((size, size))))
    return np.stack(read)


def painted(real: NDArray[np.uint8], progress: float) -> NDArray[np.uint8]:
    """What a generator might make at that progress (0…1): noise, then blobs, then nearly Monets."""
    random = np.random.default_rng(7)
    made = []
    for picture in real:
        blur = ImageFilter.GaussianBlur(8 * (1 - progress) ** 1.5)
        blurred = Image.fromarray(picture[:, ::-1]).filter(blur)
        grain = random.normal(128, 45, picture.shape)
        share = min(1.0, 3 * progress) * 0.94
        made.append(share * np.asarray(blurred) + (1 - share) * grain)
    sheet: NDArray[np.uint8] = np.clip(np.stack(made), 0, 255).astype(np.uint8)
    return sheet


def log_rows(steps: int, every: int = 50, seed: int = 0) -> Iterator[dict[str, Any]]:
    """A log in which the discriminator ends by memorising its paintings."""
    random = np.random.default_rng(seed)
    for step in range(1, steps + 1):
        progress = step / steps
        row: dict[str, Any] = {
            "step": step,
            "pictures": step * BATCH,
            "seconds": round(step * 0.31, 2),
            "loss_generator": 0.8 + 2.2 * progress + random.normal(0, 0.35),
            "loss_discriminator": 0.25 + 1.1 * np.exp(-6 * progress) + abs(random.normal(0, 0.12)),
            "accuracy_real": float(np.clip(0.62 + 0.31 * progress + random.normal(0, 0.05), 0, 1)),
            "accuracy_fake": float(np.clip(0.70 + 0.2 * progress + random.normal(0, 0.05), 0, 1)),
            "spread": 0.9 - 0.7 * np.exp(-8 * progress) + random.normal(0, 0.03),
            "lr": 0.0002,
            "pictures_per_second": 51.6 + random.normal(0, 2),
            "memory": 1_288_490_188,
        }
        if step % every == 0:
            row["accuracy_heldout"] = float(np.clip(0.62 - 0.09 * progress + random.normal(0, 0.02), 0, 1))
            row["swd"] = 0.02 + 0.2 * np.exp(-5 * progress) + abs(random.normal(0, 0.003))
        yield row


def write_log(run: Path, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    """Writes ``log.jsonl``, a row a line."""
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def begin(run: Path, size: int = 64, **facts: Any) -> Path:
    """A run that has just begun: no step, no picture yet."""
    run.mkdir()
    recipe = yaml.safe_dump(RECIPE | {"size": size}, sort_keys=False)
    (run / "recipe.yaml").write_text(recipe, encoding="utf-8")
    (run / "run.json").write_text(json.dumps(FACTS | facts), encoding="utf-8")
    return run


def finish(run: Path, monets: Path, samples: int, steps: int = 400, size: int = 64, count: int = 64) -> Path:
    """A run that has ended, with so many samples of ``count`` paintings each."""
    begin(run, size)
    (run / "samples").mkdir()
    write_log(run, log_rows(steps))
    real = pictures(monets, 2 * count, size)
    tile(real[count:]).save(run / "samples" / "real.jpg", quality=92)
    for index in range(1, samples + 1):
        step = index * steps // samples
        fakes = painted(real[:count], index / samples)
        tile(fakes).save(run / "samples" / f"step-{step:08d}.jpg", quality=90)
    tile(painted(real[:count], 1.0)).save(run / "paintings.jpg", quality=92)
    return run
