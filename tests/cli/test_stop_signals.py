"""SIGTERM and SIGHUP clean up as Ctrl-C does, in every command that writes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fixtures import noise_style
from fixtures.command import begin
from fixtures.translators import translator
from impasto.cli.stop_signals import stop_signals_interrupt
from impasto.training.interrupt import STOP_SIGNALS

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal"),
    pytest.mark.usefixtures("default_signals"),
]

#: A command that writes for seconds, and where its unfinished file lies while it does.
COMMANDS = {
    "generate zip": (["generate", "noise.safetensors", "--count", "100000", "--out", "out.zip"], "out.zip.*.part"),
    "generate video": (["generate", "noise.safetensors", "--count", "2000", "--out", "out.mp4"], "out.mp4.*.part"),
    "submit": (["submit", "noise.safetensors", "--out", "out.zip"], "out.zip.*.part"),
    "pack": (["pack", "sample:paintings", "out", "--size", "2048"], "out.part"),
    "export": (["export", "noise.safetensors", "--onnx", "out.onnx"], "out.onnx.*.part"),
}


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_the_first_signal_interrupts_and_later_ones_do_not_disturb_the_cleanup(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before, cleaned = signal.getsignal(number), False
    with pytest.raises(SystemExit) as end, stop_signals_interrupt():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            cleaned = True
    assert (end.value.code, cleaned) == (128 + number, True)
    assert capsys.readouterr().err == f"impasto: stopped by {number.name}.\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_in_a_finalizer_is_not_lost(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    """Python prints and drops what ``__del__`` raises."""

    class Interrupted:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit), stop_signals_interrupt():
        Interrupted()
        for _ in range(1000):
            time.sleep(0.001)
        raise AssertionError("The interruption was dropped.")
    assert "Traceback" not in capsys.readouterr().err


def test_an_ignored_hangup_stays_ignored() -> None:
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_signals_interrupt():
        os.kill(os.getpid(), signal.SIGHUP)


@pytest.mark.parametrize(
    ("verb", "number"),
    [
        ("generate zip", signal.SIGTERM),
        ("generate video", signal.SIGHUP),
        ("submit", signal.SIGTERM),
        pytest.param("pack", signal.SIGTERM, marks=pytest.mark.long),
        pytest.param("export", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_a_stopped_command_leaves_no_partial_file(
    verb: str, number: signal.Signals, impasto_command: list[str], tmp_path: Path
) -> None:
    noise_style.style().save(tmp_path / "noise.safetensors")
    arguments, unfinished = COMMANDS[verb]
    process = begin([*impasto_command, *arguments], tmp_path)
    while not list(tmp_path.glob(unfinished)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(number)
    _, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (128 + number, f"impasto: stopped by {number.name}.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["noise.safetensors"]


def test_a_stopped_painting_keeps_what_is_painted_and_says_how_to_resume(
    impasto_command: list[str], tmp_path: Path
) -> None:
    translator(1).save(tmp_path / "same.safetensors")
    arguments = ["paint", *["sample:paintings"] * 10, "--style", "same.safetensors", "--out", "out"]
    process = begin([*impasto_command, *arguments], tmp_path)
    while not list(tmp_path.glob("out/*.jpg")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 143
    assert error == "Interrupted: run the same command to resume.\nimpasto: stopped by SIGTERM.\n"
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.lock"))
    done = subprocess.run(
        [*impasto_command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert " there before" in done and len(list(tmp_path.glob("out/*.jpg"))) == 600
