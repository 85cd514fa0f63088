"""Files and text of other people raise errors of one line, whatever their bytes; ``python -m fuzz`` tries longer."""

import pytest

from fuzz.runs import Run
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_input_is_an_error_of_one_line(name: str) -> None:
    run = Run(name)
    run.random(seed=0, executions=60)
    assert run.findings == {} and run.executions >= 60
