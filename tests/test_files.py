"""Files are whole or absent, and errors of the disk are one line."""

import errno
import os
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
    path_errors,
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
