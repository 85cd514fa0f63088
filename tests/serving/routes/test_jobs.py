"""Follow, cancel and delete jobs; no listener stays behind."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import delete

from fixtures.http_studio import HttpStudio
from impasto.serving.routes import jobs
from impasto.serving.tables import Job, JobInput
from impasto.serving.worker import Worker


@pytest.fixture(scope="module")
def worker(studio: HttpStudio) -> Worker:
    return Worker(studio.queue, studio.library, "paint", "cpu")


def order(client: httpx.Client, count: int = 1) -> str:
    data = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 30, 30)).save(data, "PNG")
    files = [client.post("/v1/files?name=a.png", content=data.getvalue()).json()["id"] for _ in range(count)]
    answer = client.post("/v1/paint", json={"files": files, "style": "negative"})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return str(answer.json()["id"])


def work(worker: Worker) -> None:
    while (job := worker.queue.claim("paint", worker.name)) is not None:
        worker.do(job)


def events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def wait(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_is_followed_to_its_end_in_order(studio: HttpStudio, worker: Worker, client: httpx.Client) -> None:
    job = order(client, 3)
    with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        stream = events(answer)
        first = next(stream)
        assert (first[0], first[1]["state"], first[1]["place"]) == ("job", "queued", 1)
        work(worker)
        found = [data for name, data in stream if name == "job"]  # ends by itself
    assert found[-1]["state"] == "done"
    assert len(found[-1]["results"]) == 3
    assert [each["done"] for each in found] == sorted(each["done"] for each in found)
    with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        assert [data["state"] for _, data in events(answer)] == ["done"]
    wait(lambda: studio.changes.listeners == 0)


def test_all_jobs_are_followed_from_those_that_have_not_ended(
    studio: HttpStudio, worker: Worker, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PING_EVERY", 0.3)
    ended, waiting = order(client), ""
    work(worker)
    waiting = order(client)
    with client.stream("GET", "/v1/events") as answer:
        stream = events(answer)
        assert next(stream) == ("ping", {})
        assert next(stream)[1]["id"] == waiting
        later = order(client)
        states = list[tuple[str, str]]()
        pinged = False
        for name, data in stream:
            pinged = pinged or name == "ping"
            if name == "job":
                states.append((data["id"], data["state"]))
            if (later, "queued") in states and worker.queue.job(later).state == "queued":
                work(worker)
            if (later, "done") in states and (waiting, "done") in states and pinged:
                break
    assert ended not in {job for job, state in states if state != "done"}
    wait(lambda: studio.changes.listeners == 0)


def test_the_stream_of_a_deleted_job_ends(
    studio: HttpStudio, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PING_EVERY", 0.1)
    job = order(client)
    with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        stream = events(answer)
        next(stream)
        with studio.database.write() as session:  # as another server may do
            session.execute(delete(JobInput).where(JobInput.job == job))
            session.execute(delete(Job).where(Job.id == job))
        assert all(name == "ping" for name, _ in stream)
    assert client.get(f"/v1/jobs/{job}/events").status_code == 404


def test_clients_that_leave_leave_no_listener_and_no_connection_of_the_database(studio: HttpStudio) -> None:
    for _ in range(30):
        with studio.connect() as connection:
            connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
    wait(lambda: studio.changes.listeners == 0)
    wait(lambda: studio.database._engine.pool.checkedout() == 0)  # type: ignore[attr-defined]


def test_a_job_is_cancelled_and_deleted_with_its_files(studio: HttpStudio, client: httpx.Client) -> None:
    job = order(client)
    found = client.get(f"/v1/jobs/{job}").json()
    assert client.delete(f"/v1/jobs/{job}").status_code == 409, "it has not ended"
    assert client.delete(f"/v1/files/{found['inputs'][0]['id']}").status_code == 409, "a job reads it"
    assert client.post(f"/v1/jobs/{job}/pause").status_code == 409, "no training"
    assert client.get(f"/v1/jobs/{job}/archive").status_code == 409
    assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/v1/jobs/{job}/cancel").status_code == 409
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    assert client.get(f"/v1/files/{found['inputs'][0]['id']}").status_code == 200, "uploads stay"


def test_jobs_are_listed_by_state_and_kind(client: httpx.Client) -> None:
    job = order(client)
    client.post(f"/v1/jobs/{job}/cancel")
    assert job in [each["id"] for each in client.get("/v1/jobs?state=cancelled,failed&kind=paint").json()["jobs"]]
    assert client.get("/v1/jobs?state=queued").json()["jobs"] == []
    assert client.get("/v1/jobs?kind=train").json()["jobs"] == []
    for wrong in ("kind=%00", "limit=0", "limit=99999", "state=%27", "state=foo", "state=done,foo"):
        assert client.get(f"/v1/jobs?{wrong}").status_code == 422


def test_previews_and_examples_take_no_place_in_lists_and_previews_are_followed(
    studio: HttpStudio, client: httpx.Client
) -> None:
    job = order(client)
    file = client.get(f"/v1/jobs/{job}").json()["inputs"][0]["id"]
    request = {"files": [file], "style": "negative", "preview": True}
    preview = client.post("/v1/paint", json=request).json()
    assert preview["kind"] == "preview"
    studio.queue.submit("example", "paint", {"style": "negative"}, [])
    assert [each["id"] for each in client.get("/v1/jobs?limit=1").json()["jobs"]] == [job]
    with client.stream("GET", "/v1/events") as answer:
        found = [data for _, data in zip(range(3), (each for _, each in events(answer)), strict=False)]
    assert [(each["id"], each["inputs"]) for each in found[1:]] == [(job, []), (preview["id"], [])]
    for each in studio.queue.jobs(states=("queued",)):
        studio.queue.cancel(each.id)


def test_the_archive_holds_all_results_under_their_own_names(
    studio: HttpStudio, worker: Worker, client: httpx.Client
) -> None:
    job = order(client, 3)
    work(worker)
    results = client.get(f"/v1/jobs/{job}").json()["results"]
    answer = client.get(f"/v1/jobs/{job}/archive")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == 3
        first = archive.read(archive.namelist()[0])
    assert first == client.get(f"/v1/files/{results[0]['id']}/content").content
    studio.library.path(studio.library.file(results[1]["id"])).unlink()
    with zipfile.ZipFile(io.BytesIO(client.get(f"/v1/jobs/{job}/archive").content)) as archive:
        assert len(archive.namelist()) == 2, "what was deleted meanwhile is left out"


def test_one_job_of_ten_thousand_files_has_bounded_cost(studio: HttpStudio, client: httpx.Client) -> None:
    from impasto.serving.tables import StoredFile
    from impasto.serving.views import MAX_FILES

    identifiers = [f"{number:032x}" for number in range(10_000)]
    with studio.database.write() as session:
        session.add_all(
            StoredFile(id=each, name="a.png", media="image/png", suffix=".png", bytes=1, kind="upload", created=number)
            for number, each in enumerate(identifiers)
        )
    answer = client.post("/v1/paint", json={"files": identifiers, "style": "negative"})
    assert answer.status_code == 202
    assert [file["id"] for file in answer.json()["inputs"]] == identifiers[:MAX_FILES]
    assert len(answer.content) < 1_000_000
    assert client.post("/v1/paint", json={"files": [*identifiers, identifiers[0]]}).status_code == 422
    client.post(f"/v1/jobs/{answer.json()['id']}/cancel")
    assert client.delete(f"/v1/jobs/{answer.json()['id']}").status_code == 204
