"""What is fuzzed: functions of bytes, a small corpus for each, and the errors that they may raise."""

import dataclasses
import functools
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from fixtures import noise_style, parquet_files
from fixtures.translators import RECIPE, translator
from impasto.config.recipe import Recipe
from impasto.data.decode import count_pixels, decode
from impasto.data.entry import File, UnreadableError
from impasto.data.pack_files import INDEX
from impasto.data.parquet import ParquetFile, open_parquet, read_parquet
from impasto.data.pixel_store import PixelStore, pack
from impasto.data.sources import open_list, open_source
from impasto.data.tfrecord import read_tfrecord
from impasto.errors import ImpastoError
from impasto.inference.manifest import NAME, open_manifest
from impasto.interop.checkpoints import import_style
from impasto.interop.kaggle_submission import check_submission
from impasto.reports.own_files import own_files
from impasto.reports.run_log import read_log
from impasto.reports.run_record import RunRecord
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.budget import Budget

#: Errors that are shown to users in one line.
EXPECTED = (ImpastoError, UnreadableError)


@dataclasses.dataclass(frozen=True)
class Target:
    """Something that reads bytes.

    Attributes:
        read: raises nothing but :data:`EXPECTED`, whatever the bytes.
        corpus: bytes that are right, or nearly.
    """

    read: Callable[[bytes], object]
    corpus: Callable[[], list[bytes]]


TARGETS: dict[str, Target] = {}


