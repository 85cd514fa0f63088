"""Runs are compared where they can be, and where not, it is said why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import invented_runs as invented
from fixtures.invented_runs import entry
from fixtures.parsed import plain
from impasto.data.image_grid import tile
from impasto.metrics.results import Evaluation, Value
from impasto.reports.comparison import compare_runs
from impasto.reports.comparison_results import Entry, distinct_names, setting_differences
from impasto.reports.comparison_scores import mark_best
from impasto.reports.run_record import RunRecord


def test_folders_are_called_by_what_tells_them_apart() -> None:
    assert distinct_names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert distinct_names([Path("monday/run"), Path("tuesday/run"), Path("c")]) == ["monday/run", "tuesday/run", "c"]
    assert distinct_names([Path("run"), Path("x/run")]) != ["run", "run"]
    assert len(set(distinct_names([Path("/run"), Path("/x/run"), Path("/x/x/run")]))) == 3


def test_only_settings_that_differ_are_told_by_their_dotted_names(tmp_path: Path) -> None:
    wide = invented.RECIPE["generator"] | {"width": 96, "depth": 5}  # type: ignore[operator]
    found = setting_differences([entry(tmp_path / "a"), entry(tmp_path / "b", generator=wide, seed=7, device="cuda")])
    assert found == {
        "generator.width": {"a": 64, "b": 96},
        "seed": {"a": 0, "b": 7},
        "device": {"a": "cpu", "b": "cuda"},
        "generator.depth": {"b": 5},
    }


def test_the_same_pictures_elsewhere_are_the_same(tmp_path: Path) -> None:
    here, there = entry(tmp_path / "a"), entry(tmp_path / "b", source__spec="/mnt/other/monets.zip")
    assert setting_differences([here, there]) == {}
    others = entry(tmp_path / "c", source__fingerprint="0" * 32)
    assert set(setting_differences([here, others])) == {"paintings"}


def translator(folder: Path, **changes: Any) -> Entry:
    return entry(folder, invented.evaluation(), photos=invented.PHOTOS, **changes)


def test_other_photos_and_another_start_are_differences(tmp_path: Path) -> None:
    a, b = translator(tmp_path / "a"), translator(tmp_path / "b", start="runs/earlier")
    assert setting_differences([a, b]) == {"initial weights": {"b": "runs/earlier"}}
    others = entry(tmp_path / "c", photos=invented.PHOTOS | {"fingerprint": "2" * 32})
    assert set(setting_differences([a, others])) == {"photos"}
    assert setting_differences([entry(tmp_path / "d"), a]) == {"photos": {"a": "photo_jpg: 7,000 (0a1b2c3d)"}}


def test_a_reader_is_told_who_paints_photos_and_that_they_are_not_the_same(tmp_path: Path) -> None:
    others = invented.PHOTOS | {"fingerprint": "2" * 32}
    a, b = translator(tmp_path / "a"), translator(tmp_path / "b")
    noise, elsewhere = entry(tmp_path / "n", invented.evaluation()), entry(tmp_path / "e", photos=others)
    assert not compared(a, b)[1]
    _, warnings = compared(a, b, noise)
    assert "The tasks differ: a and b (photos → paintings), n (noise → paintings)." in warnings
    assert "different photos" not in warnings
    assert "The runs translate different photos" in compared(a, elsewhere)[1]


def test_a_run_is_shown_by_its_newest_samples_and_their_photos(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run", 16, photos=invented.PHOTOS | {"size": 16})
    assert Entry.of_samples("run", RunRecord.read(run), None, False, 9).pictures is None
    (run / "samples").mkdir()
    for name, shade in (("photos", 40), ("step-00000010", 99), ("step-00000020", 200)):
        tile(np.full((16, 16, 16, 3), shade, np.uint8)).save(run / "samples" / f"{name}.jpg")
    shown = Entry.of_samples("run", RunRecord.read(run), None, False, 9)
    assert shown.pictures is not None
    assert shown.photos is not None
    assert (len(shown.pictures), shown.pictures.mean().round(), shown.photos.mean().round()) == (9, 200, 40)
    assert shown.caption == "samples of step 20"
    (run / "run.json").write_text(json.dumps(invented.FACTS))
    noise = Entry.of_samples("run", RunRecord.read(run), None, False, 9)
    assert noise.photos is None
    assert noise.caption == "samples of step 20, as there is no style yet"


def test_the_best_is_bold_with_all_that_cannot_be_told_from_it() -> None:
    close = [Value(value=0.050, error=0.002), Value(value=0.054, error=0.002), Value(value=0.08, error=0.002)]
    assert mark_best("KID", close) == [True, True, False]
    assert mark_best("precision", close) == [False, False, True]
    assert mark_best("KID", close[:2]) == [False, False]
    assert mark_best("KID", [*close, None, Value(value=float("nan"))]) == [True, True, False, False, False]
    assert mark_best("d", close) == [False] * 3


def test_without_errors_nothing_is_best() -> None:
    assert mark_best("FD", [Value(value=90.0), Value(value=99.0)]) == [False, False]
    known = [Value(value=90.0, interval=(88, 92)), Value(value=99.0, interval=(97, 101))]
    assert mark_best("FD", known) == [True, False]


def compared(*entries: Entry, **how: Any) -> tuple[str, str]:
    """Verdict and warnings."""
    comparison = compare_runs(entries, **how)
    return plain(comparison.verdict), plain(" ".join(comparison.warnings))


def test_the_nearest_run_is_named_with_network_counts_and_errors(tmp_path: Path) -> None:
    verdict, warnings = compared(
        entry(tmp_path / "a", invented.evaluation(0.08)), entry(tmp_path / "b", invented.evaluation(0.05))
    )
    assert verdict == (
        "b has the best score. KID[efficientnet-lite0], 256 v 270: b 0.0500 ± 0.0021, a 0.0800 ± 0.0021."
    )
    assert not warnings


def test_runs_within_their_errors_are_not_ranked(tmp_path: Path) -> None:
    a, b = entry(tmp_path / "a", invented.evaluation(0.050)), entry(tmp_path / "b", invented.evaluation(0.053))
    assert compared(a, b)[0].startswith("No significant difference between the runs. KID[")
    c = entry(tmp_path / "c", invented.evaluation(0.1))
    assert compared(c, b, a)[0].startswith("a and b have the best scores, without a significant difference.")


def test_a_copyist_does_not_win_unseen(tmp_path: Path) -> None:
    copyist = entry(tmp_path / "a", invented.evaluation(0.01, copied=0.9))
    verdict, _ = compared(copyist, entry(tmp_path / "b", invented.evaluation(0.05)))
    assert verdict.startswith("a has the best score")
    assert verdict.endswith("But a memorised training images.")


@pytest.mark.parametrize(
    ("other", "unlike"),
    [({"fakes": 128}, "counts"), ({"size": 32}, "size"), ({"fakes": 128, "size": 32}, "counts and size")],
)
def test_scores_under_other_conditions_are_not_compared(tmp_path: Path, other: dict[str, int], unlike: str) -> None:
    verdict, warnings = compared(
        entry(tmp_path / "a", invented.evaluation(0.05)), entry(tmp_path / "b", invented.evaluation(0.01, **other))
    )
    assert verdict == "No two of these runs have comparable scores."
    assert "The scores of a (efficientnet-lite0, 256 v 270, 64×64 px, against monet_jpg (300 images))" in warnings
    assert f"are not comparable: different {unlike}." in warnings


def through(evaluation: Evaluation, network: str, kid: float) -> Evaluation:
    """That evaluation, with scores through another network before its own."""
    scores = evaluation.scores[0]
    values = scores.values | {"KID": scores.values["KID"].model_copy(update={"value": kid})}
    other = scores.model_copy(update={"network": network, "values": values})
    return evaluation.model_copy(update={"scores": [other, scores]})


def test_runs_are_ranked_by_the_network_that_most_of_them_were_scored_by(tmp_path: Path) -> None:
    a = entry(tmp_path / "a", through(invented.evaluation(0.05), "alexnet", 0.3))
    b = entry(tmp_path / "b", through(invented.evaluation(0.08), "alexnet", 0.1))
    c = entry(tmp_path / "c", invented.evaluation(0.02))
    verdict, warnings = compared(a, b)
    assert verdict.startswith("b has the best score. KID[alexnet], 256 v 270: b 0.1000")
    verdict, warnings = compared(a, b, c)
    assert verdict.startswith("c has the best score. KID[efficientnet-lite0], 256 v 270: c 0.0200")
    assert "not comparable" not in warnings
    few = invented.evaluation(0.02, fakes=128)
    assert "b (efficientnet-lite0, 256 v 270, 64×64 px" in compared(b, entry(tmp_path / "d", few))[1]


def test_scores_against_what_each_learned_from_are_only_compared_if_that_is_the_same(tmp_path: Path) -> None:
    a = entry(tmp_path / "a", invented.evaluation(0.05))
    b = entry(tmp_path / "b", invented.evaluation(0.01), source__fingerprint="0" * 32)
    assert "different real images" in compared(a, b)[1]
    afresh = [Entry(each.name, each.record, each.evaluation, afresh=True) for each in (a, b)]
    assert compared(*afresh, against="pictures/monet_jpg")[0].startswith("b has the best score")


def test_all_that_hinders_a_comparison_is_told(tmp_path: Path) -> None:
    a = entry(tmp_path / "a", invented.evaluation())
    b = entry(tmp_path / "b", status="stopped", size=32, device="cuda", source__fingerprint="1" * 32)
    _, warnings = compared(a, b)
    for said in (
        "b is not finished: stopped at step 40 of 400.",
        "b has no scores",
        "trained on different paintings",
        "a 64 px, b 32 px",
        "a cpu, b cuda",
        "Scores during training are not comparable",
    ):
        assert said in warnings


def test_one_run_is_shown_for_itself(tmp_path: Path) -> None:
    assert "nothing is compared" in compared(entry(tmp_path / "a"))[0]


def test_time_costs_what_it_costs(tmp_path: Path) -> None:
    (run,) = compare_runs([entry(tmp_path / "a", steps=400, device="cuda:0")], price=2.5).runs
    assert run.processor == "GPU"
    assert run.cost == pytest.approx(2.5 * 400 * 0.31 / 3600, abs=1e-4)
    assert compare_runs([entry(tmp_path / "b")]).runs[0].cost is None
