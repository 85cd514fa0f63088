"""TensorBoard event files, read by TensorBoard itself."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fixtures.logged import IMAGE, LOSSES, create_run, log_everything
from impasto.files import DiskFullError
from impasto.training.callbacks import Estimate
from impasto.training.loggers.tensorboard import EventFile, TensorBoardLogger


def test_tensorboard_shows_scalars_and_images_without_those_before_a_rollback(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    log_everything(run, TensorBoardLogger)
    shown = EventAccumulator(str(run.tensorboard))
    shown.Reload()
    assert {each.step: each.value for each in shown.Scalars("loss")} == LOSSES
    assert [each.step for each in shown.Scalars("loss")] == list(LOSSES)
    images = shown.Images("samples")
    assert [(each.step, each.height, each.width) for each in images] == [(0, 24, 32), (4, 24, 32)]
    decoded = np.asarray(Image.open(io.BytesIO(images[0].encoded_image_string))).astype(int)
    assert np.abs(decoded - IMAGE).mean() < 3  # JPEG


def test_a_full_disk_raises_in_the_calling_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFile, "add", full)
    logger = TensorBoardLogger(create_run(tmp_path))
    with pytest.raises(DiskFullError, match="disk is full"):
        logger.on_rows([{"step": 1, "loss": 1.0}], Estimate())
    logger.close()
