"""Names, settings and durations as text."""

import pytest

from impasto.reports.record_text import base_name, format_duration, setting_text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3 * 3600 + 65, "3 h 01 min")]
)
def test_durations_are_formatted_in_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_name_is_the_last_part_of_a_path() -> None:
    assert [base_name(spec) for spec in ("runs/first try", "sample:paintings", "/")] == [
        "first try",
        "sample:paintings",
        "/",
    ]


def test_settings_are_json_but_strings_as_they_are() -> None:
    assert [setting_text(value) for value in ("bce", True, None, [0.5, 1], "山")] == [
        "bce",
        "true",
        "null",
        "[0.5, 1]",
        "山",
    ]
