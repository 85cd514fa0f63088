"""What a plain ``pip install impasto`` can do, and what it says about the rest."""

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from PIL import Image

from fixtures.parameters import mostly_long
from impasto.errors import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: Runs the command with every package of an extra missing: argument 1 names them.
BARE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Absent())
import impasto.cli
impasto.cli.main()
"""


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[>=<]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def _built(kind: str, source: Path, out: Path) -> Path:
    """Build the wheel or the sdist of a source folder, as a release does."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(out.iterdir())


def _core(names: list[str]) -> set[str]:
    """Return the distributions that these need, themselves included, without any extra of impasto's."""
    found, wanted = set[str](), [Requirement(name) for name in names]
    while wanted:
        requirement = wanted.pop()
        if requirement.name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(requirement.name)
            wanted += map(Requirement, distribution(requirement.name).requires or [])
    return found


def _bare(*arguments: str, missing: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command; torch brings fsspec and jinja2 along, so they are never missing."""
    absent = missing or tuple({name for names in EXTRAS.values() for name in names} - {"fsspec", "jinja2"})
    command = [sys.executable, "-c", BARE, ",".join(absent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _third_party() -> set[str]:
    """Return every package that the source imports at run time, besides Python's own."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"impasto"}


def test_every_imported_package_is_a_dependency_or_in_an_extra() -> None:
    owners = packages_distributions()
    extras = {name for names in EXTRAS.values() for name in names}
    core = _names(PROJECT["dependencies"]) | {"pydantic-core"}  # of which pydantic pins a version
    for package in sorted(_third_party() - extras):
        assert any(owner.lower().replace("_", "-") in core for owner in owners[package]), package


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_extras_install_the_packages_that_messages_name(extra: str) -> None:
    owners = {"wandb": ["wandb"], "mlflow": ["mlflow-skinny"], "trackio": ["trackio"], **packages_distributions()}
    declared = _names(PROJECT["optional-dependencies"][extra]) | {"onnx-ir"}  # which onnxscript needs
    for package in EXTRAS[extra]:
        assert any(owner.lower().replace("_", "-") in declared for owner in owners[package]), package


def test_photos_are_painted_without_any_extra(tmp_path: Path) -> None:
    Image.new("RGB", (96, 64), (90, 120, 150)).save(tmp_path / "photo.jpg")
    done = _bare("paint", str(tmp_path / "photo.jpg"), "--style", "monet", "--out", str(tmp_path / "painted"))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "painted").glob("*.*"))


def test_paintings_are_generated_without_any_extra(tmp_path: Path) -> None:
    out = tmp_path / "paintings"
    options = ["--count", "2", "--truncation", "1.5", "--out", str(out)]
    done = _bare("generate", "chinese-landscape-64", *options)
    assert done.returncode == 0, done.stderr
    assert len(list(out.glob("*.png"))) == 2


@pytest.mark.parametrize("verb", mostly_long(["styles", "recipes"], "styles"))
def test_lists_are_shown_without_any_extra(verb: str) -> None:
    done = _bare(verb)
    assert done.returncode == 0, done.stderr
    assert "monet" in done.stdout


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("train dcgan-64 --paintings sample:paintings --out {out} --budget 2steps", "train"),
        pytest.param("explore sample:paintings --out {out}", "train", marks=pytest.mark.long),
        ("evaluate sample:paintings --against sample:paintings --out {out}", "train"),
        pytest.param("explore kaggle:owner/name --out {out}", "kaggle", marks=pytest.mark.long),
        ("pack hf:owner/name {out}", "hub"),
        ("tune dcgan-64 --paintings sample:paintings --out {out} --trials 1 --budget-per-trial 2steps", "tune"),
        pytest.param("push monet me/monet", "hub", marks=pytest.mark.long),
        pytest.param("pull me/monet", "hub", marks=pytest.mark.long),
        pytest.param("import monet.weights.h5 --out {out}.safetensors", "keras", marks=pytest.mark.long),
        ("export monet --onnx {out}.onnx", "onnx"),
    ],
)
def test_a_missing_extra_is_told_in_one_line_before_any_work(command: str, extra: str, tmp_path: Path) -> None:
    done = _bare(*command.format(out=tmp_path / "out").split(), missing=EXTRAS[extra])
    assert done.returncode == 1
    assert re.fullmatch(
        rf"impasto: The package \w+ is not installed; run: pip install 'impasto\[{extra}\]'\n", done.stderr
    )
    assert not (tmp_path / "out").exists()


def test_the_address_of_the_repository_is_the_same_everywhere() -> None:
    address = PROJECT["urls"]["Repository"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["repository-code"] == address
    named = re.findall(r"https://github\.com/[\w.-]+/impasto(?![\w-])", (ROOT / "pyproject.toml").read_text())
    assert set(named) == {address}


@pytest.mark.long
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs namespaces of Linux, to be without a network")
def test_the_wheel_works_alone_without_a_network(tmp_path: Path) -> None:
    """Its environment has the wheel and links to its dependencies, but nothing of the repository and the extras."""
    wheel = _built("wheel", ROOT, tmp_path / "wheel")
    assert wheel.stat().st_size < 60 << 20  # of the 100 MiB that PyPI takes, most for the styles
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {Path(name).parts[0] for name in names} == {"impasto", f"impasto-{PROJECT['version']}.dist-info"}
    assert not [name for name in names if name.endswith((".pyc", ".part", ".lock")) or "/test" in name]

    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    packages = Path(
        subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[-1])"], text=True).strip()
    )
    for name in _core(PROJECT["dependencies"]):
        for file in distribution(name).files or ():
            top = packages / file.parts[0]
            if ".." not in file.parts and not top.exists():
                top.symlink_to(Path(str(distribution(name).locate_file(file.parts[0]))))
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)

    Image.effect_noise((128, 96), 64).convert("RGB").save(tmp_path / "photo.jpg")
    home = {"HOME": str(tmp_path)}  # and no PYTHONPATH
    offline = [shutil.which("unshare") or "unshare", "--map-root-user", "--net"]
    impasto = [*offline, str(python.with_name("impasto"))]
    for command in (
        "paint photo.jpg --style monet --out painted",
        "generate chinese-landscape-64 --count 2 --out paintings",
    ):
        done = subprocess.run([*impasto, *command.split()], cwd=tmp_path, env=home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "painted" / "photo.jpg") as painting:
        assert painting.size == (128, 96)
    assert len(list((tmp_path / "paintings").glob("*.png"))) == 2
    bare = subprocess.run([*impasto, "explore", "photo.jpg"], cwd=tmp_path, env=home, capture_output=True, text=True)
    assert "pip install 'impasto[train]'" in bare.stderr


@pytest.mark.long
def test_the_sdist_builds_the_same_wheel(tmp_path: Path) -> None:
    with tarfile.open(_built("sdist", ROOT, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"impasto-{PROJECT['version']}"
    wheels = [_built("wheel", source, tmp_path / name) for name, source in (("here", ROOT), ("there", unpacked))]
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
