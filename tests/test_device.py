from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from impasto import device
from impasto.device import available, choose_precision, out_of_memory, restored_torch_state, upload


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


@pytest.mark.parametrize("before", [False, True])
def test_cudnn_chooses_the_fastest_algorithms_for_the_time_of_a_training(before: bool) -> None:
    cudnn = torch.backends.cudnn
    found = cudnn.benchmark
    cudnn.benchmark = before
    try:
        with pytest.raises(ZeroDivisionError), restored_torch_state(torch.device("cpu")):
            assert cudnn.benchmark and not cudnn.deterministic
            assert cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
            _ = 1 / 0
        assert cudnn.benchmark == before
    finally:
        cudnn.benchmark = found


def test_a_gpu_trains_in_bfloat16_where_it_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    for supported, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, supported=supported, **__: supported)
        assert choose_precision("auto", cuda) == expected
    assert choose_precision("fp32", cuda) == "32-true"


def test_an_array_is_copied_to_a_gpu_from_pinned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here to the device ``meta``; on the CPU it is not copied at all."""
    pinned: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor)
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    values = np.arange(5)
    assert upload(values, torch.device("cpu")).data_ptr() == values.ctypes.data and not pinned
    assert upload(values, torch.device("meta")).is_meta and len(pinned) == 1


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
