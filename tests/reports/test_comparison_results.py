"""Data of a comparison."""

import json
from pathlib import Path

import numpy as np
import pytest

from fixtures import invented_runs as invented
from fixtures.invented_runs import entry, translator_entry
from impasto.data.image_grid import tile
from impasto.reports.comparison import compare_runs
from impasto.reports.comparison_results import Entry, distinct_names, setting_differences
from impasto.reports.run_record import RunRecord


def test_folders_are_named_by_as_many_parts_as_needed() -> None:
    assert distinct_names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert distinct_names([Path("monday/run"), Path("tuesday/run"), Path("c")]) == ["monday/run", "tuesday/run", "c"]
    assert distinct_names([Path("run"), Path("x/run")]) != ["run", "run"]
    assert len(set(distinct_names([Path("/run"), Path("/x/run"), Path("/x/x/run")]))) == 3


def test_only_settings_that_differ_are_listed_by_dotted_name(tmp_path: Path) -> None:
    wide = invented.RECIPE["generator"] | {"width": 96, "depth": 5}  # type: ignore[operator]
    found = setting_differences([entry(tmp_path / "a"), entry(tmp_path / "b", generator=wide, seed=7, device="cuda")])
    assert found == {
        "generator.width": {"a": 64, "b": 96},
        "seed": {"a": 0, "b": 7},
        "device": {"a": "cpu", "b": "cuda"},
        "generator.depth": {"b": 5},
    }


def test_equal_data_in_different_places_is_no_difference(tmp_path: Path) -> None:
    here, there = entry(tmp_path / "a"), entry(tmp_path / "b", source__spec="/mnt/other/monets.zip")
    assert setting_differences([here, there]) == {}
    others = entry(tmp_path / "c", source__fingerprint="0" * 32)
    assert set(setting_differences([here, others])) == {"paintings"}


def test_photos_and_initial_weights_are_compared(tmp_path: Path) -> None:
    a, b = translator_entry(tmp_path / "a"), translator_entry(tmp_path / "b", start="runs/earlier")
    assert setting_differences([a, b]) == {"initial weights": {"b": "runs/earlier"}}
    others = entry(tmp_path / "c", photos=invented.PHOTOS | {"fingerprint": "2" * 32})
    assert set(setting_differences([a, others])) == {"photos"}
    assert setting_differences([entry(tmp_path / "d"), a]) == {"photos": {"a": "photo_jpg: 7,000 (0a1b2c3d)"}}


def test_a_run_is_represented_by_its_newest_samples(tmp_path: Path) -> None:
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


def test_cost_is_hours_times_price(tmp_path: Path) -> None:
    (run,) = compare_runs([entry(tmp_path / "a", steps=400, device="cuda:0")], price=2.5).runs
    assert run.processor == "GPU"
    assert run.cost == pytest.approx(2.5 * 400 * 0.31 / 3600, abs=1e-4)
    assert compare_runs([entry(tmp_path / "b")]).runs[0].cost is None
