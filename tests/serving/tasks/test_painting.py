"""Photos, zips and films are painted by a worker as the pipeline paints them; what cannot be painted is named."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.decoder_style import style as decoder_style
from fixtures.store import STYLES, Store, open_store, photo
from fixtures.videos import read_video, scene, write_video
from impasto.inference.settings_metadata import read_settings
from impasto.serving.tables import Job
from impasto.serving.tasks import TASKS
from impasto.serving.tasks.painting import MAX_LISTED, PREVIEW, PREVIEW_PRIORITY
from impasto.serving.worker import Worker


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("studio"), styles=STYLES | {"moods": decoder_style})
    yield opened
    opened.library.database.close()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return buffer.getvalue()


def pixels_of(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_a_photo_becomes_a_painting_that_holds_its_settings(store: Store) -> None:
    upload = store.upload("holiday.png", photo(size=(600, 500)))
    job = store.work("paint", files=[upload.id], style="negative", strength=0.5)
    assert (job.state, job.done, job.total, job.unit) == ("done", 1, 1, "photos")
    assert job.outcome == {"left_out": [], "left_out_more": 0}
    (painting,) = store.results(job)
    assert (painting.name, painting.media, painting.source) == ("holiday.png", "image/png", upload.id)
    assert (painting.width, painting.height, painting.shown) == (600, 500, True)
    with Image.open(store.library.thumbnail(painting)) as small:
        assert max(small.size) == 480
    made = {"style": "negative", "strength": 0.5}
    assert painting.settings == made | {"photo": "holiday.png"}
    assert read_settings(store.library.path(painting).read_bytes()) == made
    assert np.abs(store.pixels(painting).astype(int) - 127).max() <= 1  # half the photo and half its negative
    assert not (store.library.work / job.id).exists()


def test_zips_are_painted_and_bad_files_are_named(store: Store) -> None:
    good, other = photo(1), photo(2)
    uploads = {
        "a.zip": zipped(b__png=good, notes__txt=b"hello", **{"deep/" * 99 + "c__png": other}),
        "damaged.zip": b"PK\3\4 no",
        "empty.jpg": b"",
        "half.png": good[: len(good) // 2],
        "evil.png": b"<script>alert(1)</script>",
        "nameless": other,
    }
    files = [store.upload(name, data).id for name, data in uploads.items()]
    job = store.work("paint", files=files, style="negative", format="png")
    assert job.state == "done" and job.outcome is not None
    painted = store.results(job)
    assert {file.name for file in painted} == {"b.png", "c.png", "nameless.png"}
    assert (store.pixels(painted[0]) == 255 - pixels_of(good)).all()
    left_out = {each["name"]: each["reason"] for each in job.outcome["left_out"]}
    assert left_out.keys() == {"notes.txt", "damaged.zip", "empty.jpg", "half.png", "evil.png"}
    assert not any(str(store.library.folder) in reason for reason in left_out.values())


def test_a_job_without_any_painting_fails_with_the_first_reason(store: Store) -> None:
    job = store.work("paint", files=[store.upload("bad.jpg", b"no").id], style="negative")
    assert job.state == "failed" and job.outcome is None
    assert (job.error or "").startswith("Nothing could be painted (bad.jpg: ")


def test_many_bad_files_are_counted(store: Store) -> None:
    bad = {f"{number}__png": b"no" for number in range(MAX_LISTED + 3)}
    file = store.upload("a.zip", zipped(good__png=photo(), **bad))
    job = store.work("paint", files=[file.id], style="negative")
    assert job.outcome is not None and job.outcome["left_out_more"] == 3
    assert len(job.outcome["left_out"]) == MAX_LISTED


def test_a_film_is_painted_frame_by_frame(store: Store, tmp_path: Path) -> None:
    frames = [scene(shift) for shift in range(0, 12, 3)]
    film = store.upload("walk.mkv", write_video(tmp_path / "walk.mkv", frames).read_bytes())
    bad = store.upload("bad.mp4", b"no film")
    job = store.work("paint", files=[film.id, bad.id], style="negative")
    assert job.state == "done" and job.outcome is not None
    assert [each["name"] for each in job.outcome["left_out"]] == ["bad.mp4"]
    assert str(store.library.folder) not in str(job.outcome)
    (painting,) = store.results(job)
    assert (painting.name, painting.media, painting.width, painting.height) == ("walk.mp4", "video/mp4", 64, 48)
    painted, times = read_video(store.library.path(painting))
    assert len(painted) == 4 and times[1] == pytest.approx(1 / 25)
    assert np.abs(painted[0].astype(int) - (255 - frames[0].astype(int))).mean() < 8


def test_a_preview_is_first_and_small_and_not_in_the_gallery(store: Store) -> None:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((2000, 1000)).save(buffer, "JPEG")
    upload = store.upload("large.jpg", buffer.getvalue())
    job = store.work("paint", files=[upload.id], style="negative", preview=True)
    assert job.priority == PREVIEW_PRIORITY and job.outcome == {"width": 2000, "height": 1000}
    shown, painted = store.results(job)
    assert (shown.name, painted.name, shown.shown or painted.shown) == ("photo.jpg", "preview.jpg", False)
    assert max(painted.width or 0, painted.height or 0) == PREVIEW
    difference = store.pixels(painted).astype(int) - (255 - store.pixels(shown).astype(int))
    assert np.abs(difference).mean() < 3
    assert not {file.id for file in store.library.browse()} & {shown.id, painted.id}


def test_a_preview_of_what_is_no_photo_fails(store: Store) -> None:
    for name, data in (("bad.jpg", b"no"), ("bad.zip", b"no")):
        job = store.work("paint", files=[store.upload(name, data).id], style="negative", preview=True)
        assert job.state == "failed" and job.error is not None
        assert name in job.error and str(store.library.folder) not in job.error


def test_moods_and_references_need_a_style_that_has_them(store: Store) -> None:
    upload, reference = store.upload("a.png", photo()), store.upload("light.png", photo(5))
    for settings in ({"like": [reference.id]}, {"mood": [0]}):
        job = store.work("paint", files=[upload.id], style="negative", **settings)
        assert job.state == "failed" and "no moods" in (job.error or "")
    referred = store.work("paint", files=[upload.id], style="moods", like=[reference.id])
    plain = store.work("paint", files=[upload.id], style="moods")
    assert (referred.state, plain.state) == ("done", "done")
    bad = store.upload("bad.png", b"no")
    job = store.work("paint", files=[upload.id], style="moods", like=[bad.id])
    assert job.state == "failed" and (job.error or "").startswith("bad.png cannot be painted")
    job = store.work("paint", files=[upload.id], style="moods", mood=[10**30])
    assert job.state == "failed" and "mood = " in (job.error or "")


def test_a_job_goes_on_after_the_photos_of_a_worker_that_ended(store: Store) -> None:
    file = store.upload("a.zip", zipped(a__png=photo(1), b__png=photo(2), c__png=photo(3)))
    job = store.begin("paint", files=[file.id], style="negative")
    first = store.claim(worker="first")
    data = store.library.work / "a.part"
    data.write_bytes(b"painted before")
    store.library.add("a.png", data, kind="result", job=first, source=file.id, settings={"photo": "a.png"})
    store.queue.release("first")
    Worker(store.queue, store.library, "paint", "cpu").do(store.claim())
    results = store.results(job)
    assert store.queue.job(job.id).state == "done"
    assert [file.name for file in results] == ["a.png", "b.png", "c.png"]
    assert store.library.path(results[0]).read_bytes() == b"painted before"


def test_small_photos_and_previews_are_light_and_nothing_else(store: Store) -> None:
    def light(*names: str, preview: bool = False) -> bool:
        files = [store.upload(name, b"x") for name in names]
        request = TASKS["paint"].request.model_validate({"files": [file.id for file in files], "preview": preview})
        task = TASKS[request.kind("paint")]
        assert request.priority(task.light(request, files)) == (2 if preview else task.light(request, files))
        return task.light(request, files)

    assert light("a.jpg") and light("a.heic") and light("a.zip", preview=True)
    assert not light("a.jpg", "b.jpg") and not light("a.zip") and not light("a.mp4")


def test_cancelling_ends_between_two_photos(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    file = store.upload("a.zip", zipped(**{f"{number}__png": photo(number) for number in range(5)}))
    job = store.begin("paint", files=[file.id], style="negative")
    worker, cancelled = Worker(store.queue, store.library, "paint", "cpu"), store.claim()
    add = store.library.add

    def first_then_cancel(*arguments: object, **options: object) -> object:
        for context in worker._held.values():
            context.end("cancel")
        return add(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store.library, "add", first_then_cancel)
    worker.do(cancelled)
    ended: Job = store.queue.job(job.id)
    assert (ended.state, ended.message) == ("cancelled", "Cancelled.") and len(store.results(job)) == 1


def test_a_large_photo_reports_its_part_and_can_be_cancelled_within(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.inference.precision.BATCH_PIXELS", 1000)
    monkeypatch.setattr("impasto.inference.tiling.executor.SIDES", (64,))
    monkeypatch.setattr("impasto.serving.tasks.base.REPORT_EVERY", 0)
    file = store.upload("large.png", photo(size=(640, 480)))
    job, parts, report = store.begin("paint", files=[file.id], style="negative"), list[float](), store.queue.report
    worker = Worker(store.queue, store.library, "paint", "cpu")

    def watched(reported: Job, **values: object) -> None:
        report(reported, **values)
        if values.get("part"):
            parts.append(store.queue.job(job.id).part)
        if parts and parts[-1] > 0.4:
            for context in worker._held.values():
                context.end("cancel")

    monkeypatch.setattr(store.queue, "report", watched)
    worker.do(store.claim())
    ended = store.queue.job(job.id)
    assert (ended.state, ended.done, ended.part) == ("cancelled", 0, 0) and not store.results(job)
    assert len(parts) > 10 and parts == sorted(parts) and 0.4 < parts[-1] < 0.5
