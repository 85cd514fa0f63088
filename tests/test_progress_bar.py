"""The progress bar."""

import io
from contextlib import redirect_stdout

from impasto.progress_bar import bar


def test_nothing_is_printed_where_the_output_is_not_a_terminal() -> None:
    out = io.StringIO()
    with redirect_stdout(out), bar("packing", 3) as advance:
        advance(1)
        advance(2, 4)
    assert out.getvalue() == ""
