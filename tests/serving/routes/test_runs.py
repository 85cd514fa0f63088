"""Training runs: samples, reports and styles of runs whose folders a training left."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml

from fixtures.http_studio import HttpStudio
from fixtures.invented_runs import FACTS, RECIPE
from fixtures.noise_style import style
from impasto.serving.guard import FILE_POLICY
from impasto.serving.jobs import JobQueue


def training(studio: HttpStudio) -> tuple[str, Path]:
    """Queue a training; return its identifier and the folder of its run."""
    job = studio.queue.submit("train", "train", {"name": "water", "recipe": "dcgan-64"}, [])
    folder = studio.library.runs / job.id
    folder.mkdir()
    return job.id, folder


def test_a_run_that_has_not_begun_has_no_report_and_no_style(studio: HttpStudio, client: httpx.Client) -> None:
    run, _ = training(studio)
    assert client.get(f"/v1/runs/{run}").json()["name"] == "water"
    assert run in [each["id"] for each in client.get("/v1/runs").json()["runs"]]
    assert client.get(f"/v1/runs/{run}/report").status_code == 404
    assert client.get(f"/v1/runs/{run}/samples/100.jpg").status_code == 404
    assert client.post(f"/v1/runs/{run}/style", json={"name": "water"}).status_code == 409
    other = studio.queue.submit("paint", "paint", {}, []).id
    assert client.get(f"/v1/runs/{other}").status_code == 404, "no training"


def test_the_report_of_a_run_that_goes_on_is_written_anew_and_names_no_folder(
    studio: HttpStudio, client: httpx.Client
) -> None:
    run, folder = training(studio)
    facts = FACTS | {"paintings": FACTS["paintings"] | {"spec": f"{studio.library.work}/{run}/paintings"}}
    (folder / "run.json").write_text(json.dumps(facts | {"status": "running"}))
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    (folder / "report.html").write_text("an earlier one")
    answer = client.get(f"/v1/runs/{run}/report")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-security-policy"] == FILE_POLICY
    assert answer.headers["content-type"].startswith("text/html")
    assert "an earlier one" not in answer.text
    assert str(studio.library.folder) not in answer.text
    studio.queue.cancel(run)
    (folder / "report.html").write_text(f"the last one, in {folder}")
    assert client.get(f"/v1/runs/{run}/report").text == f"the last one, in runs/{run}"


def test_samples_are_found_by_step(studio: HttpStudio, client: httpx.Client) -> None:
    run, folder = training(studio)
    (folder / "samples").mkdir()
    (folder / "samples" / "step-00000100.jpg").write_bytes(b"\xff\xd8")
    (folder / "samples" / "step-x.jpg").write_bytes(b"no")
    answer = client.get(f"/v1/runs/{run}/samples/100.jpg")
    assert (answer.content, answer.headers["content-type"]) == (b"\xff\xd8", "image/jpeg")
    assert client.get(f"/v1/runs/{run}/samples/101.jpg").status_code == 404
    assert client.get(f"/v1/runs/{run}/samples/..%2f..%2frun.json.jpg").status_code in (404, 422)


def test_the_best_style_is_kept_under_a_free_name(
    studio: HttpStudio, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = training(studio)
    style().save(folder / "best.safetensors")
    for name, status in (("../water", 422), ("monet", 409), ("negative", 409), ("water-1", 201), ("water-1", 409)):
        answer = client.post(f"/v1/runs/{run}/style", json={"name": name})
        assert answer.status_code == status, (name, answer.text)
    full = replace(studio.library.limits, queued=0)
    queue = JobQueue(studio.database, studio.library, full)
    monkeypatch.setattr(studio.guard.app.state.studio, "queue", queue)  # type: ignore[attr-defined]
    assert client.post(f"/v1/runs/{run}/style", json={"name": "water-2"}).status_code == 201, "with a full queue"
    assert client.delete(f"/v1/runs/{run}").status_code == 409, "it has not ended"
    studio.queue.cancel(run)
    assert client.delete(f"/v1/runs/{run}").status_code == 204
    assert not folder.exists() and client.get(f"/v1/jobs/{run}").status_code == 404
    assert "water-1" in [each["name"] for each in client.get("/v1/styles").json()["styles"]]
