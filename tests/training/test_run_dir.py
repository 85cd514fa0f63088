"""Run folders."""

from pathlib import Path

import pytest

from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.training.run_dir import RunDir


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path / "run", Recipe.load("dcgan-64"), {"seed": 3})


def test_a_run_opens_with_its_recipe_and_facts(run: RunDir) -> None:
    run.note(status="running")
    again = RunDir.open(run.path)
    assert again.recipe == Recipe.load("dcgan-64").without_search()
    assert again.facts == {"seed": 3, "status": "running"}


def test_an_existing_run_is_not_overwritten(run: RunDir) -> None:
    with pytest.raises(ImpastoError, match="--resume"):
        RunDir.create(run.path, Recipe.load("dcgan-64"), {})


def test_only_one_process_trains_a_run(run: RunDir) -> None:
    with run.lock(), pytest.raises(ImpastoError, match="another process"), RunDir.open(run.path).lock():
        pass
    with RunDir.open(run.path).lock():
        pass


def test_partial_files_of_a_killed_process_are_deleted(run: RunDir) -> None:
    kept = [run.samples / "step-00000005.jpg", run.path / "report.html.7-8.part", run.samples / "holiday.part"]
    left = [run.samples / "step-00000009.jpg.7-8.part", run.checkpoints / "step.pt.7-8.part"]
    left += [run.path / "best.safetensors.7-8.part", run.checkpoints / "step.safetensors.7-8.part"]
    for file in (*kept, *left):
        file.touch()
    with run.lock():
        assert [file for file in (*kept, *left) if file.exists()] == kept


def test_later_samples_are_deleted_on_rewind(run: RunDir) -> None:
    for step in (0, 5, 12):
        (run.samples / f"step-{step:08d}.jpg").touch()
    run.remove_samples_after(5)
    assert sorted(sample.name for sample in run.samples.iterdir()) == ["step-00000000.jpg", "step-00000005.jpg"]
    others = [run.samples / name for name in ("my-step-00000012.jpg", "step-last.jpg", "reverse-step-00000012.jpg")]
    for file in others:
        file.touch()
    run.remove_samples_after(5)
    assert [file.exists() for file in others] == [True, True, False]


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="not a run folder"):
        RunDir.open(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_run_json_is_reported_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ImpastoError, match=r"run\.json is damaged"):
        _ = RunDir(tmp_path).facts


def test_a_run_is_removed_complete_or_not_and_nothing_else_is(tmp_path: Path, run: RunDir) -> None:
    (run.checkpoints / "step-1.pt").touch()
    begun = tmp_path / "begun"
    (begun / "samples").mkdir(parents=True)
    for path in (run.path, begun, tmp_path / "absent"):
        RunDir.remove(path)
        assert not path.exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.json").write_text("{}")
    (tmp_path / "link").symlink_to(other)
    for path in (other, tmp_path / "link", other / "run.json"):
        with pytest.raises(ImpastoError, match="is not a run folder and is not replaced"):
            RunDir.remove(path)
        assert path.exists()


FACTS = {
    "impasto": "0.1.0", "seed": 0, "budget": "10m", "device": "cpu", "precision": "32-true", "threads": 1,
    "license": "",
    "paintings": {"spec": "sample:paintings", "crop_frames": False, "fingerprint": "ab", "pictures": 60},
}  # fmt: skip


def test_a_run_without_the_facts_that_resuming_needs_is_refused_in_one_line(run: RunDir) -> None:
    run.note(**FACTS)
    run.require_resumable()
    for name, value in (
        ("threads", 0),
        ("device", None),
        ("paintings", {"spec": 3}),
        ("loggers", "wandb"),
        ("seed", []),
    ):
        run.note(**FACTS | {name: value})
        with pytest.raises(ImpastoError, match=rf"run\.json is damaged \({name}.*cannot be resumed"):
            run.require_resumable()


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "[" * 100_000, '{"seed": ' + "9" * 5000 + "}"])
def test_damaged_facts_are_refused_in_one_line(run: RunDir, content: str) -> None:
    (run.path / "run.json").write_text(content)
    with pytest.raises(ImpastoError, match=r"run\.json is damaged"):
        run.facts  # noqa: B018
