"""Results of commands as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fixtures.command import Impasto, one_line
from fixtures.translators import translator
from impasto.cli.results import to_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, one of them damaged, and a style."""
    (tmp_path / "photos").mkdir()
    Image.effect_noise((24, 16), 40).convert("RGB").save(tmp_path / "photos/a.png")
    (tmp_path / "photos/b.jpg").write_bytes(b"\xff\xd8\xff broken")
    translator(-1).save(tmp_path / "negative.safetensors")
    return tmp_path


def test_nan_paths_and_names_of_no_encoding_become_valid_ascii() -> None:
    @dataclass
    class Row:
        place: Path
        values: Sequence[float]

    text = to_json({"row": Row(Path("\udcff/ä\x1b"), (1.5, math.nan, math.inf))})
    assert text.isascii() and "\x1b" not in text
    assert json.loads(text) == {"row": {"place": "\udcff/ä\x1b", "values": [1.5, None, None]}}


def test_one_object_is_on_standard_output_and_messages_are_on_standard_error(impasto: Impasto, folder: Path) -> None:
    done = impasto("paint", "photos", "--style", "negative.safetensors", "--out", "out", "--json", check=False)
    assert done.returncode == 1 and "Left out: photos/b.jpg" in done.stderr
    found = json.loads(done.stdout)
    assert (found["command"], found["complete"], found["out"]) == ("paint", False, "out")
    assert found["photos"] == {
        "paintings": 1,
        "before": 0,
        "renamed": [],
        "left_out": [{"name": "photos/b.jpg", "reason": "a damaged or unsupported JPEG"}],
    }
    assert found["videos"] == []


def test_an_error_leaves_standard_output_empty(impasto: Impasto) -> None:
    done = impasto("paint", "nothing.jpg", "--json", check=False)
    assert "nothing.jpg" in one_line(done) and done.stdout == ""


#: Commands that need no training, with a value of their record.
QUICK: list[tuple[list[str], dict[str, Any]]] = [
    (["styles"], {"complete": True}),
    (["recipes"], {"complete": True}),
    (["recipes", "dcgan-64"], {"complete": True}),
    (["pack", "photos", "squares", "--size", "16"], {"pack": "squares"}),
    (["submit", "--check", "photos/a.png"], {"complete": False, "images": 0}),
]


@pytest.mark.parametrize(("arguments", "expected"), QUICK)
def test_commands_that_report_print_one_object(
    impasto: Impasto, folder: Path, arguments: list[str], expected: dict[str, Any]
) -> None:
    done = impasto(*arguments, "--json", check=False)
    found = json.loads(done.stdout)
    assert found.items() >= ({"command": arguments[0]} | expected).items()
    assert (done.returncode == 0) == found["complete"]
    match arguments:
        case ["styles"]:
            (monet,) = (each for each in found["styles"] if each["name"] == "monet")
            assert monet["card"]["task"] == "translation" and monet["bytes"] > 1_000_000
        case ["recipes"]:
            assert {"recipe": "dcgan-64", "method": "unconstrained"}.keys() <= found["recipes"][0].keys()
        case ["recipes", _]:
            assert found["recipe"]["size"] == 64
        case ["pack", *_]:
            assert found["added"]["pictures"] == found["total"]["pictures"] == 1
        case ["submit", *_]:
            assert found["problems"]


@pytest.mark.long
def test_explorations_scores_and_images_from_noise_are_objects_too(impasto: Impasto) -> None:
    def result(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(impasto(*arguments, "--json").stdout)
        assert found["command"] == arguments[0] and found["complete"]
        return found

    assert result("generate", "chinese-landscape-64", "--count", "2", "--out", "images")["count"] == 2
    explored = result("explore", "sample:paintings", "--out", "explored")
    assert len(explored["exploration"]["paintings"]["statistics"]) == 60
    scores = result(
        "evaluate", "chinese-landscape-64", "--against", "sample:paintings", "--count", "60", "--out", "scores"
    )
    assert (
        scores["evaluation"] == json.loads(Path("scores/evaluation.json").read_text())
        and Path(scores["report"]).exists()
    )
