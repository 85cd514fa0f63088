"""Run folders as a training leaves them: paintings of real Monets, an invented log and invented scores."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from impasto.grid import tile
from impasto.report.record import Facts
from impasto.scores import Content, Copies, Copy, Evaluation, Scores, Side, Value

BATCH = 16
NETWORK = "efficientnet-lite0"
KID = f"KID[{NETWORK}] 256 v 270"
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
            row[KID] = 0.05 + 0.2 * np.exp(-5 * progress) + 0.02 * progress**6 + abs(random.normal(0, 0.003))
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


PHOTOS = FACTS["source"] | {
    "spec": "pictures/photo_jpg",
    "fingerprint": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "pictures": 7000,
    "heldout": 350,
}
CYCLE = {
    "name": "cyclegan-resnet",
    "method": "cyclegan",
    "cycle": 10,
    "generator": {"network": "resnet", "width": 32, "blocks": 6},
    "augment": {"flip": True, "scale": [0.5, 1.0]},
}


def cycle_rows(steps: int, every: int = 50, seed: int = 0) -> Iterator[dict[str, Any]]:
    """A log of two painters, there and back, whose generators step at every second step."""
    random = np.random.default_rng(seed)
    for row in log_rows(steps, every, seed):
        falling = np.exp(-3 * row["step"] / steps)
        row["loss_discriminator_back"] = 0.2 + abs(random.normal(0, 0.04))
        del row["loss_generator"]
        if row["step"] % 2:
            parts = {"adversarial": 0.4, "cycle": 0.06 + 0.3 * falling, "identity": 0.03 + 0.2 * falling}
            noisy = {name: part * random.uniform(0.8, 1.2) for name, part in parts.items()}
            row |= {f"loss_{name}": part for name, part in noisy.items()}
            row |= {f"loss_{name}_back": 1.2 * part for name, part in noisy.items()}
            row["loss_generator"] = 0.9 + 22 * noisy["cycle"] + 11 * noisy["identity"]
        yield row


def translate(
    run: Path, monets: Path, photos: Path, samples: int, steps: int = 400, size: int = 64, count: int = 16, **facts: Any
) -> Path:
    """The same of a translator: it learns from squares of ``size``, and paints photos of twice that."""
    begin(run, size, photos=PHOTOS | {"size": 2 * size}, **facts)
    (run / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | CYCLE | {"size": size}, sort_keys=False))
    (run / "samples").mkdir()
    write_log(run, cycle_rows(steps))
    taken = pictures(photos, count, 2 * size)
    tile(pictures(monets, count, 2 * size)).save(run / "samples" / "real.jpg", quality=92)
    tile(taken).save(run / "samples" / "photos.jpg", quality=92)
    tile(taken[::-1]).save(run / "samples" / f"reverse-step-{steps:08d}.jpg", quality=92)
    for index in range(samples + 1):
        step = index * steps // samples
        made = tile(rendered(taken, index / samples))
        made.save(run / "samples" / f"step-{step:08d}.jpg", quality=92)
    both = np.stack([taken, rendered(taken, 1.0)], axis=1).reshape(-1, *taken.shape[1:])
    tile(both, columns=8).save(run / "paintings.jpg", quality=92)
    return run


def rendered(photos: NDArray[np.uint8], progress: float) -> NDArray[np.uint8]:
    """What a translator might make of photos at that progress (0…1): warmer, rougher, and at first grey."""
    made = []
    for photo in photos:
        rough = np.asarray(ImageOps.posterize(Image.fromarray(photo), 8 - round(4 * progress)))
        warm = np.clip(rough * (1.0 + progress * np.array([0.15, 0.05, -0.1])), 0, 255)
        made.append(progress**0.5 * warm + (1 - progress**0.5) * 128)
    sheet: NDArray[np.uint8] = np.stack(made).astype(np.uint8)
    return sheet


def evaluation(
    kid: float = 0.0563, copied: float = 0.03, fakes: int = 256, reals: int = 270, size: int = 64, **changes: Any
) -> Evaluation:
    """An evaluation of a style, so much of which is copied; ``changes`` go to the evaluation itself."""
    random = np.random.default_rng(3)
    between = random.beta(14, 30, reals)
    honest = random.beta(16, 28, fakes - round(copied * fakes))
    near = random.beta(3, 60, fakes - len(honest))
    far = np.sort(np.concatenate([near, honest]))
    names = [f"picture-{k:03}.jpg" for k in range(reals)]
    suspects = [
        Copy(
            fake=f"seed 0, picture {k}", reals=names[k : k + 3], distances=[float(far[k] * more) for more in (1, 2, 3)]
        )
        for k in range(8)
    ]
    values = {
        "KID": Value(value=kid, error=0.00213, interval=(kid - 0.0042, kid + 0.0044), floor=0.00041),
        "FD": Value(value=99.12, interval=(96.1, 103.2), floor=41.3),
        "d": Value(value=0.3121, error=0.0041),
        "precision": Value(value=0.71, floor=0.82),
        "coverage": Value(value=0.34, floor=0.97),
    }
    values_of_dino = {"KID": Value(value=1.237, error=0.0518), "FD": Value(value=1240.4)}
    halves = (reals // 2, reals - reals // 2)
    whole = {
        "impasto": "0.1.0",
        "created": "2026-03-01T11:00:00+00:00",
        "fakes": Side(name="runs/first try", turns="noise into paintings", there=fakes, scored=fakes),
        "reals": Side(
            name="pictures/monet_jpg", there=300, scored=reals, duplicates=1, left_out=[("broken.jpg", "cut off")]
        ),
        "scores": [
            Scores(network=NETWORK, size=size, fakes=fakes, reals=reals, halves=halves, values=values),
            Scores(network="dinov2-vits14", size=size, fakes=fakes, reals=reals, values=values_of_dino),
        ],
        "copies": Copies(network=NETWORK, fakes=far.tolist(), reals=between.tolist(), suspects=suspects),
    }
    return Evaluation.model_validate(whole | changes)


CONTENT = Content(pairs=64, size=64, values={"SSIM": Value(value=0.412), "ST-LPIPS[vgg16]": Value(value=0.23)})


def copies_sheet(monets: Path, of: Evaluation) -> Image.Image:
    """The suspects of an evaluation beside their nearest reals."""
    rows, size = len(of.copies.suspects), of.scores[0].size
    real = pictures(monets, 3 * rows, size)
    fake = painted(real[::3], 0.9)
    return tile(np.concatenate([np.stack([fake[k], *real[3 * k : 3 * k + 3]]) for k in range(rows)]), columns=4)


def score(run: Path, of: Evaluation, copies: Image.Image | None = None) -> None:
    """Leaves an evaluation in a run folder."""
    (run / "evaluation.json").write_text(of.model_dump_json(), encoding="utf-8")
    if copies is not None:
        copies.save(run / "copies.jpg", quality=92)
