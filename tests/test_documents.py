"""The commands and the Python of the documents run, on small inputs and with budgets of two steps."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from typer.main import get_command

from fixtures.command import ROOT
from fixtures.parameters import mostly_long
from fixtures.peers import Resnet
from fixtures.untrained import untrained
from impasto.api import explore, training_session
from impasto.cli import main
from impasto.cli.app import app
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.inference import image_sets
from impasto.interop.export import export
from impasto.metrics.base import METRICS
from impasto.metrics.feature_extractors import FEATURE_EXTRACTORS, FeatureExtractor
from impasto.training import evaluator, memory_estimate

#: All but that of the studio, which tests/serving/test_studio_document.py runs.
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS.remove(ROOT / "docs" / "studio.md")

#: Commands that are not run, by how they begin, and why.
SKIPPED = {
    "make ": "installs, or runs all tests: continuous integration does both",
    "pip install ": "needs a package index; tests/test_packaging.py checks the extras",
    "python benchmarks/": "measures for minutes; mypy checks benchmarks",
    "python -m benchmarks ": "measures for half an hour; mypy checks benchmarks",
    "impasto push ": "needs the network; tests/interop/test_hub.py runs it against a local server",
    "impasto pack hf:": "needs the network; tests/data/test_hub_dataset.py runs it against a local server",
    "impasto pack 'hf:": "needs the network; tests/data/test_hub_dataset.py runs it against a local server",
    "impasto pack monet_jpg s3://": "needs a bucket; tests/data/test_remote_pack.py writes to a file system in memory",
    "impasto train dcgan-64 --paintings s3://": "needs a bucket; tests/data/test_remote_pack.py reads such packs",
    "impasto paint photo.jpg --style me/seine": "needs the network; tests/interop/test_hub.py uses a local server",
    "hf auth login": "asks for a token",
    "impasto pull ": "needs the network; tests/interop/test_hub.py runs it against a local server",
    "torchrun ": "starts processes that import torch; tests/api/test_training_replica.py runs it",
    "impasto studio": "serves until it is stopped; tests/serving runs it",
    "impasto submit ": "writes 7,000 images; tests/interop/test_kaggle_submission.py runs it",
    "npm pack ": "needs the network; tests/interop/test_web_page.py reads what it downloads",
    "python -m http.server ": "serves until it is stopped; tests/interop/test_web_page.py runs it",
    "impasto export ": "traces for a minute; tests/interop/test_export.py exports small networks",
    "impasto paint photo.jpg --moods": "renders 300 images; tests/inference/test_mood_sheet.py runs it",
    "impasto evaluate s3://": "needs a cluster and a bucket; tests/inference/test_ray_image_sets.py runs it",
    "impasto explore s3://": "needs a cluster and a bucket; tests/exploration/test_ray_scan.py runs it",
    "impasto paint s3://": "needs a cluster and a bucket; tests/inference/test_ray_backend.py runs it",
}

#: What makes the networks of a recipe small.
SMALL = {
    "dcgan-64": "size=16 batch=4 generator.width=8 generator.max_width=16 discriminator.width=8 "
    "discriminator.max_width=16",
    "projected-64": "batch=4 generator.width=8 discriminator.width=8",
    "projected-128": "batch=4 generator.width=8 discriminator.width=8",
    "monet": "size=64 batch=2 generator.width=8 generator.body=8 generator.blocks=1 discriminator.width=8",
    "cut": "size=32 batch=2 generator.width=4 generator.blocks=1 discriminator.width=4",
    "cnn": "batch=2 size=32 generator.width=4 discriminator.width=4",
    "cyclegan-resnet": "size=32 generator.width=4 generator.blocks=1 discriminator.width=4",
}
#: The same for a training that begins with a style or the recipe file of a search, whose networks are given.
SMALL_START = "size=64 batch=2"
#: What stands in for the files that a document takes for granted.
STAND_INS = [
    (r"--budget \S+", "--budget 2steps"),
    (r"--budget-per-trial \S+", "--budget-per-trial 2steps"),
    (r"--trials \d+", "--trials 1"),
    (r"((evaluate|compare) .*--against) sample:paintings", r"\1 my-paintings"),
    (r"((evaluate|compare) .*--against .*)", r"\1 --count 8"),
    (r"--size 256", "--size 64"),
    (r"find \. ", "find 2019 "),  # not all that other commands have written
    (r"\brun\b(?=.* --reverse)", "both-directions"),
]


class Block(NamedTuple):
    document: Path
    language: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL):
        yield Block(document, language, text)


def commands(block: Block) -> Iterator[str]:
    """Split a block of shell into its commands, without comments."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True, posix=False)
        yield from filter(None, " ".join(words).split(" && "))


