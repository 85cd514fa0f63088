import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.foreign import result_or_one_line
from impasto.errors import ImpastoError
from impasto.training.budget import Budget


@pytest.mark.parametrize(
    ("text", "steps"),
    [("2000steps", 2000), ("1 step", 1), ("50kimg", 781), ("640img", 10), ("20epochs", 94), ("0.5epochs", 2)],
)
def test_budgets_become_steps(text: str, steps: int) -> None:
    assert Budget.parse(text).steps(batch=64, epoch=300) == steps


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("1d", 86400)])
def test_times_have_no_steps_before_the_speed_is_known(text: str, seconds: float) -> None:
    budget = Budget.parse(text)
    assert budget == Budget(seconds, "seconds")
    assert budget.steps(64, 300) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "m",
        "-5m",
        "0steps",
        "5 parsecs",
        "1e3steps",
        "5m5",
        "9" * 400 + "steps",
        "1000000000001m",
        "5m\n\x1b[2J",
    ],
)
def test_other_texts_are_refused_with_examples(text: str) -> None:
    with pytest.raises(ImpastoError, match="30m"):
        Budget.parse(text)


@given(st.from_regex(r"\d{0,20}(\.\d+)?(s|kimg|epochs|x)") | st.text(max_size=10))
def test_any_text_is_a_number_of_steps_or_refused_in_one_line(text: str) -> None:
    budget = result_or_one_line(lambda: Budget.parse(text))
    assert budget is None or budget.unit == "seconds" or (budget.steps(1, 10**9) or 0) >= 1
