"""Trackio with its local database, which is read back."""

import json
import os
import sqlite3
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.logged import IMAGE, LOSSES, create_run, log_everything
from impasto.training.loggers.trackio import TrackioLogger

pytestmark = pytest.mark.skipif(find_spec("trackio") is None, reason="trackio is not installed")


def test_numbers_and_images_are_in_one_run_of_the_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:

    folder = Path(os.environ["TRACKIO_DIR"])  # set by own_cache, since it is read when trackio is imported
    run = create_run(tmp_path)
    log_everything(run, TrackioLogger)
    (database,) = folder.glob("impasto*.db")
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
    connection.close()
    assert {name for name, _, _ in rows} == {run.facts["trackers"]["trackio"]}
    values = [(step, json.loads(metrics)) for _, step, metrics in rows]
    assert {step: metrics["loss"] for step, metrics in values if "loss" in metrics} == LOSSES
    images = sorted(folder.rglob("*.png"))
    assert len(images) == 2
    with Image.open(images[0]) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), IMAGE)
    assert capsys.readouterr().out == ""
    assert not [thread for thread in threading.enumerate() if "batch" in thread.name]
