"""The client against a real server with tiny styles, and against the OpenAPI document."""

import inspect
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import impasto
from fixtures.http_studio import HttpStudio, serving
from impasto.errors import ImpastoError
from impasto.inference.sampler import Sampler
from impasto.serving import client as client_module
from impasto.serving.answers import Job
from impasto.serving.client import Client
from impasto.serving.limits import Limits
from impasto.serving.transport import StudioError, Transport, UnreachableError

Call = tuple[str, str, frozenset[str], frozenset[str]]


class Recorded(Transport):
    """Sends requests, and records their method, path, and names of parameters and settings."""

    calls: set[Call]

    @contextmanager
    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        file: Path | None = None,
        timeout: float | None = None,
    ) -> Iterator[HTTPResponse]:
        Recorded.calls.add((method, path, frozenset(query or ()), frozenset(body or ())))
        with super().send(method, path, query=query, body=body, file=file, timeout=timeout) as response:
            yield response


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    limits = Limits(upload_bytes=5_000_000, requests=100_000)
    with serving(tmp_path_factory.mktemp("studio"), limits, token="token-of-the-tests", work=True) as found:
        yield found


@pytest.fixture(scope="module")
def studio(running: HttpStudio) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        Recorded.calls = set()
        patch.setattr(client_module, "Transport", Recorded)
        yield Client(f"{running.address}/?token={running.token}")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_one_photo_is_painted_into_a_file_or_a_folder(studio: Client, photo: Path, tmp_path: Path) -> None:
    (out,) = studio.paint(photo, tmp_path / "negative.png", style="negative")
    assert out == tmp_path / "negative.png"
    assert np.abs(255 - pixels(photo).astype(int) - pixels(out)).max() <= 1
    (same,) = studio.paint(photo, tmp_path / "same.png", style="negative", strength=0.0)
    assert np.array_equal(pixels(same), pixels(photo))
    (jpeg,) = studio.paint(photo, tmp_path / "negative.jpg", style="negative")
    assert jpeg.read_bytes()[:2] == b"\xff\xd8"
    folder = tmp_path / "painted"
    assert studio.paint(photo, folder, style="negative") == [folder / "photo.png"]
    assert studio.paint(photo, folder, style="negative") == [folder / "photo-2.png"]
    with pytest.raises(ImpastoError, match="exists"):
        studio.paint(photo, out, style="negative")


