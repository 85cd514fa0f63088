"""The page, health, metrics and what the studio can do."""

import httpx
import pytest

from fixtures.http_studio import HttpStudio
from impasto.serving.guard import PAGE_POLICY
from impasto.serving.routes import system


def test_the_studio_says_what_it_can_do_without_naming_the_machine(studio: HttpStudio, client: httpx.Client) -> None:
    answer = client.get("/v1/about")
    found = answer.json()
    assert {"upload_bytes", "pixels", "images"} <= found["limits"].keys()
    assert isinstance(found["limits"]["upload_bytes"], int)
    assert found["extras"].keys() == {"hub", "onnx", "train"}
    assert str(studio.library.folder) not in answer.text


def test_health_readiness_and_metrics(studio: HttpStudio, client: httpx.Client) -> None:
    assert client.get("/v1/health").json() == {"status": "alive"}
    assert client.get("/v1/ready").json() == {"status": "ready"}
    studio.queue.submit("paint", "paint", {}, [])
    text = client.get("/metrics").text
    assert 'impasto_jobs{kind="paint",state="queued"} 1.0' in text


def test_the_page_and_its_files_are_answered_and_nothing_else(
    client: httpx.Client, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path_factory.mktemp("package") / "page"
    (page / "views").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>é</title>", encoding="utf-8")
    (page / "views" / "a.js").write_text("1")
    (page / "secret.py").write_text("1")
    (page.parent / "above.js").write_text("1")
    monkeypatch.setattr(system, "PAGE", page)
    answer = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    script = client.get("/assets/views/a.js")
    assert (script.text, script.headers["content-type"]) == ("1", "text/javascript; charset=utf-8")
    assert client.get("/", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    for path in (
        "secret.py",
        "../above.js",
        "..%2fabove.js",
        "%2e%2e/above.js",
        "views",
        "",
        "a%00.js",
        "//etc/passwd",
    ):
        assert client.get(f"/assets/{path}").status_code == 404, path
