"""Facts about files and folders."""

import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.foreign import JSON
from impasto.api.info import command_of


@pytest.mark.parametrize(
    ("made", "command"),
    [
        ({"style": "monet", "photo": "a b.jpg"}, "impasto paint 'a b.jpg' --style monet --out painted"),
        (
            {"style": "monet", "brush": 2.0, "keep_colour": True, "mood": [3, 7], "like": ["s.jpg"], "compare": True},
            "impasto paint PHOTO --style monet --brush 2 --keep-colour --compare --mood 3 --mood 7 --like s.jpg "
            "--out painted",
        ),
        (
            {"style": "monet-dream", "seed": 4, "number": 9, "truncation": 1.5},
            "impasto generate monet-dream --seed 4 --start 9 --count 1 --truncation 1.5 --out images",
        ),
        (
            {"style": "monet-dream", "seed": 4, "number": 0, "show": "neighbours", "count": 2},
            "impasto generate monet-dream --seed 4 --start 0 --count 2 --show neighbours --out sheet.png",
        ),
        ({"style": "monet-dream", "seed": 4, "number": 0, "second": 5, "show": "mixtures"}, None),  # of the studio
        ({"style": "--out=x"}, None),
        ({"style": "monet", "photo": "-"}, None),
        ({"style": "monet", "brush": 99}, None),
        ({}, None),
    ],
)
def test_the_command_repeats_the_settings(made: dict[str, Any], command: str | None) -> None:
    assert command_of(made) == command


@settings(max_examples=20)
@given(st.dictionaries(st.sampled_from(["style", "photo", "seed", "number", "mood", "like", "brush"]), JSON))
def test_foreign_settings_give_a_command_without_options_of_their_own_or_none(made: dict[str, Any]) -> None:
    command = command_of(made)
    if command is not None:
        known = ("style", "brush", "mood", "like", "out", "seed", "start", "count")
        assert {word for word in shlex.split(command) if word.startswith("--")} <= {f"--{name}" for name in known}
