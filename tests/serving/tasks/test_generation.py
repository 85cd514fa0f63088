"""Images from noise are those of ``impasto.generate``, also by a worker that takes over."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import impasto
from fixtures.store import Store, open_store, photo
from fixtures.videos import read_video
from impasto.api.generate import NEAREST, RATE
from impasto.inference.latents import truncated
from impasto.inference.sampler import Sampler
from impasto.inference.settings_metadata import read_settings
from impasto.serving.tasks.generation import SIDE
from impasto.serving.worker import Worker


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("studio"))
    yield opened
    opened.library.database.close()


@pytest.fixture(scope="module")
def sampler(store: Store) -> Sampler:
    loaded = impasto.load(store.library.styles / "noise.safetensors", device="cpu")
    assert isinstance(loaded, Sampler)
    return loaded


def test_an_image_is_that_of_its_seed_and_number(store: Store, sampler: Sampler) -> None:
    job = store.work("generate", style="noise", count=3, seed=7, start=15, truncation=1.5)
    results = store.results(job)
    assert (job.state, job.done, job.total, job.unit) == ("done", 3, 3, "images")
    expected = sampler.generate(3, seed=7, start=15, truncation=1.5)
    for number, (file, image) in enumerate(zip(results, expected, strict=True), 15):
        assert (store.pixels(file) == np.asarray(image)).all()
        assert (file.name, file.width, file.height) == (f"noise-7-{number:05d}.png", 16, 16)
        made = {"style": "noise", "seed": 7, "number": number, "truncation": 1.5}
        assert file.settings == read_settings(store.library.path(file).read_bytes()) == made


def test_a_worker_that_takes_over_leaves_no_image_twice(store: Store) -> None:
    job = store.begin("generate", style="noise", count=3)
    first = store.claim(worker="first")
    for name in ("noise-0-00000.png", "noise-0-00001.png"):
        data = store.library.work / "a.part"
        data.write_bytes(photo())
        store.library.add(name, data, kind="result", job=first)
    store.queue.release("first")
    files = len(list(store.library.files.iterdir()))
    Worker(store.queue, store.library, "paint", "cpu").do(store.claim())
    assert [file.name for file in store.results(job)] == [f"noise-0-{number:05d}.png" for number in range(3)]
    assert len(list(store.library.files.iterdir())) == files + 1


def test_neighbours_surround_an_image(store: Store, sampler: Sampler) -> None:
    results = store.results(store.work("generate", style="noise", show="neighbours", seed=3, start=5))
    (centre,) = sampler.generate(1, seed=3, start=5)
    images = [store.pixels(file) for file in results]
    assert len(images) == SIDE**2
    assert (images[len(images) // 2] == np.asarray(centre)).all()
    assert len({image.tobytes() for image in images}) > SIDE
    assert {(file.settings or {})["show"] for file in results} == {"neighbours"}


def test_mixtures_need_a_style_that_mixes_and_a_second_image(store: Store) -> None:
    job = store.work("generate", style="noise", show="mixtures", second=1)
    assert job.state == "failed" and "style mixing" in (job.error or "")
    with pytest.raises(ValueError, match="second image"):
        store.begin("generate", style="noise", show="mixtures")
    job = store.work("generate", style="negative")
    assert job.state == "failed" and "cannot generate" in (job.error or "")


def test_a_film_is_a_loop_from_image_to_image(store: Store, sampler: Sampler) -> None:
    job = store.work("generate", style="noise", show="film", count=2, seconds=0.1)
    (film,) = store.results(job)
    frames, times = read_video(store.library.path(film))
    assert len(frames) == 6 == job.done and times[1] == pytest.approx(1 / RATE, abs=0.01)
    assert (film.media, film.width, film.height) == ("video/mp4", 16, 16)
    first = next(sampler.from_latents([truncated(sampler.latent(0, 0), None)]))
    assert np.abs(frames[0].astype(int) - first.astype(int)).mean() < 40  # chroma is halved
    with pytest.raises(ValidationError, match="a film of 1,800,000 frames is too long"):
        store.begin("generate", style="noise", show="film", count=1000, seconds=60)


def test_a_film_goes_through_chosen_images_in_their_order(store: Store, sampler: Sampler) -> None:
    job = store.work("generate", style="noise", show="film", seed=4, images=[9, 2, 5], seconds=0.1)
    (film,) = store.results(job)
    frames, _ = read_video(store.library.path(film))
    assert len(frames) == 9 == job.total and film.name == "noise-4-00009-film.mp4"
    assert film.settings == {"style": "noise", "show": "film", "seed": 4, "images": [9, 2, 5], "seconds": 0.1}
    expected = [np.asarray(sampler.generate(1, seed=4, start=number)[0]) for number in (9, 2, 5)]
    for index, frame in enumerate(frames[::3]):
        distances = [np.abs(frame.astype(int) - image.astype(int)).mean() for image in expected]
        assert np.argmin(distances) == index


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"show": "images", "images": [1, 2]}, "only a film"),
        ({"show": "film", "images": [1]}, "at least 2"),
        ({"show": "film", "images": list(range(201))}, "at most 200"),
        ({"show": "film", "images": [1, -1]}, "greater than or equal to 0"),
    ],
)
def test_only_films_take_chosen_images(store: Store, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        store.begin("generate", style="noise", **settings)


def test_each_image_is_shown_with_the_nearest_training_images(store: Store, sampler: Sampler) -> None:
    images = [store.upload(f"{number}.png", photo(number, (16, 16))) for number in range(4)]
    job = store.work("generate", style="noise", show="nearest", count=2, against=[file.id for file in images])
    assert job.state == "done" and job.outcome is not None
    results = {file.id: file for file in store.results(job)}
    assert len(job.outcome["nearest"]) == 2
    training = {store.pixels(file).tobytes() for file in images}
    for each in job.outcome["nearest"]:
        assert results[each["image"]].shown and len(each["neighbours"]) == NEAREST
        for neighbour in each["neighbours"]:
            assert not results[neighbour].shown
            assert store.pixels(results[neighbour]).tobytes() in training
    with pytest.raises(ValueError, match="training images"):
        store.begin("generate", style="noise", show="nearest")