def test_several_files_are_painted_as_a_job_with_progress(studio: Client, photo: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as archive:
        archive.write(photo, "beach.png")
        archive.write(photo, "sea.png")
    seen = list[Job]()
    painted = studio.paint([photo, tmp_path / "holiday.zip"], tmp_path / "out", style="negative", progress=seen.append)
    assert sorted(path.name for path in painted) == ["beach.png", "photo.png", "sea.png"]
    assert np.array_equal(pixels(painted[0]), pixels(painted[2]))
    assert seen[-1].state == "done" and (seen[-1].done, seen[-1].total) == (3, 3)
    assert len(set(map(str, seen))) == len(seen), "a state was reported twice"
    (packed,) = studio.paint([tmp_path / "holiday.zip"], tmp_path / "painted.zip", style="negative")
    assert sorted(zipfile.ZipFile(packed).namelist()) == ["beach.png", "sea.png"]
    with pytest.raises(ImpastoError, match="one image, and there are 2"):
        studio.paint([photo, photo], tmp_path / "one.png", style="negative")


def test_a_photo_that_takes_longer_is_waited_for(
    studio: Client, running: HttpStudio, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Transport.send
    monkeypatch.setattr(
        Transport, "send", lambda self, *a, query=None, **k: send(self, *a, query=query and {**query, "wait": 0}, **k)
    )
    (out,) = studio.paint(photo, tmp_path / "late.png", style="negative")
    assert np.abs(255 - pixels(photo).astype(int) - pixels(out)).max() <= 1


def test_files_in_the_studio_are_used_again_and_folders_are_read(studio: Client, photo: Path, tmp_path: Path) -> None:
    uploaded = studio.upload(photo, "renamed.png")
    assert uploaded.name == "renamed.png" and uploaded.bytes == photo.stat().st_size
    assert studio.download(uploaded, tmp_path / "back.png").read_bytes() == photo.read_bytes()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.png").write_bytes(photo.read_bytes())
    (tmp_path / "folder/.hidden").write_text("no photo")
    painted = studio.paint([uploaded, tmp_path / "folder"], tmp_path / "both", style="negative")
    assert sorted(path.name for path in painted) == ["a.png", "renamed.png"]


def test_paintings_are_generated_as_by_the_command(studio: Client, running: HttpStudio, tmp_path: Path) -> None:
    made = studio.generate("noise", tmp_path / "made", count=3, seed=5, start=2)
    assert [path.name for path in made] == [f"noise-5-0000{number}.png" for number in (2, 3, 4)]
    sampler = impasto.load(str(running.library.styles / "noise.safetensors"))
    assert isinstance(sampler, Sampler)
    assert np.array_equal(pixels(made[1]), np.asarray(sampler.generate(1, seed=5, start=3)[0]))


def test_a_film_of_chosen_images_is_saved(studio: Client, tmp_path: Path) -> None:
    (film,) = studio.generate("noise", tmp_path, show="film", images=range(7, 4, -1), seconds=0.1)
    assert film.name == "noise-0-00007-film.mp4" and studio.jobs(kind="generate")[0].settings["images"] == [7, 6, 5]


def test_a_training_is_queued_paused_resumed_and_cancelled(studio: Client, photo: Path) -> None:
    job = studio.train(photo, recipe="dcgan-64", budget="2steps", settings=["size=16"], name="small")
    assert job.state == "queued" and job.settings["settings"] == ["size=16"]
    assert studio.pause(job).state == "paused"
    assert studio.wait(job).state == "paused"
    assert studio.resume(job.id).state == "queued"
    assert [run.name for run in studio.runs()] == ["small"] and studio.run(job.id).steps is None
    assert [each.id for each in studio.jobs(state=["queued"], kind="train")] == [job.id]
    assert studio.cancel(job).state == "cancelled"
    with pytest.raises(StudioError, match="cancelled"):
        studio.wait(job)


@pytest.mark.long
def test_reports_are_saved(studio: Client, photo: Path, tmp_path: Path) -> None:
    for number in range(8):
        Image.open(photo).rotate(45 * number).save(tmp_path / f"{number}.png")
    paintings = sorted(tmp_path.glob("?.png"))
    job = studio.explore(paintings, out=tmp_path / "exploration.html", recipe="dcgan-64")
    assert job.outcome and job.outcome["recommendations"]
    assert "<html" in (tmp_path / "exploration.html").read_text()


def test_refusals_carry_the_detail_of_the_problem(studio: Client, running: HttpStudio, photo: Path) -> None:
    with pytest.raises(StudioError, match=r"^There is no style nobody[:;].*negative") as refused:
        studio.paint(photo, photo.with_name("out.png"), style="nobody")
    assert refused.value.status == 422
    with pytest.raises(StudioError, match="strength") as invalid:
        studio.paint(photo, photo.with_name("out.png"), style="negative", strength=7)
    assert invalid.value.status == 422
    with pytest.raises(StudioError, match="address that it printed") as locked:
        Client(running.address, "wrong").styles()
    assert locked.value.status == 401
    text = photo.with_name("text.png")
    text.write_text("no image")
    with pytest.raises(StudioError, match=r"text\.png"):
        studio.paint([text, text], photo.with_name("folder"), style="negative")
    with pytest.raises(StudioError, match="either a style or files"):
        studio.evaluate(against=photo)
    with text.open("wb") as file:
        file.truncate(30_000_000)
    with pytest.raises(StudioError, match="more than 5,000,000 bytes"):
        studio.upload(text)
    with pytest.raises(ImpastoError, match="is no file"):
        studio.upload(photo.with_name("absent.png"))


def test_all_results_of_a_large_job_are_downloaded(
    studio: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PAGE", 4)
    made = studio.generate("noise", tmp_path / "made", count=14)
    assert [path.name for path in made] == [f"noise-0-{number:05d}.png" for number in range(14)]


def test_names_from_the_studio_are_never_paths(studio: Client, running: HttpStudio, tmp_path: Path) -> None:
    job = studio.job(studio.jobs(kind="generate")[-1])
    hostile = [
        file.model_copy(update={"name": name})
        for file, name in zip(job.results, ["../a.png", "C:\\b.png", ".."], strict=True)
    ]
    saved = studio.download_all(job.model_copy(update={"results": hostile}), tmp_path / "inside")
    assert [path.name for path in saved] == ["a.png", "b.png", "file"]
    assert {path.parent for path in saved} == {tmp_path / "inside"}


def test_a_job_is_looked_at_where_events_do_not_pass_and_a_restart_is_waited_for(
    studio: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter(["queued", UnreachableError("restarts"), "running", "running", "done"])
    job = studio.jobs(kind="generate")[0]

    def silent(self: Transport, path: str, *, silence: float) -> Iterator[Any]:
        raise UnreachableError("silent")

    def look(self: Transport, method: str, path: str) -> Any:
        state = next(states)
        if isinstance(state, Exception):
            raise state
        return job.model_dump(mode="json") | {"state": state}

    monkeypatch.setattr(Transport, "events", silent)
    monkeypatch.setattr(Transport, "call", look)
    monkeypatch.setattr(client_module, "LOOK_EVERY", 0.0)
    assert [each.state for each in studio.follow(job)] == ["queued", "running", "done"]
    states = iter([UnreachableError("gone")] * 9)
    with pytest.raises(UnreachableError, match="gone"):
        studio.wait(job)


def test_every_call_and_name_is_in_the_openapi_document(studio: Client, photo: Path) -> None:
    """Runs last: the other tests made the calls."""
    public = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    with pytest.raises(ImpastoError):
        studio.evaluate(photo, against=photo, out=photo)  # of one image there are no scores
    assert studio.styles()
    document = studio._http.call("GET", "/v1/openapi.json")
    calls = {call for call in Recorded.calls if call[1] != "/v1/openapi.json"}
    used = set()
    for method, path, query, settings in calls:
        template = next(
            each for each in document["paths"]
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path) and method.lower() in document["paths"][each]
        )  # fmt: skip
        operation = document["paths"][template][method.lower()]
        used.add(operation["operationId"])
        assert query <= {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}, path
        if settings:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            assert settings <= set(document["components"]["schemas"][reference.rpartition("/")[2]]["properties"]), path
    assert len(used) >= len(public - {"wait", "follow", "download_all"}), sorted(used)


def test_the_client_needs_neither_the_extra_nor_torch_and_is_a_class() -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("fastapi", "sqlalchemy", "starlette", "uvicorn", "alembic", "torch", "cv2"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import impasto
assert isinstance(impasto.Client("localhost:1"), impasto.Client)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
