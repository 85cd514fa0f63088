"""Files are whole or absent, and errors of the disk are one line."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from impasto.errors import ImpastoError
from impasto.files import (
    BadNameError,
    DiskFullError,
    atomic_write,
    exclusive,
    full_disk_errors,
    make_folder,
    partial_files,
    path_errors,
    require_folder,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as part:
        part.write_text("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and [each.name for each in tmp_path.iterdir()] == ["file"]
    with atomic_write(path) as part:
        part.write_text("new")
    assert path.read_text() == "new" and [each.name for each in tmp_path.iterdir()] == ["file"]


def test_threads_that_write_one_path_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write(text: str) -> None:
        with atomic_write(path) as part:
            part.write_text(text * 10_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in {letter * 10_000 for letter in "abcd"}
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_with_the_file(number: int) -> None:
    with pytest.raises(DiskFullError, match=r"disk is full: x\.pt was not written"), full_disk_errors(Path("x.pt")):
        raise OSError(number, os.strerror(number))
    with pytest.raises(OSError, match="Input"), full_disk_errors(Path("x.pt")):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_an_impossible_path_is_told_from_a_forbidden_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadNameError, match="choose another place"), path_errors(tmp_path / "file" / "x"):
        (tmp_path / "file" / "x").touch()
    with pytest.raises(ImpastoError) as error, path_errors(Path("/proc/x")):
        Path("/proc/x").touch()
    assert not isinstance(error.value, BadNameError) or "/proc/x" in str(error.value)
    with pytest.raises(ImpastoError, match="cannot be created"):
        make_folder(tmp_path / "file" / "folder")


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / ".lock", "busy"),
        pytest.raises(ImpastoError, match="busy"),
        exclusive(tmp_path / ".lock", "busy"),
    ):
        pass
    with exclusive(tmp_path / ".lock", "busy"):
        pass


HOLDER = """
import os, sys
from pathlib import Path
from impasto.errors import ImpastoError
from impasto.files import exclusive
held = 0
while held < 300:
    try:
        with exclusive(Path(".lock"), "busy"):
            os.close(os.open("holder", os.O_CREAT | os.O_EXCL))  # fails if another process is inside
            os.unlink("holder")
            held += 1
    except ImpastoError:
        continue
"""


def test_no_two_processes_hold_a_lock_and_none_is_left(tmp_path: Path) -> None:
    """With filelock before 4 a lock that was removed and taken again was held by two of them within a second."""
    processes = [
        subprocess.Popen([sys.executable, "-c", HOLDER], cwd=tmp_path, stderr=subprocess.PIPE) for _ in range(4)
    ]
    assert [process.communicate()[1].decode() for process in processes] == ["", "", "", ""]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/full")):
        with pytest.raises(ImpastoError, match="a device or a pipe"), atomic_write(path) as part:
            part.write_text("new")
    assert (tmp_path / "pipe").is_fifo() and Path("/dev/full").is_char_device()


def test_a_file_whose_folder_is_removed_while_it_is_written_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for write in (True, False):
        folder.mkdir()
        with pytest.raises(ImpastoError, match=r"x cannot be written"), atomic_write(folder / "x") as part:
            shutil.rmtree(folder)
            if write:
                part.write_text("new")
    assert not folder.exists()


def test_errors_of_other_files_are_not_blamed_on_the_written_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "x"):
        (tmp_path / "photo").read_bytes()


def test_only_temporary_files_of_our_own_are_found(tmp_path: Path) -> None:
    for name in ("a.pt.12-345.part", "a.pt.part", "holiday.part", "holiday.12.part", "b.jpg.1-2.part"):
        (tmp_path / name).touch()
    assert [path.name for path in partial_files(tmp_path, "*.pt")] == ["a.pt.12-345.part"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys are Linux's")
@pytest.mark.parametrize("place", ["/proc/x", "/sys/x/y", "/proc/self", "/proc/version"])
def test_a_place_that_nobody_can_write_to_is_refused_before_any_work(place: str) -> None:
    """Whose permissions would allow it."""
    with pytest.raises(ImpastoError, match="choose another"):
        require_folder(Path(place))


def test_a_file_of_anybody_is_not_taken_for_a_lock(tmp_path: Path) -> None:
    lock = tmp_path / "film.mp4.lock"
    lock.write_text("all my work")
    with pytest.raises(ImpastoError, match="is not impasto's, and stays as it is"), exclusive(lock, "busy"):
        pass
    assert lock.read_text() == "all my work"
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ImpastoError, match="is not impasto's"), exclusive(lock, "busy"):
        pass
    assert not (tmp_path / "elsewhere").exists()
