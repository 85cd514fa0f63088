"""The command itself: help, version, messages and errors."""

import io
import logging
import re
import subprocess
import sys
from contextlib import redirect_stdout

import pytest
import typer
from typer.testing import CliRunner

from fixtures.command import Impasto
from impasto.cli.app import app, messages_on_stdout


def test_help_and_version_are_quick() -> None:
    """They import neither torch nor NumPy."""
    code = (
        "import sys; from impasto.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'optuna'} & sys.modules.keys()"
    )
    for option, text in (("--help", "Train GANs on a few hundred paintings"), ("--version", "impasto ")):
        done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
        assert text in done.stdout


COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_the_description_of_every_option(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0, result.exception
    shown = re.sub(r"[\s│]", "", result.output)
    for option in (each for each in COMMANDS[name].params if not each.hidden):
        assert re.sub(r"\s", "", option.help or "") in shown


def test_debug_shows_the_traceback_of_an_error(impasto: Impasto) -> None:
    assert "Traceback" in impasto("--debug", "generate", "nowhere", "--out", "x", check=False).stderr
    assert "Traceback" in impasto("generate", "nowhere", "--out", "x", "--debug", check=False).stderr


def test_messages_are_plain_lines_on_standard_output() -> None:
    out, logger = io.StringIO(), logging.getLogger("impasto.training")
    with redirect_stdout(out), messages_on_stdout():
        logger.info("Reading %s …", "monets")
        logger.warning("Few paintings")
        logger.debug("hidden")
    logger.warning("after the command")
    assert out.getvalue() == "Reading monets …\nFew paintings\n"
    assert logging.getLogger("impasto").propagate and not logging.getLogger("impasto").handlers
