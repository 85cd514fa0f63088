"""Begin jobs, and paint one photo directly: also what is no photo."""

import io
import zipfile
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image

from fixtures.http_studio import UNHURRIED, HttpStudio, serving
from impasto.serving.limits import Limits


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    with serving(tmp_path_factory.mktemp("studio"), Limits(**UNHURRIED, queued=50), work=True) as found:
        yield found


def photo(size: tuple[int, int] = (40, 30), form: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(data, form)
    return data.getvalue()


def bomb() -> bytes:
    """A PNG of 60,000 × 60,000 pixels in some bytes."""
    data = photo()
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return data[:8] + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def zipped(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_a_photo_is_answered_by_its_painting(studio: HttpStudio, client: httpx.Client) -> None:
    answer = client.post("/v1/paint/photo?style=negative&name=me.png", content=photo())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    painted = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    assert painted.shape == (30, 40, 3)
    assert np.abs(painted - [55, 225, 165]).max() <= 2, "the negative"
    job = client.get(answer.headers["location"]).json()
    assert (job["state"], job["inputs"][0]["name"], job["results"][0]["source"]) == (
        "done", "me.png", job["inputs"][0]["id"]
    )  # fmt: skip
    assert studio.changes.listeners == 0


def test_who_does_not_wait_gets_the_job(client: httpx.Client) -> None:
    answer = client.post("/v1/paint/photo?style=negative&wait=0", content=photo())
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bomb.png", bomb()),
        ("text.jpg", b"<html>"),
        ("cut.jpg", photo((400, 300), "JPEG")[:200]),
        ("bomb.zip", zipped(**{"a.jpg": bytes(50_000_000)})),
        ("nested.zip", zipped(**{"b.zip": zipped(**{"a.jpg": bytes(1_000_000)})})),
        ("outside.zip", zipped(**{"../../../tmp/impasto-outside.jpg": b"x"})),
        ("empty.zip", zipped()),
        ("no.zip", b"PK\x03\x04" + bytes(100)),
        ("film.mp4", b"\0\0\0\x18ftypmp42" + bytes(200)),
    ],
)
def test_what_cannot_be_painted_is_one_problem_without_paths(
    studio: HttpStudio, client: httpx.Client, name: str, data: bytes
) -> None:
    answer = client.post("/v1/paint/photo", params={"style": "negative", "name": name, "wait": 60}, content=data)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:impasto:problem:failed")
    job = client.get(answer.headers["location"])
    assert job.json()["error"]["detail"]
    for text in (answer.text, job.text):
        assert str(studio.library.folder) not in text
        assert studio.library.folder.name not in text
    assert client.get("/v1/ready").status_code == 200


def test_a_photo_that_no_job_takes_is_not_kept(studio: HttpStudio, client: httpx.Client) -> None:
    before = len(list(studio.library.files.iterdir()))
    assert client.post("/v1/paint/photo?style=nothing", content=photo()).status_code == 422
    assert client.post("/v1/paint/photo?style=../../x", content=photo()).status_code == 422
    assert client.post("/v1/paint/photo?style=negative&strength=nan", content=photo()).status_code == 422
    assert client.post("/v1/paint/photo?style=negative&files=x", content=photo()).status_code == 422
    assert len(list(studio.library.files.iterdir())) == before


def test_a_full_queue_is_told_and_keeps_no_photo(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = Limits(**UNHURRIED, queued=2)
    with serving(tmp_path_factory.mktemp("studio"), limits) as studio, studio.client() as client:
        answers = [client.post("/v1/paint/photo?style=negative&wait=0", content=photo()) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].json()["type"] == "urn:impasto:problem:queue-full"
        assert int(answers[2].headers["retry-after"]) > 0
        assert len(list(studio.library.files.iterdir())) == 2


def test_an_unknown_name_in_settings_is_answered_with_the_nearest_one(client: httpx.Client) -> None:
    photo_of = "/v1/paint/photo?style="
    answers = {
        "There is no style negatif; did you mean 'negative'?": client.post(f"{photo_of}negatif", content=photo()),
        "There is no style nois; did you mean 'noise'?": client.post("/v1/generate", json={"style": "nois"}),
        "There is no recipe 'dcgan-46'; did you mean 'dcgan-64'?": client.post(
            "/v1/train", json={"paintings": ["0" * 32], "recipe": "dcgan-46"}
        ),
        f"There is no file {'0' * 32}.": client.post("/v1/train", json={"paintings": ["0" * 32], "recipe": "dcgan-64"}),
    }
    for detail, answer in answers.items():
        found = answer.json()
        assert (answer.status_code, found["type"], found["detail"]) == (422, "urn:impasto:problem:invalid", detail)
    in_address = client.get("/v1/styles/nois/example")
    assert (in_address.status_code, in_address.json()["detail"]) == (
        404,
        "There is no style nois; did you mean 'noise'?",
    )


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/generate", {"style": "noise", "count": 2}, 202),
        ("/v1/generate", {"style": "noise", "count": 0}, 422),
        ("/v1/generate", {"style": "nothing"}, 422),
        ("/v1/generate", {"style": "noise", "show": "mixtures"}, 422),
        ("/v1/generate", {"style": "noise", "show": "nearest"}, 422),
        ("/v1/paint", {"files": ["../../etc/passwd"]}, 422),
        ("/v1/paint", {"files": ["0" * 32], "style": "negative"}, 422),
        ("/v1/paint", {"files": ["http://evil.example/a.jpg"]}, 422),
        ("/v1/styles/pull", {"repository": "http://169.254.169.254/latest", "name": "a"}, 422),
        ("/v1/styles/pull", {"repository": "../../x", "name": "a"}, 422),
        ("/v1/styles/import", {"file": "/etc/passwd", "name": "a"}, 422),
        ("/v1/styles/import", {"file": "0" * 32, "name": "../a"}, 422),
        ("/v1/train", {"paintings": ["0" * 32], "recipe": "/etc/passwd", "budget": "1m"}, 422),
        ("/v1/train", {"paintings": ["0" * 32], "recipe": "dcgan-64", "settings": ["size=99999999999"]}, 422),
        ("/v1/explore", {"paintings": []}, 422),
        ("/v1/evaluate", {"against": ["0" * 32]}, 422),
    ],
)
def test_settings_name_no_path_and_no_address(
    client: httpx.Client, path: str, body: dict[str, object], status: int
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    if status == 202:
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
