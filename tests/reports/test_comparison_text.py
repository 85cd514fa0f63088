"""Runs are ranked where the difference is significant; everything that limits a comparison is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures import invented_runs as invented
from fixtures.invented_runs import entry, translator_entry
from fixtures.parsed import plain
from impasto.config.recipe import Recipe
from impasto.metrics.results import Evaluation
from impasto.reports.comparison import compare_runs
from impasto.reports.comparison_results import Entry
from impasto.reports.comparison_tables import Block, score_blocks


def compared(*entries: Entry, **how: Any) -> tuple[str, str]:
    """Verdict and warnings."""
    comparison = compare_runs(entries, **how)
    return plain(comparison.verdict), plain(" ".join(comparison.warnings))


def through(evaluation: Evaluation, network: str, kid: float) -> Evaluation:
    """That evaluation, with scores through another network before its own."""
    scores = evaluation.scores[0]
    values = scores.values | {"KID": scores.values["KID"].model_copy(update={"value": kid})}
    other = scores.model_copy(update={"network": network, "values": values})
    return evaluation.model_copy(update={"scores": [other, scores]})


def test_different_tasks_and_photos_are_warned_of(tmp_path: Path) -> None:
    others = invented.PHOTOS | {"fingerprint": "2" * 32}
    a, b = translator_entry(tmp_path / "a"), translator_entry(tmp_path / "b")
    noise, elsewhere = entry(tmp_path / "n", invented.evaluation()), entry(tmp_path / "e", photos=others)
    assert not compared(a, b)[1]
    _, warnings = compared(a, b, noise)
    assert "The tasks differ: a and b (photos → paintings), n (noise → paintings)." in warnings
    assert "different photos" not in warnings
    assert "The runs translate different photos" in compared(a, elsewhere)[1]


def test_the_best_run_is_named_with_network_counts_and_errors(tmp_path: Path) -> None:
    verdict, warnings = compared(
        entry(tmp_path / "a", invented.evaluation(0.08)), entry(tmp_path / "b", invented.evaluation(0.05))
    )
    assert verdict == (
        "b has the best score. KID[efficientnet-lite0], 256 fakes v 270 reals: b 0.0500 ± 0.0021, a 0.0800 ± 0.0021."
    )
    assert not warnings


def test_runs_within_their_errors_are_not_ranked(tmp_path: Path) -> None:
    a, b = entry(tmp_path / "a", invented.evaluation(0.050)), entry(tmp_path / "b", invented.evaluation(0.053))
    assert compared(a, b)[0].startswith("No significant difference between the runs. KID[")
    c = entry(tmp_path / "c", invented.evaluation(0.1))
    assert compared(c, b, a)[0].startswith("a and b have the best scores, without a significant difference.")


def test_runs_that_reproduce_training_images_are_not_ranked(tmp_path: Path) -> None:
    copyist = entry(tmp_path / "a", invented.evaluation(0.01, copied=0.9))
    b, c = entry(tmp_path / "b", invented.evaluation(0.05)), entry(tmp_path / "c", invented.evaluation(0.09))
    verdict, _ = compared(copyist, b, c)
    assert verdict.startswith("b has the best score. KID[efficientnet-lite0]") and "a 0.01" not in verdict
    assert verdict.endswith("a reproduces training images. Its score is not ranked.")
    verdict, _ = compared(copyist, b)
    assert verdict == "a reproduces training images. Only b does not. So the scores do not tell which is best."


def test_no_run_is_ranked_by_a_network_of_a_family_that_it_is_trained_against(tmp_path: Path) -> None:
    """a and b are trained against EfficientNet, which scores them best."""
    projected = through(invented.evaluation(0.001), "alexnet", 0.4)
    a, b = (Entry(each.name, each.record, projected) for each in (entry(tmp_path / "a"), entry(tmp_path / "b")))
    recipe = Recipe.load("projected-64").without_search().values()
    a, b = (replace(each, record=replace(each.record, recipe=recipe)) for each in (a, b))
    c, d = entry(tmp_path / "c", invented.evaluation(0.05)), entry(tmp_path / "d", invented.evaluation(0.09))
    verdict, warnings = compared(a, c)
    assert verdict == "No two of these runs have comparable scores."
    assert "different network. --against PICTURES scores all runs alike." in warnings
    assert compared(a, c, d)[0].startswith("c has the best score. KID[efficientnet-lite0]")
    assert compared(a, b)[0].startswith("No significant difference between the runs. KID[alexnet]")
    marked = {block.caption: any(any(line.best or []) for line in block.lines) for block in _blocks(a, c)}
    against = [caption for caption in marked if caption.endswith("; a trained against this family")]
    assert against and not any(marked[caption] for caption in against)
    assert any(any(any(line.best or []) for line in block.lines) for block in _blocks(c, d))


def _blocks(*entries: Entry) -> list[Block]:
    return score_blocks(compare_runs(entries).runs)


@pytest.mark.parametrize(
    ("other", "unlike"),
    [({"fakes": 128}, "counts"), ({"size": 32}, "size"), ({"fakes": 128, "size": 32}, "counts and size")],
)
def test_scores_of_other_counts_or_sizes_are_not_comparable(tmp_path: Path, other: dict[str, int], unlike: str) -> None:
    verdict, warnings = compared(
        entry(tmp_path / "a", invented.evaluation(0.05)), entry(tmp_path / "b", invented.evaluation(0.01, **other))
    )
    assert verdict == "No two of these runs have comparable scores."
    assert "The scores of a (efficientnet-lite0, 256 v 270, 64×64 px, against monet_jpg (300 images))" in warnings
    assert f"are not comparable: different {unlike}." in warnings


def test_runs_are_ranked_by_the_network_that_most_have_in_common(tmp_path: Path) -> None:
    a = entry(tmp_path / "a", through(invented.evaluation(0.05), "alexnet", 0.3))
    b = entry(tmp_path / "b", through(invented.evaluation(0.08), "alexnet", 0.1))
    c = entry(tmp_path / "c", invented.evaluation(0.02))
    verdict, warnings = compared(a, b)
    assert verdict.startswith("b has the best score. KID[alexnet], 256 fakes v 270 reals: b 0.1000")
    verdict, warnings = compared(a, b, c)
    assert verdict.startswith("c has the best score. KID[efficientnet-lite0], 256 fakes v 270 reals: c 0.0200")
    assert "not comparable" not in warnings
    few = invented.evaluation(0.02, fakes=128)
    assert "b (efficientnet-lite0, 256 v 270, 64×64 px" in compared(b, entry(tmp_path / "d", few))[1]


def test_runs_are_ranked_by_held_out_images_where_those_are_the_same(tmp_path: Path) -> None:
    """Runs of different seeds hold out different images."""

    def scored(name: str, kid: float, heldout_kid: float, **facts: Any) -> Entry:
        found, held_out = invented.evaluation(kid), invented.evaluation(heldout_kid, reals=30).scores[0]
        return entry(tmp_path / name, found.model_copy(update={"unseen": held_out}), **facts)

    a, b, c = scored("a", 0.05, 0.09), scored("b", 0.09, 0.05), scored("c", 0.02, 0.02, seed=1)
    assert compared(a, b)[0].startswith("b has the best score. KID[efficientnet-lite0], 256 fakes v 30 reals: b 0.0500")
    assert compared(a, c)[0].startswith("c has the best score. KID[efficientnet-lite0], 256 fakes v 270 reals")
    assert len({block.caption for block in _blocks(a, c)}) == len(_blocks(a, c))


def test_a_run_with_scores_through_its_own_family_alone_has_none_to_rank_by(tmp_path: Path) -> None:
    found = invented.evaluation()
    own = found.model_copy(update={"scores": found.scores[:1]})
    a, b = entry(tmp_path / "a", own), entry(tmp_path / "b", found)
    a = replace(a, record=replace(a.record, recipe=Recipe.load("projected-64").without_search().values()))
    assert "a has no scores to rank by: --against PICTURES" in compared(a, b)[1]


def test_scores_against_different_training_sets_are_not_comparable(tmp_path: Path) -> None:
    a = entry(tmp_path / "a", invented.evaluation(0.05))
    b = entry(tmp_path / "b", invented.evaluation(0.01), source__fingerprint="0" * 32)
    assert "different real images" in compared(a, b)[1]
    afresh = [Entry(each.name, each.record, each.evaluation, afresh=True) for each in (a, b)]
    assert compared(*afresh, against="pictures/monet_jpg")[0].startswith("b has the best score")


def test_everything_that_limits_a_comparison_is_warned_of(tmp_path: Path) -> None:
    a = entry(tmp_path / "a", invented.evaluation())
    b = entry(tmp_path / "b", status="stopped", size=32, device="cuda", source__fingerprint="1" * 32)
    _, warnings = compared(a, b)
    for text in (
        "b is not finished: stopped at step 40 of 400.",
        "b has no scores",
        "trained on different paintings",
        "a 64 px, b 32 px",
        "a cpu, b cuda",
        "Scores during training are not comparable",
    ):
        assert text in warnings


def test_a_single_run_is_not_ranked(tmp_path: Path) -> None:
    assert "nothing is compared" in compared(entry(tmp_path / "a"))[0]
