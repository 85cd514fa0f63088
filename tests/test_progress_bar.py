"""The progress bar."""

import io
from contextlib import redirect_stdout

import pytest

from impasto.config.types import Progress
from impasto.progress_bar import bar, bar_in_notebooks


def test_nothing_is_printed_where_the_output_is_not_a_terminal() -> None:
    out = io.StringIO()
    with redirect_stdout(out), bar("packing", 3) as advance:
        advance(1)
        advance(2, 4)
    assert out.getvalue() == ""


def test_outside_of_notebooks_a_function_gets_the_progress_that_it_is_given() -> None:
    @bar_in_notebooks("painting")
    def paint(photo: str, *, progress: Progress | None = None) -> tuple[str, Progress | None]:
        return photo, progress

    def given(done: int, total: int | None) -> None: ...

    assert paint("a.jpg") == ("a.jpg", None)
    assert paint("a.jpg", progress=given) == ("a.jpg", given)


def test_of_one_large_photo_the_share_is_shown_and_of_many_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for total, expected in ((1, "37 %"), (4, "0/4")):
        out = io.StringIO()
        with redirect_stdout(out), bar("painting") as advance:
            advance(0.37, total)
        assert expected in out.getvalue()
