"""Strokes follow the motion of a video. The paintings here are photos with random strokes, new in every frame."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest

from fixtures.videos import HEIGHT, WIDTH, scene
from impasto.inference.video.temporal import KEY_INTERVAL, TemporalConsistency


def fresh(photo: np.ndarray, seed: int) -> np.ndarray:
    strokes = np.random.default_rng(1000 + seed).normal(0, 20, photo.shape)
    found: np.ndarray = (photo + strokes).clip(0, 255).astype(np.uint8)
    return found


def followed(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    consistency = TemporalConsistency()
    return [consistency.follow(photo, fresh(photo, number)) for number, photo in enumerate(photos)]


def test_strokes_are_stable_in_a_static_scene_with_camera_noise() -> None:
    rng = np.random.default_rng(0)
    photos = [
        (scene() + rng.normal(0, 3, (HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8) for _ in range(KEY_INTERVAL)
    ]
    alone = np.stack([fresh(photo, number) for number, photo in enumerate(photos)]).astype(float)
    together = np.stack(followed(photos)).astype(float)
    assert together.std(0).mean() < 0.25 * alone.std(0).mean()


def test_brightness_is_stable_in_a_static_scene() -> None:
    """However the light of each painting differs; in the long run it is their mean."""
    rng = np.random.default_rng(0)
    photos = [
        (scene() + rng.normal(0, 3, (HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8) for _ in range(8 * KEY_INTERVAL)
    ]
    paintings = [
        (fresh(photo, number).astype(float) + rng.normal(12, 6)).clip(0, 255).astype(np.uint8)
        for number, photo in enumerate(photos)
    ]
    consistency = TemporalConsistency()
    found = [consistency.follow(*pair).mean() for pair in zip(photos, paintings, strict=True)]
    alone = [painting.mean() for painting in paintings]
    assert np.abs(np.diff(found[1:])).mean() < 0.15 * np.abs(np.diff(alone)).mean()
    assert abs(np.mean(found[-KEY_INTERVAL:]) - np.mean(alone)) < 6


def test_strokes_follow_the_motion() -> None:
    found = [painting.astype(float) for painting in followed([scene(2 * number) for number in range(KEY_INTERVAL)])]
    slips = [np.abs(after[8:-8, 8:-10] - before[8:-8, 10:-8]).mean() for before, after in pairwise(found)]
    anew = [fresh(scene(2 * number), number).astype(float) for number in range(2)]
    assert np.mean(slips[1:]) < 0.5 * np.abs(anew[1][8:-8, 8:-10] - anew[0][8:-8, 10:-8]).mean()
    sharp = [cv2.Laplacian(frame, cv2.CV_64F).std() for frame in (found[-1], anew[0])]
    assert sharp[0] > 0.5 * sharp[1]


def test_nothing_of_the_old_scene_remains_after_a_cut() -> None:
    photos = [scene(seed=1)] * 4 + [255 - scene(seed=2)] * 3
    found = followed(photos)
    here = np.abs(photos[4].astype(int) - photos[3]).mean(axis=2) > 60
    assert np.abs(found[4].astype(int) - fresh(photos[4], 4))[here].mean() < 3
    assert np.abs(found[5].astype(int) - found[4]).mean() < 5, "and the new one is held at once"


def test_moving_objects_leave_no_ghosts() -> None:
    ground = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    photos = []
    for number in range(6):
        photos.append(ground.copy())
        photos[-1][16:32, 4 + 8 * number : 20 + 8 * number] = 240
    consistency = TemporalConsistency()
    found = [consistency.follow(photo, photo) for photo in photos]
    for photo, painting in zip(photos, found, strict=True):
        assert np.abs(painting.astype(int) - photo).max() < 100
        assert np.abs(painting.astype(int) - photo).mean() < 3


@pytest.mark.parametrize("step", [0.05, 0.3, 0.9, 3.0])
def test_a_slowly_darkening_scene_darkens_in_its_painting(step: float) -> None:
    photos = [
        (scene() * 0.5 + 120 - step * number).clip(0, 255).astype(np.uint8) for number in range(10 * KEY_INTERVAL)
    ]
    found = followed(photos)
    for number in range(0, len(found), KEY_INTERVAL):
        there = photos[number] > 30  # where the strokes here are not cut off at black
        assert there.mean() < 0.5 or abs(found[number][there].mean() - photos[number][there].mean()) < 3
