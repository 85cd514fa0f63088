"""Where things lie: tests mirror the modules, and imports run one way through the layers."""

import ast
import graphlib
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
SOURCE, TESTS = ROOT / "src" / "impasto", ROOT / "tests"

#: Modules without a test file of their own, and why.
UNTESTED = {
    "_version.py": "reads the version of the installed package; tests/cli prints it",
    "__main__.py": "python -m impasto; tests/api/test_training_replica.py runs it",
    "config/types.py": "type aliases",
    "serving/migrations/env.py": "run by every migration; tests/serving/test_database.py",
    "serving/migrations/versions/0001_jobs_and_files.py": "compared with the tables by tests/serving/test_tables.py",
    "serving/migrations/versions/0002_part_of_a_photo.py": "compared with the tables by tests/serving/test_tables.py",
}

#: Test files that belong to no single module, and what they are about.
ACROSS = {
    "test_api.py": "the public names of the package",
    "cli/test_bad_input.py": "bad arguments of all commands",
    "test_notebooks.py": "the notebooks",
    "test_campaign.py": "commands that are killed at random moments",
    "test_documents.py": "the commands of the documents",
    "test_fuzz.py": "mutated input of all readers",
    "test_layout.py": "this file",
    "test_packaging.py": "dependencies and extras",
    "test_site.py": "the documentation as a site",
    "sample/test_sample.py": "the bundled images",
    "serving/test_page.py": "the page in a browser",
    "serving/test_docker.py": "the files in docker",
    "serving/test_studio_document.py": "docs/studio.md",
}


def _modules() -> dict[str, Path]:
    """Return each module of the package by the path that its test has: ``data/test_loader.py``; of a package
    ``networks/__init__.py`` that is ``networks/test_networks.py``."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        relative = path.relative_to(SOURCE)
        name = relative.parent.name if path.stem == "__init__" else path.stem.lstrip("_")
        found[(relative.parent / f"test_{name}.py").as_posix()] = path
    return found


def _tests() -> set[str]:
    return {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")} - {
        path.relative_to(TESTS).as_posix() for path in (TESTS / "plugins").rglob("test_*.py")
    }


def test_every_module_has_a_test_file_in_its_place() -> None:
    missing = {
        path.relative_to(SOURCE).as_posix()
        for test, path in _modules().items()
        if path.stem != "__init__" and test not in _tests()
    }
    assert sorted(missing - UNTESTED.keys()) == []
    assert sorted(UNTESTED.keys() - missing) == [], "listed without need"


def test_every_test_file_has_its_module() -> None:
    strays = _tests() - _modules().keys()
    assert sorted(strays - ACROSS.keys()) == []
    assert sorted(ACROSS.keys() - strays) == [], "listed without need"


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}


def test_tests_share_helpers_through_fixtures_alone() -> None:
    for path in [*TESTS.rglob("test_*.py"), *TESTS.rglob("fixtures/*.py"), TESTS / "conftest.py"]:
        for module in _imported(path):
            assert not any(part.startswith("test_") or part == "conftest" for part in module.split(".")), path


def _graph(package: str) -> grimp.ImportGraph:
    return grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)


def _cycle(graph: grimp.ImportGraph) -> list[str]:
    """Return the modules of an import cycle, or none."""
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _kept(config: Path) -> bool:
    """Run import-linter as its users do: called in this process, it would disable all loggers."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(config), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=config.parent, capture_output=True, check=False).returncode == 0


def test_imports_run_one_way_through_the_layers() -> None:
    assert _kept(ROOT / "pyproject.toml")


def test_no_module_imports_the_package_itself_or_a_module_that_imports_it_back() -> None:
    graph = _graph("impasto")
    assert graph.find_modules_that_directly_import("impasto") == set()
    assert _cycle(graph) == []


def test_the_contract_refuses_an_upward_import_an_undeclared_module_and_a_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    (contract,) = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    package = tmp_path / "impasto_toy"
    package.mkdir()
    for module in [
        "__init__",
        *(name for layer in contract["layers"] for name in layer.replace("|", ":").split(" : ")),
    ]:
        (package / f"{module.strip()}.py").write_text("")
    start = text.index("[tool.importlinter]")
    config = tmp_path / "pyproject.toml"
    config.write_text(text[start : text.index("[tool.pytest", start)].replace('"impasto"', '"impasto_toy"'))
    monkeypatch.syspath_prepend(tmp_path)

    assert _kept(config)
    (package / "api.py").write_text("from impasto_toy import config, training\n")
    (package / "config.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import impasto_toy.cli\n"
    )
    assert _kept(config)
    assert _cycle(_graph("impasto_toy")) == []
    (package / "config.py").write_text("def late():\n    import impasto_toy.api\n")
    assert not _kept(config)
    assert {"impasto_toy.api", "impasto_toy.config"} <= set(_cycle(_graph("impasto_toy")))
    (package / "config.py").write_text("")
    (package / "attic.py").write_text("")
    assert not _kept(config)
    assert "impasto_toy" not in sys.modules
