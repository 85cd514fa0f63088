"""Completion in the shell, as bash asks for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = (
    "import sys; sys.argv = ['impasto']; from impasto.cli import main\n"
    "try: main()\n"
    "finally: assert not {'torch', 'numpy', 'PIL', 'rich'} & sys.modules.keys()"
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("impasto paint photo.jpg --style mon", ["monet", "monet-dream"]),
        ("impasto generate monet-d", ["monet-dream"]),
        ("impasto train projected-1", ["projected-128"]),
        ("impasto cache we", ["weights"]),
        ("impasto doc", ["doctor"]),
    ],
)
def test_names_are_completed_without_importing_anything_slow(words: str, expected: list[str], tmp_path: Path) -> None:
    asked = {"_IMPASTO_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | asked, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == "" and done.stdout.split() == expected
