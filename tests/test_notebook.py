"""HTML of results, and outputs that are replaced in place."""

import base64
import io
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from fixtures.tiny import tiny
from impasto import notebook
from impasto.api.evaluate import evaluate
from impasto.api.load import load
from impasto.metrics.formatting import format_value
from impasto.metrics.results import Evaluation
from impasto.training.run_dir import RunDir


def shown(result: object) -> dict[str, Any]:
    """Return what a notebook stores of a result, by type."""
    formatter: Any = DisplayFormatter()
    data, _ = formatter.format(result)
    return dict(data)


def require_small_and_offline(html: str) -> None:
    assert len(html) < 250_000
    assert not re.search(r"(src|href)=\"(?!data:)|<script|<link|<style|@import|url\(", html)
    assert "background: #fff" not in html and "color: #000" not in html


def test_texts_of_files_are_escaped() -> None:
    html = notebook.section("<b>", notebook.paragraphs("<i>"), notebook.table([("<a>", "&")]), notebook.code("<u>"))
    assert not re.search(r"<[abiu]>", html) and "&lt;a&gt;" in html and "&amp;" in html


def test_a_style_is_shown_with_examples_and_its_command() -> None:
    data = shown(load("chinese-landscape-64", "cpu"))
    require_small_and_offline(data["text/html"])
    assert "noise → paintings" in data["text/html"] and "data:image/jpeg" in data["text/html"]
    assert "KID[" in data["text/html"]
    assert len(data["text/plain"]) < 600


def test_an_evaluation_is_shown_with_its_numbers(evaluation: Evaluation) -> None:
    data = shown(evaluation)
    require_small_and_offline(data["text/html"])
    for name in ("KID", "FD"):
        value = format_value(evaluation.scores[0].values[name])
        assert re.search(rf"{name}\[efficientnet-lite0\]</th><td [^>]*>{re.escape(value)}</td>", data["text/html"])
    assert len(data["text/plain"]) <= notebook.MAX_TEXT


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("sets")
    for name, colours in (("fakes", 6), ("reals", 8)):
        (folder / name).mkdir()
        for number in range(colours):
            Image.linear_gradient("L").rotate(40 * number + colours).resize((32, 32)).convert("RGB").save(
                folder / name / f"{number}.png"
            )
    return evaluate(folder / "fakes", folder / "reals", device="cpu")


def test_a_figure_is_smaller_and_looks_the_same_on_any_background() -> None:
    figure, axes = plt.subplots(figsize=(4, 3))
    figure.patch.set_alpha(0)
    axes.set_facecolor("none")
    for number in range(3):
        axes.plot(np.random.default_rng(number).standard_normal(200), alpha=0.4)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    shown = re.search(r"base64,([^\"]+)", notebook.figure(file.getvalue(), "Losses"))
    assert shown is not None
    reduced = base64.b64decode(shown[1])
    assert len(reduced) < 0.6 * len(file.getvalue())
    for level in (0, 255):
        pair = []
        for png in (file.getvalue(), reduced):
            picture = Image.open(io.BytesIO(png)).convert("RGBA")
            pair.append(
                np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, (level,) * 3 + (255,)), picture))
            )
        assert np.abs(pair[0].astype(float) - pair[1]).mean() < 1


def test_a_run_without_a_step_is_shown(tmp_path: Path) -> None:
    import_module("impasto.reports.run")  # registers how
    data = {"spec": "p", "crop_frames": False, "fingerprint": "f", "pictures": 3, "heldout": 0}
    facts = {"impasto": "0", "created": "2026-01-01T00:00:00Z", "seed": 0, "budget": "2steps", "device": "cpu"}
    paintings = data | {"left_out": 0, "duplicates": 0}
    run = RunDir.create(tmp_path / "run", tiny("gan"), facts | {"precision": "fp32", "paintings": paintings})
    html = shown(run)["text/html"]
    assert "Running: 0 steps" in html and "noise → paintings" in html


def test_no_output_is_taken_for_a_notebook_here() -> None:
    assert not notebook.in_notebook()
