from pathlib import Path

import psutil
import pytest
import torch

from impasto import device
from impasto.device import available, out_of_memory


def test_too_large_a_tensor_is_known_as_lack_of_memory() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(raised.value)
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert out_of_memory(MemoryError())


def test_other_errors_are_none_of_memory() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.zeros(2) + torch.zeros(3)
    assert not out_of_memory(raised.value)
    assert not out_of_memory(ValueError("out of memory"))


def groups(root: Path, path: str, *limits: tuple[str, dict[str, str]]) -> list[int]:
    """What is left by limits, each a folder of a group and its files."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"{path}\n")
    for folder, files in limits:
        (root / "sys/fs/cgroup" / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (root / "sys/fs/cgroup" / folder / name).write_text(f"{text}\n")
    return list(device._allowances(root))


def test_a_container_leaves_its_limit_less_what_is_used_for_good(tmp_path: Path) -> None:
    files = {"memory.max": "8000", "memory.current": "5000", "memory.stat": "anon 2000\ninactive_file 3000"}
    assert groups(tmp_path, "0::/", ("", files)) == [6000]


def test_the_limit_of_an_outer_group_holds_as_well(tmp_path: Path) -> None:
    inner = {"memory.max": "max", "memory.current": "10", "memory.stat": ""}
    outer = {"memory.max": "8000", "memory.current": "5000", "memory.stat": ""}
    assert groups(tmp_path, "0::/slice/job", ("slice/job", inner), ("slice", outer)) == [3000]


def test_groups_of_the_first_kind_are_found_where_the_path_is_that_of_the_machine_outside(tmp_path: Path) -> None:
    files = {
        "memory.limit_in_bytes": "8000",
        "memory.usage_in_bytes": "5000",
        "memory.stat": "inactive_file 1\ntotal_inactive_file 1000",
    }
    assert groups(tmp_path, "4:cpu,memory:/docker/abc", ("memory", files)) == [4000]


def test_a_machine_without_groups_has_no_such_limit(tmp_path: Path) -> None:
    assert list(device._allowances(tmp_path)) == []
    assert 0 < available(torch.device("cpu")) <= psutil.virtual_memory().total
