import torch

from impasto.networks.state_dict import rename_keys


def test_beginnings_of_names_are_renamed_under_the_prefix_only() -> None:
    values = torch.arange(4)
    state = {
        "d.judge.0.weight": values[0],
        "d.judged": values[1],
        "judge.0.weight": values[2],
        "d.a.judge.b": values[3],
    }
    rename_keys(state, "d.", {"judge.": "head."})
    assert state == {
        "d.head.0.weight": values[0],
        "d.judged": values[1],
        "judge.0.weight": values[2],
        "d.a.judge.b": values[3],
    }
