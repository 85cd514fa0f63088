"""The best score and those not significantly worse are marked."""

from impasto.metrics.results import Value
from impasto.reports.comparison_scores import mark_best


def test_the_best_and_those_not_significantly_worse_are_marked() -> None:
    close = [Value(value=0.050, error=0.002), Value(value=0.054, error=0.002), Value(value=0.08, error=0.002)]
    assert mark_best("KID", close) == [True, True, False]
    assert mark_best("precision", close) == [False, False, True]
    assert mark_best("KID", close[:2]) == [False, False]
    assert mark_best("KID", [*close, None, Value(value=float("nan"))]) == [True, True, False, False, False]
    assert mark_best("d", close) == [False] * 3


def test_nothing_is_marked_without_errors() -> None:
    assert mark_best("FD", [Value(value=90.0), Value(value=99.0)]) == [False, False]
    known = [Value(value=90.0, interval=(88, 92)), Value(value=99.0, interval=(97, 101))]
    assert mark_best("FD", known) == [True, False]
