"""What all tests share."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# A shared machine may be slow at any moment; that is no failure. The same examples every time: what fails here fails
# for everyone.
settings.register_profile("impasto", deadline=None, derandomize=True)
settings.load_profile("impasto")
# The networks of the tests are so small that threads would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

#: Runs the command ``impasto`` with arguments, as a user's shell does.
Impasto = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pictures that are not part of the project, beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real pictures in shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def impasto_command() -> list[str]:
    """The installed command, beside the Python that runs the tests."""
    return [str(Path(sys.executable).with_name("impasto"))]


@pytest.fixture
def impasto(impasto_command: list[str], tmp_path: Path) -> Impasto:
    """The real command, in an empty folder."""

    def run(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            impasto_command + [str(argument) for argument in arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
        )
        if check and done.returncode:
            raise AssertionError(f"impasto {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}")
        return done

    return run
