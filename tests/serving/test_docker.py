"""The files in docker, which no test builds: commands, options, ports, paths and variables in them exist."""

import inspect
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import uvicorn
import yaml

from fixtures.command import ROOT
from fixtures.http_studio import UNHURRIED, serving
from impasto.cli import app
from impasto.serving import worker
from impasto.serving.database import Database
from impasto.serving.limits import Limits

DOCKER = ROOT / "docker"
DOCKERFILES = [DOCKER / "Dockerfile", DOCKER / "Dockerfile.cuda", DOCKER / "space" / "Dockerfile"]
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))


def instructions(file: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [
        (name, rest)
        for name, _, rest in (line.partition(" ") for line in "\n".join(lines).replace("\\\n", "").splitlines())
    ]


def only(file: Path, name: str) -> str:
    (found,) = (rest for each, rest in instructions(file) if each == name)
    return found


def require_command(words: list[str]) -> dict[str, str]:
    """Check that the options of a command exist; return those with values."""
    if words[:2] == ["impasto", "studio"]:
        parameters = typer.main.get_command(app).commands["studio"].params  # type: ignore[attr-defined]
        known = {option for each in parameters for option in (*each.opts, *each.secondary_opts)}
        rest = words[2:]
    else:
        assert words[:3] == ["python", "-m", worker.__name__]
        known, rest = set(re.findall(r'"(--[\w-]+)"', inspect.getsource(worker.main))), words[3:]
    assert {word for word in rest if word.startswith("--")} <= known
    return dict(zip(rest[::2], rest[1::2], strict=False))


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(DOCKER)))
def test_an_image_runs_the_studio_as_a_user_on_the_exposed_port(file: Path) -> None:
    names = [name for name, _ in instructions(file)]
    assert names[0] == "FROM" and only(file, "USER") not in ("root", "0")
    assert names.index("USER") > max(number for number, name in enumerate(names) if name == "RUN")
    options = require_command(json.loads(only(file, "CMD")))
    assert options["--port"] == only(file, "EXPOSE") and options["--host"] == "0.0.0.0"
    if "VOLUME" in names:
        assert options["--folder"] == only(file, "VOLUME")


@pytest.mark.parametrize("file", DOCKERFILES[:2], ids=lambda file: file.name)
def test_an_image_copies_files_and_installs_extras_that_exist(file: Path) -> None:
    for name, rest in instructions(file):
        if name == "COPY":
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists(), source
    assert (ROOT / "constraints.txt").exists()
    extras = set(re.search(r"\.\[([\w,]+)\]", file.read_text())[1].split(","))  # type: ignore[index]
    assert extras <= set(_project()["optional-dependencies"]) and "studio" in extras


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def test_the_health_check_succeeds_on_a_studio_alone(tmp_path: Path) -> None:
    checks = {only(file, "HEALTHCHECK").partition("CMD ")[2] for file in DOCKERFILES[:2]}
    (check,) = checks
    python, *arguments = json.loads(check)
    assert python == "python"
    with serving(tmp_path, Limits(**UNHURRIED), token="token-of-the-tests") as running:
        code = [argument.replace("http://127.0.0.1:7860", running.address) for argument in arguments]
        subprocess.run([sys.executable, *code], check=True)
    assert subprocess.run([sys.executable, *code], capture_output=True, check=False).returncode != 0


def test_the_services_name_files_volumes_ports_and_commands_that_exist() -> None:
    services, volumes = COMPOSE["services"], COMPOSE["volumes"]
    image = DOCKERFILES[0]
    for service in services.values():
        for volume in service["volumes"]:
            assert volume.split(":")[0] in volumes
        for other, needs in service.get("depends_on", {}).items():
            assert needs["condition"] == "service_healthy" and "disable" not in services[other].get("healthcheck", {})
        if "build" in service:
            context = (DOCKER / service["build"]["context"]).resolve()
            assert context == ROOT.resolve() and (context / service["build"]["dockerfile"]) == image
            assert f"studio:{only(image, 'VOLUME')}" in service["volumes"]
    assert services["studio"]["ports"] == [f"{only(image, 'EXPOSE')}:{only(image, 'EXPOSE')}"]
    assert require_command(services["worker"]["command"])["--folder"] == only(image, "VOLUME")


def test_the_variables_are_those_that_the_studio_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = typer.main.get_command(app).commands["studio"].params  # type: ignore[attr-defined]
    known = {str(each.envvar) for each in parameters if each.envvar}
    for service in ("studio", "worker"):
        assert set(COMPOSE["services"][service]["environment"]) <= known
    assert set(COMPOSE["services"]["worker"]["environment"]) == {"IMPASTO_DATABASE"}
    url = COMPOSE["services"]["worker"]["environment"]["IMPASTO_DATABASE"]
    host = re.sub(r"\$\{.*?\}", "password", url)
    Database(host).close()  # the driver is installed
    assert host.partition("@")[2] == "database/impasto" and "database" in COMPOSE["services"]
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", only(DOCKERFILES[2], "ENV").partition("=")[2])
    assert uvicorn.Config("none").forwarded_allow_ips == "*"


def test_the_front_matter_of_the_space() -> None:
    _, front, text = (DOCKER / "space" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    settings = yaml.safe_load(front)
    assert settings["sdk"] == "docker" and str(settings["app_port"]) == only(DOCKERFILES[2], "EXPOSE")
    assert "IMPASTO_TOKEN" in text and "--wheel-dir docker/space" in text
