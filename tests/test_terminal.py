"""What is printed holds no control characters but rich's own and line breaks between lines."""

import io
import logging
import os
import subprocess
import sys
from contextlib import redirect_stdout

import pytest
from rich.table import Table
from rich.text import Text

from impasto.terminal import console, errors_alone, print_lines, replace_unencodable

HOSTILE = "a\x1b[2J\x1b]0;title\x07b\r\u202ec[/bold][red]:smile:"
HARMLESS = "a�[2J�]0;title�b��c[/bold][red]:smile:"


def test_a_line_is_printed_without_control_characters_or_line_breaks() -> None:
    out = io.StringIO()
    print_lines(HOSTILE, "50\u202f% → done", "x\ny", file=out)
    assert out.getvalue() == f"{HARMLESS}\n50 % → done\nx�y\n"


def test_a_table_shows_markup_as_text_and_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    table = Table("name", box=None, min_width=100)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE))
    with redirect_stdout(out := io.StringIO()):
        terminal = console()
        terminal.print(table)
        terminal.print(HOSTILE)
    # rich itself drops carriage returns and bells
    shown = HARMLESS.replace("title�", "title").replace("b��", "b�")
    assert [line.strip() for line in out.getvalue().splitlines()] == ["name", shown, shown, shown]


def test_styles_and_cursor_movements_of_rich_reach_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with redirect_stdout(out := io.StringIO()):
        terminal = console()
        terminal.print(Text("bold", "bold"))
        terminal.show_cursor(False)
    assert "\x1b[1mbold" in out.getvalue() and "\x1b[?25l" in out.getvalue()


def test_a_character_that_the_encoding_lacks_is_printed_as_a_question_mark() -> None:
    code = f"from impasto.terminal import {replace_unencodable.__name__} as f; f(); print('photos → paintings')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert done.stdout.split() == [b"photos", b"?", b"paintings"]


def test_of_a_logger_only_errors_are_let_through(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("impasto.test")
    logger.setLevel(logging.INFO)
    with errors_alone("impasto.test"):
        logger.warning("silent")
        logger.error("loud")
    logger.info("after")
    assert caplog.messages == ["loud", "after"]