def target(corpus: Callable[[], list[bytes]]) -> Callable[[Callable[[bytes], object]], Callable[[bytes], object]]:
    """Register a function as a target under its name."""

    def register(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
        TARGETS[read.__name__.strip("_")] = Target(read, corpus)
        return read

    return register


@functools.cache
def _scratch() -> Path:
    """Return a folder of this process."""
    return Path(tempfile.mkdtemp(prefix="scratch-"))


def _file(name: str, data: bytes) -> Path:
    path = _scratch() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _picture(kind: str, mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def _pictures() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = [
        ("PNG", "RGB"),
        ("PNG", "P"),
        ("PNG", "RGBA"),
        ("PNG", "I;16"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
    ]
    kinds += [
        ("WEBP", "RGBA"),
        ("TIFF", "RGB"),
        ("TIFF", "CMYK"),
        ("TIFF", "F"),
        ("BMP", "RGB"),
        ("GIF", "P"),
        ("AVIF", "RGB"),
    ]
    return [_picture("JPEG", exif=exif), *(_picture(kind, mode) for kind, mode in kinds)]


@target(_pictures)
def picture(data: bytes) -> None:
    if count_pixels(data) < 4_000_000:
        decode(data)


def _records() -> list[bytes]:
    import tfrecord

    path, found = _scratch() / "made.tfrec", []
    for feature in ("image", "image_raw"):
        writer = tfrecord.TFRecordWriter(str(path))
        for _ in range(2):
            writer.write({feature: (_picture("JPEG"), "byte"), "height": (12, "int")})
        writer.close()
        found.append(path.read_bytes())
    return found


@target(_records)
def records(data: bytes) -> None:
    for entry in read_tfrecord(File("a.tfrec", lambda: io.BufferedReader(io.BytesIO(data)))):
        try:
            entry.read()
        except UnreadableError:
            continue


def _tables() -> list[bytes]:
    pictures = [_picture("PNG"), _picture("JPEG"), None]
    column = parquet_files.images(pictures, ["a.png", None, "c.png"])
    return [parquet_files.parquet(2, image=column), parquet_files.parquet(image=pictures)]


@target(_tables)
def tables(data: bytes) -> None:
    file = open_parquet("hf:me/x", "a.parquet", _file("a.parquet", data), "")
    for entry in read_parquet(file) if isinstance(file, ParquetFile) else [file.entry()]:
        try:
            entry.read()
        except UnreadableError:
            continue


def _zips() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("inside/a.png", _picture("PNG"))
            archive.writestr("é.jpg", _picture("JPEG"))
        found.append(buffer.getvalue())
    return found


@target(_zips)
def zip(data: bytes) -> None:
    with open_source(_file("a.zip", data)) as source:
        for entry in source.entries():
            try:
                entry.read()
            except UnreadableError:
                continue


@target(_zips)
def submission(data: bytes) -> None:
    check_submission(_file("submission.zip", data))


@target(lambda: [b"a.jpg\nb.jpg\n", b"a.jpg\0b\0", "\ufeffé.jpg\r\n".encode()])
def list_of_files(data: bytes) -> None:
    with open_list(io.BytesIO(data)) as source:
        for entry in source.entries():
            try:
                entry.read()
            except UnreadableError:
                continue


def _styles() -> list[bytes]:
    return [noise_style.style().to_bytes(), translator(-1).to_bytes()]


@target(_styles)
def style(data: bytes) -> None:
    Style.load(_file("a.safetensors", data))


def _cards() -> list[bytes]:
    return [made.card.model_dump_json().encode() for made in (noise_style.style(), translator(-1))]


@target(_cards)
def card(data: bytes) -> None:
    """The text in a style's header."""
    text = data.decode("utf-8", "replace")
    Style.load(_file("card.safetensors", save({"a": torch.zeros(1)}, {"impasto": text})))


def _checkpoints() -> list[bytes]:
    buffer = io.BytesIO()
    torch.save({"step": 3, "networks": {"generator": {"a": torch.arange(6.0)}}, "seconds": 1.0}, buffer)
    return [buffer.getvalue()]


@target(_checkpoints)
def saved_training(data: bytes) -> None:
    checkpoint.load(_file("step-00000003.pt", data))


def _generators() -> list[bytes]:
    buffer = io.BytesIO()
    torch.save({"model.1.weight": torch.zeros(8, 3, 7, 7), "model.1.bias": torch.zeros(8)}, buffer)
    return [buffer.getvalue(), save({"model.1.weight": torch.zeros(8, 3, 7, 7)})]


@target(_generators)
def imported(data: bytes) -> None:
    suffix = ".safetensors" if data[8:9] == b"{" else ".pth"
    import_style(_file(f"latest{suffix}", data), _scratch() / "imported.safetensors", overwrite=True)


def _recipes() -> list[bytes]:
    names = ("dcgan-64", "cut", "monet", "cyclegan-resnet")
    return [Recipe.load(name).to_yaml().encode() for name in names] + [json.dumps(RECIPE).encode()]


@target(_recipes)
def recipe(data: bytes) -> None:
    Recipe.load(_file("recipe.yaml", data))


@target(
    lambda: [b"batch=4", b"generator.width=96", b"loss=hinge", b"generator.betas=[0.5, 0.9]", b"schedule.decay_from=0"]
)
def setting(data: bytes) -> None:
    Recipe.load("dcgan-64").replace([data.decode("utf-8", "replace")])


@target(lambda: [b"30m", b"50kimg", b"2000steps", b"20epochs", b"1.5h", b"90s"])
def budget(data: bytes) -> None:
    Budget.parse(data.decode("utf-8", "replace")).steps(8, 100)


JOB = {"style": "a", "strength": 1.0}


def _manifests() -> list[bytes]:
    lines = [JOB, {"photo": "a.jpg", "digest": "d", "painting": "a.png"}, {"whole": True}]
    return ["\n".join(map(json.dumps, lines)).encode()]


@target(_manifests)
def manifest(data: bytes) -> None:
    folder = _file(f"painted/{NAME}", data).parent
    for overwrite in (False, True):
        with open_manifest(folder, JOB, overwrite=overwrite) as found:
            found.add("b.jpg", "e", "b.png")


@functools.cache
def _pack() -> Path:
    _file("images/a.png", _picture("PNG"))
    pack(_scratch() / "images", _scratch() / "pack", 16)
    return _scratch() / "pack"


@target(lambda: [(_pack() / INDEX).read_bytes()])
def pack_index(data: bytes) -> None:
    (_pack() / INDEX).write_bytes(data)
    PixelStore.open(_pack())


def _shard(suffix: str) -> Path:
    (path,) = _pack().glob(f"0*.{suffix}")
    return path


@target(lambda: [_shard("npy").read_bytes()])
def pack_pixels(data: bytes) -> None:
    _shard("npy").write_bytes(data)
    np.array(PixelStore.open(_pack()).pixels)


@target(lambda: [_shard("npz").read_bytes(), b"{}"])
def pack_records(data: bytes) -> None:
    _shard("npz").write_bytes(data)
    PixelStore.open(_pack()).inventory  # noqa: B018


def _facts() -> list[bytes]:
    from fixtures.invented_runs import FACTS

    return [json.dumps(FACTS).encode()]


@target(_facts)
def run_facts(data: bytes) -> None:
    folder = _file("run/run.json", data).parent
    _file("run/recipe.yaml", json.dumps(RECIPE).encode())
    RunRecord.read(folder)


@target(lambda: [b'{"step": 1, "loss_generator": 0.5}\n{"step": 2, "event": "x"}\n{"step": 3, "KID[a] 2 v 3": 0.1}\n'])
def run_log(data: bytes) -> None:
    read_log(_file("log.jsonl", data))


@target(lambda: [b'{"impasto": "1", "files": ["report.html"]}'])
def report_record(data: bytes) -> None:
    own_files(_file("report/record.json", data).parent, re.compile("report.html|record.json"), "record.json")
