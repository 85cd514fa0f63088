"""Import, pull, export and push styles, and make their example images."""

import io
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field

from impasto.data.decode import decode
from impasto.data.image_grid import tile
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.files import atomic_write, make_folder
from impasto.inference.photo import pixels
from impasto.inference.sampler import Sampler
from impasto.serving.shelf import add_style, example_file, new_style_file, style_file
from impasto.serving.tasks.base import Identifier, StyleName, TaskContext, TaskRequest, task
from impasto.style import Card, Style

#: Size of an example image in pixels.
EXAMPLE = (480, 360)
#: Images of an example of a style that generates, and their columns.
SAMPLES, COLUMNS = 12, 4
#: Repositories, and the revisions that can be pulled.
REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}"
REVISION = r"(@[A-Za-z0-9_.-]{1,100})?"


class ImportRequest(TaskRequest):
    """A checkpoint of another tool, or a style file."""

    file: Identifier
    name: StyleName
    key: str = Field("", max_length=200, description="The generator to import, if there are several.")

    def files_read(self) -> list[str]:
        return [self.file]


class PullRequest(TaskRequest):
    """A style on the Hugging Face Hub."""

    repository: str = Field(pattern=f"^{REPOSITORY}{REVISION}$")
    name: StyleName


class ExportRequest(TaskRequest):
    """A style to write as ONNX."""

    style: StyleName


class PushRequest(TaskRequest):
    """A style to upload to the Hugging Face Hub, with the token that this machine is logged in with."""

    style: StyleName
    repository: str = Field(pattern=f"^{REPOSITORY}$")


class ExampleRequest(TaskRequest):
    """A style whose example image is missing."""

    style: StyleName

    def priority(self, light: bool) -> int:
        return -1


@task("import", ImportRequest, summary="Import a checkpoint or a style file", path="/styles/import", resumes=True)
def import_checkpoint(request: ImportRequest, context: TaskContext) -> dict[str, Any]:
    """Put the style among those of the studio."""
    from impasto.interop.checkpoints import import_style

    file = context.files([request.file])[0]
    path = context.library.path(file)

    def write(out: Path) -> None:
        if file.suffix == ".safetensors" and _is_style(path):
            Style.load(path).save(out)
        else:
            import_style(path, out, key=request.key, overwrite=True)

    return _add(request.name, write, context)


def _is_style(path: Path) -> bool:
    try:
        Card.load(path)
    except ImpastoError:
        return False
    return True


@task("pull", PullRequest, summary="Download a style from the Hugging Face Hub", path="/styles/pull", resumes=True)
def pull_style(request: PullRequest, context: TaskContext) -> dict[str, Any]:
    """Put the style among those of the studio."""
    from impasto.interop.hub import pull

    return _add(request.name, lambda out: pull(request.repository, out, overwrite=True), context)


def _add(name: str, write: Callable[[Path], object], context: TaskContext) -> dict[str, Any]:
    """Write a style into the working folder, and link it to the shelf, unless a worker that ended has done so.

    Raises ImpastoError if the name is taken.
    """
    made, out = context.folder / "style.safetensors", context.library.styles / f"{name}.safetensors"
    if not (made.exists() and out.exists() and out.samefile(made)):
        new_style_file(context.library, name)
        write(made)
        context.check()
        add_style(context.library, name, made)
    _example(name, context)
    return {"style": name, "description": Card.load(out).domains}


@task("export", ExportRequest, summary="Export a style as ONNX", path="/styles/export")
def export_style(request: ExportRequest, context: TaskContext) -> dict[str, Any]:
    """Store the ONNX file as a result."""
    from impasto.interop.export import export

    out = context.folder / "style.onnx"
    found = export(style_file(context.library, request.style), out, overwrite=True)
    context.result(f"{request.style}.onnx", out, settings={"style": request.style}, shown=False)
    return {"difference": {"largest": found.largest, "mean": found.mean}}


@task("push", PushRequest, summary="Upload a style to the Hugging Face Hub", path="/styles/push")
def push_style(request: PushRequest, context: TaskContext) -> dict[str, Any]:
    """Return the address of the repository."""
    from impasto.interop.hub import push

    return {"url": push(style_file(context.library, request.style), request.repository)}


@task("example", ExampleRequest, summary="Make the example image of a style", path="")
def make_example(request: ExampleRequest, context: TaskContext) -> None:
    """Write the example image of a style, unless it is there."""
    if not example_file(context.library, request.style).exists():
        _example(request.style, context)


def _example(name: str, context: TaskContext) -> None:
    """Write an image for the card of a style: a sample photo translated, or images from noise."""
    pipeline = context.models.load(name)
    if isinstance(pipeline, Sampler):
        image = tile(np.stack([*pipeline.stream(SAMPLES)]), COLUMNS)
    else:
        sample = "sample:photos" if pipeline.card.target == "paintings" else "sample:paintings"
        with open_source(sample) as source:
            entry = next(islice(source.entries(), 3, None))
            photo = _cropped(decode(entry.read()).image)
        image = Image.fromarray(pipeline.paint_pixels(pixels(photo)[None])[0])
    buffer = io.BytesIO()
    _cropped(image).save(buffer, "JPEG", quality=88)
    out = example_file(context.library, name)
    make_folder(out.parent)
    with atomic_write(out) as part:
        part.write_bytes(buffer.getvalue())


def _cropped(image: Image.Image) -> Image.Image:
    """Return the centre of an image in the proportions and size of an example."""
    width, height = EXAMPLE
    scale = min(image.width / width, image.height / height)
    left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
    box = (left, top, left + scale * width, top + scale * height)
    return image.convert("RGB").resize(EXAMPLE, Image.Resampling.LANCZOS, box)
