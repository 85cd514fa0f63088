"""Ranges, caches, and files that vanish."""

import pytest
from fastapi import HTTPException

from fixtures.http_studio import HttpStudio
from impasto.serving.routes.downloads import asked_range

DATA = bytes(range(100))


@pytest.mark.parametrize(
    ("header", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=90-", 90, 100),
        ("bytes=-10", 90, 100),
        ("bytes=-1000", 0, 100),
        ("bytes=99-1000", 99, 100),
        ("BYTES = 5 - 5", 5, 6),
    ],
)
def test_a_range(header: str, first: int, end: int) -> None:
    assert asked_range(header, 100) == (first, end)


@pytest.mark.parametrize(
    "header",
    ["", "x", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "bytes=a-b", "bytes=--5", "bytes=1-2-3",
     "lines=0-1", "bytes=" + "9" * 5000 + "-", "bytes=" + ",".join(["0-"] * 5000), "bytes=\u0661-"],
)  # fmt: skip
def test_what_is_no_single_range_is_ignored(header: str) -> None:
    assert asked_range(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(HTTPException, match="100 bytes"):
        asked_range(header, 100)


def test_parts_of_a_file(studio: HttpStudio) -> None:
    with studio.client() as client:
        path = f"/v1/files/{client.post('/v1/files?name=a.png', content=DATA).json()['id']}/content"
        whole = client.get(path)
        assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, DATA, "bytes")
        part = client.get(path, headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, DATA[10:20])
        assert part.headers["content-range"] == "bytes 10-19/100"
        behind = client.get(path, headers={"range": "bytes=100-"})
        assert (behind.status_code, behind.headers["content-range"]) == (416, "bytes */100")
        assert behind.json()["type"] == "urn:impasto:problem:range"
        tag = whole.headers["etag"]
        assert client.get(path, headers={"range": "bytes=0-1", "if-range": tag}).status_code == 206
        assert client.get(path, headers={"range": "bytes=0-1", "if-range": '"other"'}).content == DATA
        again = client.get(path, headers={"if-none-match": f'"other", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert client.head(path, headers={"range": "bytes=0-1"}).headers["content-length"] == "2"


def test_a_file_that_vanishes_is_404_and_one_that_is_being_downloaded_arrives(studio: HttpStudio) -> None:
    data = b"0123456789" * 2_000_000
    with studio.client() as client:
        identifier = client.post("/v1/files?name=a.png", content=data).json()["id"]
        with client.stream("GET", f"/v1/files/{identifier}/content") as answer:
            parts = answer.iter_bytes(1000)
            found = next(parts)
            with studio.client() as other:
                assert other.delete(f"/v1/files/{identifier}").status_code == 204
            assert found + b"".join(parts) == data
        identifier = client.post("/v1/files?name=b.png", content=b"x").json()["id"]
        studio.library.path(studio.library.file(identifier)).unlink()
        gone = client.get(f"/v1/files/{identifier}/content")
        assert (gone.status_code, gone.json()["type"]) == (404, "urn:impasto:problem:not-found")


def test_clients_that_leave_within_a_download_leave_no_open_file(studio: HttpStudio) -> None:
    import time

    import psutil

    with studio.client() as client:
        identifier = client.post("/v1/files?name=a.png", content=bytes(30_000_000)).json()["id"]
    for _ in range(10):
        with studio.connect() as connection:
            connection.sendall(f"GET /v1/files/{identifier}/content HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            connection.recv(1000)

    def opened() -> list[str]:
        return [file.path for file in psutil.Process().open_files() if identifier in file.path]

    end = time.monotonic() + 30
    while opened() and time.monotonic() < end:
        time.sleep(0.05)
    assert opened() == []
