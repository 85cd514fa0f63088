"""Jobs and runs as JSON: bounded, finite and without paths."""

from pathlib import Path

import pytest

from fixtures.clock import FakeClock
from fixtures.http_studio import parts
from impasto.serving import views
from impasto.serving.jobs import JobQueue
from impasto.serving.limits import Limits
from impasto.serving.shelf import styles
from impasto.serving.views import MAX_FILES, StyleView, job_view, job_views, run_view


def test_messages_and_errors_name_files_as_people_do(tmp_path: Path) -> None:
    with parts(tmp_path, Limits()) as (library, queue, _):
        source = tmp_path / "a"
        source.write_bytes(b"x")
        photo = library.add("me.jpg", source, kind="upload")
        queue.submit("paint", "paint", {}, [photo.id])
        job = queue.claim("paint", "machine/1/1/paint")
        assert job is not None
        queue.report(job, message=f"Reading {library.path(photo)}")
        queue.finish(job, "failed", error=f"{library.path(photo)} is no image, see {tmp_path}/work.")
        view = job_view(queue.job(job.id), queue, library)
    assert view.error is not None
    assert view.error.type == "urn:impasto:problem:failed"
    assert "me.jpg is no image" in view.error.detail
    assert view.message == "Reading me.jpg"
    assert str(tmp_path) not in view.model_dump_json()


def test_a_job_shows_its_first_inputs_and_last_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MAX_FILES", 3)
    assert MAX_FILES >= 100
    with parts(tmp_path, Limits()) as (library, queue, _):
        files = []
        for number in range(5):
            source = tmp_path / "a"
            source.write_bytes(b"x")
            files.append(library.add(f"{number}.jpg", source, kind="upload").id)
        queue.submit("paint", "paint", {}, files)
        job = queue.claim("paint", "machine/1/1/paint")
        assert job is not None
        for number in range(5):
            source = tmp_path / "a"
            source.write_bytes(b"x")
            library.add(f"{number}.png", source, kind="result", job=job)
        view = job_view(queue.job(job.id), queue, library)
        monkeypatch.setattr(views, "MAX_LISTED", 2)
        (listed,) = job_views([queue.job(job.id)], queue, library)
        queue.cancel(job.id)
        assert job_view(queue.job(job.id), queue, library).wish == "cancel"
    assert (listed.inputs, [file.name for file in listed.results]) == ([], ["3.png", "4.png"])
    assert view.result_count == listed.result_count == 5
    assert [file.name for file in view.inputs] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [file.name for file in view.results] == ["2.png", "3.png", "4.png"]


def test_the_rest_of_a_running_job_is_estimated_and_the_place_of_a_waiting_one_shown(tmp_path: Path) -> None:
    with parts(tmp_path, Limits()) as (library, queue, _):
        first, second = (queue.submit("paint", "paint", {}, []).id for _ in range(2))
        assert [job_view(queue.job(each), queue, library).place for each in (first, second)] == [1, 2]
        job = queue.claim("paint", "machine/1/1/paint")
        assert job is not None
        queue.report(job, done=1, total=4, unit="photos")
        running = job_view(queue.job(first), queue, library)
        assert running.place is None
        assert running.seconds_left is not None
        assert running.seconds_left >= 0
        assert job_view(queue.job(second), queue, library).place == 1


def test_the_time_left_counts_from_the_claim(tmp_path: Path) -> None:
    clock = FakeClock()
    with parts(tmp_path, Limits()) as (library, _, database):
        queue = JobQueue(database, library, library.limits, clock)
        queue.submit("train", "train", {}, [])
        first = queue.claim("train", "w")
        assert first is not None
        queue.report(first, done=50, total=100)
        queue.finish(first, "paused")
        clock.advance(1e6)
        queue.resume(first.id)
        second = queue.claim("train", "w")
        assert second is not None
        clock.advance(10)
        assert job_view(queue.job(first.id), queue, library).seconds_left is None
        queue.report(second, done=60)
        assert job_view(queue.job(first.id), queue, library).seconds_left == 40


def test_a_training_that_has_not_begun_is_a_run_without_curves(tmp_path: Path) -> None:
    with parts(tmp_path, Limits()) as (library, queue, _):
        job = queue.submit("train", "train", {"name": "", "recipe": "dcgan-64"}, [])
        view = run_view(job, queue, library)
    assert (view.name, view.recipe, view.step, view.curves, view.samples) == ("dcgan-64", "dcgan-64", 0, {}, [])
    assert (view.report, view.has_style) == (None, False)


def test_styles_tell_what_they_can_do(tmp_path: Path) -> None:
    with parts(tmp_path, Limits()) as (library, _, _):
        found = {style.name: StyleView.of(style, library) for style in styles(library)}
    assert (found["negative"].task, found["noise"].task) == ("translation", "generation")
    assert found["negative"].example == "/v1/styles/negative/example"
    assert found["monet"].origin == "bundled"
    assert not any(str(tmp_path) in line for style in found.values() for line in style.description)
