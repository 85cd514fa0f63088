"""Bad input of sixty kinds, in every argument of every command: one clear line, and the documented exit code."""

import io
import os
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from fixtures import noise_style
from fixtures.command import Impasto
from fixtures.translators import translator
from impasto.cli import app
from impasto.config.recipe import Recipe
from impasto.training.run_dir import RunDir

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, devices and links of POSIX systems")

LONG = "n" * 300
COMMANDS = {
    each.name or each.callback.__name__.strip("_") for each in app.registered_commands if each.callback is not None
}

#: Paths to read from that hold nothing usable of any kind.
PATHS = {
    "missing": "no/such/place",
    "empty text": "",
    "a space": " ",
    "300 characters": LONG,
    "300 characters in a folder": f"{LONG}/x.jpg",
    "5,000 characters": "m/" * 2_500,
    "the home of nobody": "~nobody-here/x",
    "no UTF-8": "\udcff\udcfe",
    "empty folder": "empty",
    "folder of text": "words",
    "text named .jpg": "words/a.jpg",
    "empty file": "nothing.jpg",
    "empty zip": "empty.zip",
    "text named .zip": "text.zip",
    "zip cut short": "cut.zip",
    "broken link": "broken",
    "link to itself": "circle",
    "pipe": "pipe",
    "null device": "/dev/null",
    "folder of the kernel": "/proc/self/fdinfo",
    "file of the kernel": "/proc/self/mem",
    "below a file": "words/a.jpg/b",
    "unknown sample": "sample:nothing",
    "empty kaggle": "kaggle:",
    "kaggle outside": "kaggle:../x",
    "empty hub": "hf:",
    "hub outside": "hf:me/../x",
    "address": "https://example.invalid/x.jpg",
    "pattern without match": "*.nothing",
    "damaged pattern": "[",
    "folder named as a style": "folder.safetensors",
    "text named as a style": "text.safetensors",
    "empty style": "nothing.safetensors",
    "style of another network": "foreign.safetensors",
    "style cut short": "cut.safetensors",
    "run without a style": "run",
}
#: Fewer, where each takes a while.
FEW = {name: PATHS[name] for name in list(PATHS)[::3]}
#: Paths to write to that cannot be written.
OUTPUTS = {
    "existing file": "mine.zip",
    "existing folder": "words",
    "below a file": "words/a.jpg/b",
    "300 characters": LONG,
    "300 characters in a folder": f"{LONG}/x.zip",
    "read-only": "/proc/x",
    "read-only folder": "/sys/x/y.zip",
    "full device": "/dev/full",
    "null device": "/dev/null",
    "pipe": "pipe",
    "link to itself": "circle",
    "empty text": "",
}
RECIPES = {
    "empty": "",
    "list": "- 1\n- 2\n",
    "number": "5",
    "text": "hello",
    "not YAML": "a: [",
    "tabs": "a:\n\t- b",
    "binary": "\0\1\2",
    "unknown method": "name: x\nmethod: nothing\n",
    "null": "null",
    "alias bomb": "a: &a [1]\nb: &b [*a,*a]\nmethod: *b\n",
    "an object of Python": "!!python/object/apply:os.system ['touch hacked']",
}
BUDGETS = ["", "0s", "-5m", "nans", "infm", "10", "10 parsecs", "1e999s", f"{'9' * 400}steps", "0steps", "-1epochs"]
BUDGETS += ["5.5steps", "s", "½h", "10m10s"]
SETTINGS = ["batch=0", "batch=-1", "batch=nan", "batch=", "=4", "batch", "nothing=1", "generator.width=-8", "a.b.c.d=1"]
SETTINGS += [
    "size=17",
    "size=1e9",
    "batch=99999999999999999999",
    "loss=nothing",
    "batch=[",
    "method=cut",
    "batch=1e400",
]
NUMBERS = ["", "x", "-1", "1.5", "nan", "inf", "1e400", "٣٣٣x"]


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with something of every kind that is not usable."""
    folder = tmp_path_factory.mktemp("things")
    for name in ("empty", "words", "folder.safetensors", "run", "few"):
        (folder / name).mkdir()
    for name in ("words/a.jpg", "words/b.txt", "text.zip", "text.safetensors", "mine.zip", "text.pth", "text.yaml"):
        (folder / name).write_text("dear diary")
    for name in ("nothing.jpg", "nothing.safetensors", "nothing.yaml"):
        (folder / name).touch()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.jpg", bytes(1000))
    (folder / "cut.zip").write_bytes(whole.getvalue()[:500])
    with zipfile.ZipFile(folder / "empty.zip", "w"):
        pass
    (folder / "broken").symlink_to("gone")
    (folder / "circle").symlink_to("circle")
    os.mkfifo(folder / "pipe")
    noise_style.style().save(folder / "noise.safetensors")
    translator(1).save(folder / "same.safetensors")
    data = (folder / "noise.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(data[: len(data) // 2])
    (folder / "foreign.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    for number, text in enumerate(RECIPES.values()):
        (folder / f"recipe-{number}.yaml").write_text(text)
    RunDir.create(folder / "empty-run", Recipe.load("dcgan-64"), {"seed": 0})
    for number, name in enumerate(("photo.png", "few/a.png", "few/b.png", "few/c.png")):
        Image.effect_noise((64, 64), 10 + number).convert("RGB").save(folder / name)
    return folder


def _filled(command: list[str], bad: str) -> list[str]:
    return [part.replace("{}", bad) for part in command]


#: Commands, with the argument that is bad as a brace; and the kinds of bad argument.
PLACES: dict[str, tuple[list[str], dict[str, str]]] = {
    "paint photo": (["paint", "{}", "--style", "same.safetensors", "--out", "new"], PATHS),
    "paint style": (["paint", "photo.png", "--style", "{}", "--out", "new"], PATHS),
    "paint like": (["paint", "photo.png", "--like", "{}", "--out", "new"], FEW),
    "paint moods": (["paint", "{}", "--moods", "--out", "new.jpg"], FEW),
    "paint out": (["paint", "photo.png", "--style", "same.safetensors", "--out", "{}"], OUTPUTS),
    "generate style": (["generate", "{}", "--out", "new"], PATHS),
    "generate nearest": (["generate", "noise.safetensors", "--nearest", "{}", "--out", "new.png"], FEW),
    "generate out": (["generate", "noise.safetensors", "--out", "{}"], OUTPUTS),
    "submit style": (["submit", "{}", "--out", "new.zip"], PATHS),
    "submit photos": (["submit", "same.safetensors", "--photos", "{}", "--out", "new.zip"], PATHS),
    "submit check": (["submit", "--check", "{}"], PATHS),
    "submit out": (["submit", "noise.safetensors", "--out", "{}"], OUTPUTS),
    "explore paintings": (["explore", "{}", "--out", "new"], PATHS),
    "explore photos": (["explore", "few", "--photos", "{}", "--out", "new"], FEW),
    "explore recipe": (["explore", "few", "--recipe", "{}", "--out", "new"], PATHS),
    "pack source": (["pack", "{}", "new"], PATHS),
    "pack out": (["pack", "few", "{}"], OUTPUTS),
    "train recipe": (["train", "{}", "--paintings", "few", "--out", "new"], PATHS),
    "train paintings": (["train", "dcgan-64", "--paintings", "{}", "--out", "new"], PATHS),
    "train photos": (["train", "cut", "--paintings", "few", "--photos", "{}", "--out", "new"], PATHS),
    "train from": (["train", "--from", "{}", "--paintings", "few", "--out", "new"], PATHS),
    "train resume": (["train", "--resume", "{}"], PATHS),
    "train out": (["train", "dcgan-64", "--paintings", "few", "--out", "{}"], OUTPUTS),
    "tune recipe": (["tune", "{}", "--paintings", "few", "--out", "new"], PATHS),
    "tune paintings": (["tune", "dcgan-64", "--paintings", "{}", "--out", "new"], FEW),
    "report": (["report", "{}"], PATHS),
    "recipes": (["recipes", "{}"], PATHS),
    "evaluate fakes": (["evaluate", "{}", "--against", "few", "--out", "new"], PATHS),
    "evaluate against": (["evaluate", "few", "--against", "{}", "--out", "new"], PATHS),
    "compare": (["compare", "{}", "--out", "new"], PATHS),
    "import": (["import", "{}", "--out", "new.safetensors"], PATHS),
    "export style": (["export", "{}", "--onnx", "new.onnx"], PATHS),
    "push": (["push", "{}", "owner/name"], PATHS),
    "info": (["info", "{}"], PATHS),
}
#: Bad arguments that are no paths.
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "train budget": (["train", "dcgan-64", "--paintings", "empty", "--out", "new", "--budget", "{}"], BUDGETS),
    "train set": (["train", "dcgan-64", "--paintings", "empty", "--out", "new", "--set", "{}"], SETTINGS),
    "train seed": (["train", "dcgan-64", "--paintings", "empty", "--out", "new", "--seed", "{}"], ["x", "1.5", ""]),
    "train device": (
        ["train", "dcgan-64", "--paintings", "empty", "--out", "new", "--device", "{}"],
        ["", "x", "cuda:x"],
    ),
    "train log": (
        ["train", "dcgan-64", "--paintings", "empty", "--out", "new", "--log", "{}"],
        ["", "nothing", "../x"],
    ),
    "train precision": (
        ["train", "dcgan-64", "--paintings", "empty", "--out", "new", "--precision", "{}"],
        ["", "fp8"],
    ),
    "tune trials": (["tune", "dcgan-64", "--paintings", "empty", "--out", "new", "--trials", "{}"], ["0", *NUMBERS]),
    "tune objective": (["tune", "dcgan-64", "--paintings", "empty", "--out", "new", "--objective", "{}"], ["", "x"]),
    "generate count": (["generate", "noise.safetensors", "--out", "new", "--count", "{}"], ["0", *NUMBERS]),
    "generate start": (["generate", "noise.safetensors", "--out", "new", "--start", "{}"], NUMBERS),
    "generate seconds": (
        ["generate", "noise.safetensors", "--out", "new.mp4", "--seconds", "{}"],
        ["", "x", "-1", "0", "nan", "inf", "-inf", "1e400"],
    ),
    "generate truncation": (
        ["generate", "noise.safetensors", "--out", "new", "--truncation", "{}"],
        ["", "x", "-1", "0", "nan", "-inf"],
    ),
    "paint strength": (
        ["paint", "photo.png", "--style", "same.safetensors", "--out", "new", "--strength", "{}"],
        ["", "x", "-0.1", "1.1", "nan", "inf"],
    ),
    "paint brush": (
        ["paint", "photo.png", "--style", "same.safetensors", "--out", "new", "--brush", "{}"],
        ["", "x", "0", "-1", "5", "nan", "inf"],
    ),
    "paint mood": (
        ["paint", "photo.png", "--out", "new", "--mood", "{}"],
        ["", "x", "-1", "99999999999999999999", "1.5"],
    ),
    "paint format": (["paint", "photo.png", "--out", "new", "--format", "{}"], ["", "gif", "JPG "]),
    "cache kind": (["cache", "--clear", "{}"], ["", "x", "../x", LONG]),
    "pack size": (["pack", "few", "new", "--size", "{}"], ["0", "15", *NUMBERS, "99999999999"]),
    "submit count": (
        ["submit", "noise.safetensors", "--out", "new.zip", "--count", "{}"],
        ["0", "6999", "10001", *NUMBERS],
    ),
    "evaluate count": (
        ["evaluate", "few", "--against", "few", "--count", "{}"],
        ["0", "1", *NUMBERS],
    ),
    "evaluate size": (
        ["evaluate", "few", "--against", "few", "--size", "{}"],
        ["0", "15", *NUMBERS],
    ),
    "evaluate network": (
        ["evaluate", "few", "--against", "few", "--network", "{}"],
        ["", "nothing"],
    ),
    "compare price": (["compare", "run", "--out", "new", "--price", "{}"], ["", "x", "-1", "nan", "inf"]),
    "import license": (["import", "text.pth", "--out", "{}"], ["new.pth", "new", "x.safetensors/"]),
    "export out": (
        ["export", "noise.safetensors", "--onnx", "{}"],
        ["new", "new.txt", "/proc/x.onnx", f"{LONG}.onnx", "pipe"],
    ),
    "push repository": (["push", "noise.safetensors", "{}"], ["", "x", "a/b/c", "/", "a/", "../x"]),
    "pull repository": (["pull", "{}", "--out", "new.safetensors"], ["", "x", "a/b/c", "/", "a/", "../x"]),
}
USAGE = [
    ["nothing"], ["paint"], ["paint", "photo.png", "--nothing"], ["generate", "noise.safetensors"], ["train"],
    ["train", "dcgan-64"], ["submit"], ["evaluate", "few"], ["explore"], ["pack", "few"],
    ["--nothing"], ["generate", "noise.safetensors", "--out"], ["report"], ["report", "a", "b"], ["compare"],
    ["train", "--resume", "run", "--seed", "3"], ["styles", "x"], ["import"], ["export", "noise.safetensors"],
    ["push", "noise.safetensors"], ["pull"], ["tune", "dcgan-64"], ["generate", "same.safetensors", "--out", "new"],
    ["paint", "photo.png", "--style", "noise.safetensors", "--out", "new"],
    ["submit", "noise.safetensors", "--photos", "few", "--out", "new.zip"],
    ["submit", "same.safetensors", "--out", "new.zip"],
    ["train", "dcgan-64", "--paintings", "few", "--photos", "few", "--out", "new", "--budget", "x"],
    ["train", "cut", "--paintings", "few", "--out", "new"],
    ["generate", "noise.safetensors", "--out", "new", "--show", "mixtures"],
    ["generate", "noise.safetensors", "--out", "new.png", "--show", "mixtures"],
    ["generate", "noise.safetensors", "--out", "new.gif"], ["paint", "photo.png", "--out", "new.gif"],
    ["paint", "photo.png", "--out", "photo.png"], ["paint", "photo.png", "--out", "."],
]  # fmt: skip

RECIPE_FILES = [f"recipe-{number}.yaml" for number in range(len(RECIPES))]
#: Commands with one bad argument each, by place.
CASES = {
    **{place: [_filled(command, bad) for bad in kinds.values()] for place, (command, kinds) in PLACES.items()},
    **{place: [_filled(command, bad) for bad in kinds] for place, (command, kinds) in VALUES.items()},
    "recipe files": [["train", file, "--paintings", "empty", "--out", "new"] for file in RECIPE_FILES],
    "usage": USAGE,
}


@pytest.mark.parametrize("place", CASES)
def test_bad_input_is_one_line_with_the_documented_code(
    place: str, things: Path, impasto: Impasto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(things)
    for proxy in ("http_proxy", "https_proxy", "HTTPS_PROXY"):  # no network, wherever this runs
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    before = _files(things)
    for command in CASES[place]:
        done = impasto(*command, check=False)
        lines = (done.stdout if command[:2] == ["submit", "--check"] else done.stderr).splitlines()
        assert done.returncode in (1, 2) and len(lines) == 1, (command, done)
        assert lines[0].startswith("impasto: ") or command[:2] == ["submit", "--check"], (command, done)
        assert _files(things) == before, command


def test_every_command_meets_sixty_kinds_together() -> None:
    kinds = {kind for _, found in PLACES.values() for kind in found} | RECIPES.keys() | set(BUDGETS) | set(SETTINGS)
    assert len(kinds) >= 60 and sum(map(len, CASES.values())) > 1000
    assert {command[0] for commands in CASES.values() for command in commands} >= COMMANDS - {
        "styles",
        "studio",
        "doctor",
    }


def _files(folder: Path) -> dict[str, int]:
    """Return all files with the times of their last changes."""
    found = (path for path in folder.rglob("*") if not path.is_dir())
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in found}
