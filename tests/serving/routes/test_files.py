"""Upload, browse and download: hostile names and contents."""

import io
import time
import zipfile

import pytest
from PIL import Image
from sqlalchemy import update

from fixtures.http_studio import UNHURRIED, HttpStudio, serving
from impasto.serving.cleaning import LEFT_FOR, clean
from impasto.serving.guard import FILE_POLICY
from impasto.serving.limits import Limits
from impasto.serving.tables import StoredFile


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\a.jpg", "a.jpg"),
        ("/etc/cron.d/a.png", "a.png"),
        ("a.jpg\x00.html", "a.jpg.html"),
        ("..", "file"),
        ("C:evil.jpg", "evil.jpg"),
        ("\u202egpj.exe", "\ufffdgpj.exe"),
        ("a\r\nSet-Cookie: x=1.jpg", "a\ufffd\ufffdSet-Cookie: x=1.jpg"),
        ('"; filename="b.html', '"; filename="b.html'),
        ("é漢字 😀.png", "é漢字 😀.png"),
    ],
)
def test_a_name_is_never_a_path_and_comes_back_as_people_wrote_it(studio: HttpStudio, name: str, shown: str) -> None:
    before = {path for path in studio.library.folder.parent.rglob("*") if path.parent != studio.library.files}
    with studio.client() as client:
        file = client.post("/v1/files", params={"name": name}, content=b"x").json()
        assert file["name"] == shown
        answer = client.get(f"/v1/files/{file['id']}/content?download=true")
        assert answer.content == b"x"
        assert answer.headers["content-disposition"].startswith("attachment; filename*=utf-8''")
        assert "set-cookie" not in answer.headers
        assert client.delete(f"/v1/files/{file['id']}").status_code == 204
    after = {path for path in studio.library.folder.parent.rglob("*") if path.parent != studio.library.files}
    assert after - before <= {studio.library.folder / "studio.db-wal", studio.library.folder / "studio.db-shm"}


def jpeg_with_html() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "JPEG", comment=b"<script>alert(1)</script>")
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "media"),
    [
        ("a.jpg", jpeg_with_html(), "image/jpeg"),
        ("a.jpg", b"<html><script>alert(1)</script>", "image/jpeg"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "application/octet-stream"),
        ("a.html", b"<script>alert(1)</script>", "application/octet-stream"),
        ("a.HTM", b"<script>alert(1)</script>", "application/octet-stream"),
        ("a.xhtml", b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "application/octet-stream"),
        ("a.pdf", b"%PDF-1.7", "application/octet-stream"),
        ("a.js", b"alert(1)", "application/octet-stream"),
        ("a", b"<!doctype html>", "application/octet-stream"),
    ],
)
def test_nothing_in_a_file_runs(studio: HttpStudio, name: str, data: bytes, media: str) -> None:
    with studio.client() as client:
        file = client.post("/v1/files", params={"name": name}, content=data).json()
        answer = client.get(f"/v1/files/{file['id']}/content")
    assert answer.content == data
    assert answer.headers["content-type"] == media
    assert answer.headers["content-security-policy"] == FILE_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_pages_of_files_hold_each_file_once_newest_first(studio: HttpStudio) -> None:
    with studio.client() as client:
        sent = [client.post(f"/v1/files?name=page-{n}.png", content=b"x").json()["id"] for n in range(7)]
        with studio.database.write() as session:  # within one microsecond
            for number, each in enumerate(sent):
                created = 1796052228.2886801 + 2.5e-7 * (number // 2)
                session.execute(update(StoredFile).where(StoredFile.id == each).values(created=created))
        sent.sort(key=lambda each: (studio.library.file(each).created, each))
        found = list[str]()
        cursor: str | None = ""
        while cursor is not None:
            page = client.get(f"/v1/files?query=page-&limit=3{cursor and f'&before={cursor}'}").json()
            found += [file["id"] for file in page["files"]]
            cursor = page["next"]
        assert found == sent[::-1]
        for wrong in ("x", "1.5", "1e9-" + "0" * 32, "9" * 400):
            assert client.get("/v1/files", params={"before": wrong}).status_code == 422
        assert client.get("/v1/files", params={"query": "a\0b"}).status_code == 422
        assert client.get("/v1/files", params={"query": "%_\\'\";--"}).json()["files"] == []


def test_favourites_and_settings(studio: HttpStudio) -> None:
    with studio.client() as client:
        identifier = client.post("/v1/files?name=fav.png", content=b"x").json()["id"]
        assert client.patch(f"/v1/files/{identifier}", json={"favourite": True}).json()["favourite"]
        found = client.get("/v1/files?favourite=true").json()["files"]
        assert [file["id"] for file in found] == [identifier]
        assert client.patch(f"/v1/files/{identifier}", json={"favourite": True, "name": "b"}).status_code == 422
        assert client.get(f"/v1/files/{identifier}/settings").status_code == 404
        assert client.get(f"/v1/files/{identifier}/thumbnail").status_code == 404, "of results only"
        client.delete(f"/v1/files/{identifier}")
        for method in ("GET", "DELETE"):
            assert client.request(method, f"/v1/files/{identifier}").status_code == 404


def test_an_empty_file_is_refused(studio: HttpStudio) -> None:
    with studio.client() as client:
        assert client.post("/v1/files?name=a.jpg").status_code == 422
    assert list(studio.library.work.iterdir()) == []


def test_the_quota_counts_bytes_that_arrive_and_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = Limits(**UNHURRIED, stored_bytes=1_000, stored_files=3)
    with serving(tmp_path_factory.mktemp("studio"), limits) as studio, studio.client() as client:
        for content in (b"x" * 1001, iter([b"x" * 1001])):
            answer = client.post("/v1/files?name=a.jpg", content=content)
            assert (answer.status_code, answer.json()["type"]) == (507, "urn:impasto:problem:full")
        with studio.connect() as slow:
            slow.sendall(b"POST /v1/files?name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\nx")
            for _ in range(500):
                if list(studio.library.work.iterdir()):
                    break
                time.sleep(0.02)
            assert client.post("/v1/files?name=b.jpg", content=b"x" * 200).status_code == 507, "900 are arriving"
        for _ in range(500):
            if not list(studio.library.work.iterdir()):
                break
            time.sleep(0.02)
        statuses = [client.post("/v1/files?name=b.jpg", content=b"x").status_code for _ in range(4)]
        assert statuses == [201, 201, 201, 507]
        assert list(studio.library.work.iterdir()) == []


def test_parts_of_uploads_of_a_killed_server_are_removed_and_others_stay(studio: HttpStudio) -> None:
    old, job = studio.library.work / "a.upload", studio.library.work / "job"
    old.write_bytes(b"x")
    job.mkdir()
    clean(studio.library, time.time())
    assert old.exists()
    clean(studio.library, time.time() + LEFT_FOR + 1)
    assert [path.name for path in studio.library.work.iterdir()] == ["job"]
    job.rmdir()


def test_settings_in_an_uploaded_painting_are_read_with_bounded_cost(studio: HttpStudio) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("a.jpg", b"\0" * 20_000_000)
    with studio.client() as client:
        identifier = client.post("/v1/files?name=bomb.zip", content=archive.getvalue()).json()["id"]
        assert client.get(f"/v1/files/{identifier}/settings").status_code == 404
