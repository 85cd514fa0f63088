"""Images are scored by a worker as ``impasto evaluate`` scores them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.noise_images import write_image_set
from fixtures.store import Store, open_store
from impasto.serving.tasks import TASKS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("studio"))
    yield opened
    opened.library.database.close()


def test_images_are_scored_with_a_report(store: Store, tmp_path: Path) -> None:
    images = sorted(path for path in write_image_set(tmp_path).glob("*.png"))
    uploads = [store.upload(path.name, path.read_bytes()).id for path in images]
    half = len(uploads) // 2
    job = store.work("evaluate", files=uploads[:half], against=uploads[half:])
    assert job.state == "done" and job.outcome is not None, job.error
    assert job.outcome["verdict"] and all({"label", "value", "detail"} == each.keys() for each in job.outcome["scores"])
    (report,) = store.results(job)
    text = store.library.path(report).read_text(encoding="utf-8")
    assert report.media == "text/html" and "<html" in text
    for shown in (text, str(job.outcome)):
        assert str(store.library.folder) not in shown


def test_either_a_style_or_images_are_scored() -> None:
    request, files = TASKS["evaluate"].request, ["0" * 32]
    for settings in ({"style": "monet", "files": files}, {}):
        with pytest.raises(ValueError, match="either a style or files"):
            request.model_validate(settings | {"against": files})