def reduced(command: str) -> str:
    """Return the command with small networks, two steps and eight images."""
    for pattern, replacement in STAND_INS:
        command = re.sub(pattern, replacement, command)
    if re.match(r"impasto (train|tune) ", command) and "--resume" not in command:
        begun = "--from" in command or ".yaml" in command
        settings = SMALL_START if begun else SMALL[command.split()[2]]
        if "--budget" not in command:
            command += " --budget 2steps"
        for setting in settings.split():
            name, _, _ = setting.partition("=")
            command = f"{re.sub(rf' --set {re.escape(name)}=[^ ]+', '', command)} --set {setting}"
    return command


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with everything that the documents take for granted."""
    folder = tmp_path_factory.mktemp("documents")
    for domain, names in {
        "paintings": ["my-paintings", "monet_jpg"],
        "photos": ["my-photos", "photo_jpg", "photos"],
    }.items():
        with open_source(f"sample:{domain}") as source:
            found = [decode(entry.read()).image for _, entry in zip(range(12), source.entries(), strict=False)]
        for name in names:
            (folder / name).mkdir()
            for number in range(12):
                image = found[number % len(found)].resize((96, 96))
                image.rotate(90 * (number // len(found))).resize((64, 64)).save(folder / name / f"{number:02}.png")
    shutil.copytree(folder / "my-photos", folder / "2019" / "may")
    Image.open(folder / "my-photos/00.png").save(folder / "photo.jpg")
    for name in ("monet.jpg", "impression-sunrise.jpg"):
        Image.open(folder / "my-paintings/01.png").save(folder / name)
    for file in (folder / "2019/may").glob("*.png"):
        Image.open(file).save(file.with_suffix(".jpg"))
        file.unlink()
    with zipfile.ZipFile(folder / "holiday.zip", "w") as archive:
        archive.write(folder / "photo.jpg", "beach.jpg")
    with av.open(folder / "film.mp4", "w") as film:
        stream = film.add_stream("libx264", rate=12)
        stream.width = stream.height = 64
        for number in range(3):
            pixels = np.roll(np.asarray(Image.open(folder / "photo.jpg")), number, axis=1)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        film.mux(stream.encode())
    (folder / "checkpoints/horse2zebra").mkdir(parents=True)
    torch.manual_seed(0)
    weights = Resnet(8, 6, torch.nn.InstanceNorm2d, True, False, False, False).state_dict()
    torch.save(weights, folder / "checkpoints/horse2zebra/latest_net_G.pth")
    return folder


def colours(extractor: FeatureExtractor, pixels: Tensor) -> Tensor:
    """Return cheap features in place of a network's: random combinations of the colours of an 8×8 grid."""
    cells = F.adaptive_avg_pool2d(pixels.permute(0, 3, 1, 2).float(), 8).flatten(1) / 255
    return cells @ torch.randn(cells.shape[1], extractor.dimension, generator=torch.Generator().manual_seed(0))


def run(command: str) -> None:
    """Run a command in this process, with few images to score, cheap features, and neither speed nor memory
    estimated; a pipeline in bash."""
    if "|" in command:
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-ec", command], check=True, env=environment)
        return
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.setattr(sys, "argv", shlex.split(command))
        patch.setattr(image_sets, "GENERATED", 8)
        patch.setattr(evaluator, "SCORE_IMAGES", 16)  # of which the first score takes an eighth
        patch.setattr(explore, "_estimate_speeds", lambda *arguments: {})
        patch.setattr(memory_estimate, "needed", lambda *arguments: 0)
        patch.setattr(training_session, "write_report", lambda *arguments: None)
        for extractor in FEATURE_EXTRACTORS.values():
            patch.setattr(extractor, "features", colours)
        try:
            main()
        except SystemExit as end:
            assert not end.code, f"{command}: {end.code}"


