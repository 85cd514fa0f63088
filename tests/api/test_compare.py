"""`impasto compare`, from run folders to page and JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fixtures.cards import card
from fixtures.invented_runs import write_log
from impasto.api.compare import compare
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.style import Style, build_network
from impasto.training.run_dir import RunDir

SMALL = ("size=16", "generator.width=8", "generator.max_width=16", "latent=10")
PROJECTED = Recipe.load("projected-64").replace(["size=32", "generator.width=4", "discriminator.width=4", "latent=10"])


def run(
    folder: Path, *settings: str, recipe: Recipe | None = None, seed: int = 0, styled: bool = True, **facts: Any
) -> Path:
    """Write a run folder as of a training, with random weights."""
    recipe = (recipe or Recipe.load("dcgan-64").replace(SMALL)).replace(settings)
    source = {"spec": "monets", "fingerprint": "f" * 32, "pictures": 60, "heldout": 6, "left_out": 0, "duplicates": 0}
    known = {
        "impasto": "0.1.0",
        "created": "2026-03-01T10:20:30+00:00",
        "seed": seed,
        "budget": "60steps",
        "total_steps": 60,
        "source": source,
        "device": "cpu",
        "precision": "32-true",
        "status": "finished",
    }
    made = RunDir.create(folder, recipe, known | facts)
    steps = range(1, 61)
    rows = [{"step": step, "pictures": 8 * step, "seconds": step, "loss_generator": 1 / step} for step in steps]
    write_log(made.path, rows)
    if styled:
        torch.manual_seed(seed)
        network = build_network(recipe)
        for tensor in network.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape))
        Style(network.eval(), card(recipe, target_data=source, steps=60, pictures=480, seed=seed)).save(made.last)
    return folder


def test_a_comparison_is_a_page_and_json(tmp_path: Path) -> None:
    found = compare([run(tmp_path / "a"), run(tmp_path / "b", "loss=hinge", seed=1)], tmp_path / "new" / "out", price=3)
    assert found.differences == {"loss": {"a": "bce", "b": "hinge"}, "seed": {"a": 0, "b": 1}}
    assert [each.cost for each in found.runs] == [0.05, 0.05]
    out = tmp_path / "new" / "out"
    assert sorted(path.name for path in out.iterdir()) == ["comparison.html", "comparison.json"]
    assert (out / "comparison.html").read_text(encoding="utf-8").count("style of step 60") == 2
    assert json.loads((out / "comparison.json").read_text(encoding="utf-8"))["price"] == 3


def test_duplicate_runs_are_compared_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    a = run(tmp_path / "a")
    with caplog.at_level("INFO", "impasto"):
        found = compare([a, tmp_path / "x" / ".." / "a"], tmp_path / "out")
    assert [each.name for each in found.runs] == ["a"]
    assert "compared once" in caplog.text


def test_runs_of_other_sizes_and_without_styles_are_compared(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a"), run(tmp_path / "b", "size=32"), run(tmp_path / "c", styled=False, status="running")]
    found = compare(runs, tmp_path / "out")
    assert [each.size for each in found.runs] == [16, 32, 16]
    assert "There are no samples yet" in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")


def test_all_styles_are_evaluated_anew_under_equal_conditions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runs = [run(tmp_path / "a"), run(tmp_path / "b", "size=32", seed=1), run(tmp_path / "c", styled=False)]
    found = compare(runs, tmp_path / "out", against="sample:paintings", count=24, device="cpu")
    assert "c has no style yet" in caplog.text
    scores = [each.evaluation.scores[0] for each in found.runs if each.evaluation]
    assert [(each.size, each.fakes, each.reals) for each in scores] == [(16, 24, 24)] * 2
    assert scores[0].label("KID") in found.verdict
    assert not any("not comparable" in warning for warning in found.warnings)


@pytest.mark.long
def test_styles_are_evaluated_with_every_network_that_chose_one_of_them(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a"), run(tmp_path / "b", recipe=PROJECTED, seed=1)]
    found = compare(runs, tmp_path / "out", against="sample:paintings", count=12, device="cpu")
    for each in found.runs:
        assert each.evaluation is not None
        assert [scores.network for scores in each.evaluation.scores] == ["alexnet", "efficientnet-lite0"]
    assert "KID[alexnet], 12 fakes v 12 reals" in found.verdict


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
def test_a_price_is_finite_and_not_negative(tmp_path: Path, price: float) -> None:
    with pytest.raises(ImpastoError, match="price per hour"):
        compare([run(tmp_path / "a")], tmp_path / "out", price=price)


def test_wrong_input_gives_a_one_line_error(tmp_path: Path) -> None:
    a, file = run(tmp_path / "a"), tmp_path / "file"
    file.write_text("x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "comparison.html").write_text("mine")
    for runs, out, said in (
        ([], tmp_path / "out", "no runs to compare"),
        ([a, tmp_path], tmp_path / "out", "is not a run folder"),
        ([a, tmp_path / "missing"], tmp_path / "out", "is not a run folder"),
        ([a], file, "is a file"),
        ([a], tmp_path / "mine", "holds comparison.html, which is not of an earlier report"),
    ):
        with pytest.raises(ImpastoError, match=said) as raised:
            compare(runs, out)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "mine" / "comparison.html").read_text() == "mine"
