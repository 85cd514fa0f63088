import pytest
import torch

from impasto.device import choose_layout, out_of_memory


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


def test_maps_are_contiguous_only_where_a_cpu_normalises_over_places() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert choose_layout(cpu, True) == torch.contiguous_format
    assert {choose_layout(cpu, False), choose_layout(cuda, True)} == {torch.channels_last}