def prepare() -> None:
    """Train what documents evaluate without having trained it before: one model from noise, one CycleGAN."""
    if not Path("run").exists():
        run(reduced("impasto train dcgan-64 --paintings my-paintings --out run --budget 2steps"))
    if not Path("both-directions").exists():
        domains = "--paintings my-paintings --photos my-photos"
        run(reduced(f"impasto train cyclegan-resnet {domains} --out both-directions --budget 2steps"))
    for name in ("run-a", "run-b"):
        if not Path(name).exists():
            shutil.copytree("run", name)


def export_for(block: Block) -> None:
    """Export a small network in place of ``monet`` for a block that runs it."""
    if "monet.onnx" in block.text and not Path("monet.onnx").exists():
        untrained("cnn").save(Path("small.safetensors"))
        export("small.safetensors", "monet.onnx")


def require_quotation(block: Block) -> None:
    """Check that a block that names a file in its first line quotes that file; ``...`` stands for lines left out."""
    path, _, text = block.text.removeprefix("# ").partition("\n")
    lines = iter((ROOT / path).read_text().splitlines())
    for line in text.splitlines():
        assert line.strip() in ("", "...") or line in lines, f"{block.document.name}: {path} has no {line!r} there"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_every_command_of_a_document_has_arguments_that_are_understood(document: Path) -> None:
    group: Any = get_command(app)
    for block in blocks(document):
        for command in commands(block) if block.language == "sh" else ():
            if command.startswith("impasto ") and "|" not in command:
                words = shlex.split(command)[1:]
                with group.make_context("impasto", [*words]) as context:
                    name, verb, rest = group.resolve_command(context, words)
                    assert verb is not None and verb.make_context(name, rest, parent=context), command


#: Documents whose commands run in every run of the tests; those of the others are long.
ALWAYS = [path for path in DOCUMENTS if path.stem in ("CONTRIBUTING", "packs")]


@pytest.mark.parametrize("document", mostly_long(DOCUMENTS, *ALWAYS), ids=lambda document: document.stem)
def test_every_command_of_a_document_runs(document: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inputs)
    monkeypatch.setenv("IMPASTO_CACHE", str(inputs / "cache"))  # its features are not those of other tests
    monkeypatch.setattr(METRICS, "_things", dict(METRICS))  # a document registers its own
    for block in blocks(document):
        assert block.language in ("sh", "python", "yaml", "toml", ""), f"{document.name}: {block.language}"
        if block.language == "python" and block.text.startswith("# tests/"):
            require_quotation(block)
        elif block.language == "python":
            prepare()
            export_for(block)
            shutil.rmtree("run")
            settings = str(SMALL["dcgan-64"].split())
            text = block.text.replace('"2m"', '"2steps"').replace('["batch=16"]', settings)
            exec(compile(text, str(document), "exec"), {"__name__": "document"})
        if block.language == "sh":
            for command in commands(block):
                if any(command.startswith(beginning) for beginning in SKIPPED):
                    continue
                prepare()
                command = reduced(command)
                command = re.sub(r"--out photos\b", "--out made", command)
                if (out := re.search(r"--out (\S+)", command)) and "--resume" not in command:
                    shutil.rmtree(out[1], ignore_errors=True)
                    Path(out[1]).unlink(missing_ok=True)
                run(command)


def test_every_skipped_command_is_in_a_document() -> None:
    found = [command for document in DOCUMENTS for block in blocks(document) for command in commands(block)]
    for beginning in SKIPPED:
        assert any(command.startswith(beginning) for command in found), beginning


def test_the_limits_of_the_threat_model_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    limits = re.findall(r"`([\w.]+)` = ([\d,]+)", text)
    assert len(limits) > 30
    for name, number in limits:
        assert resolve_name(f"impasto.{name}") == int(number.replace(",", "")), name
