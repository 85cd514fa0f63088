"""Photos are never overwritten by their paintings."""

import zipfile
from pathlib import Path

import pytest
from PIL import Image

from impasto.errors import ImpastoError
from impasto.inference.photo_sources import open_photos


def test_an_output_that_contains_the_photos_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    for photos in (tmp_path, tmp_path / "a.png"):
        with pytest.raises(ImpastoError, match="not overwritten"), open_photos([photos], tmp_path):
            pass
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
    photos = tmp_path / "photos.zip"
    with pytest.raises(ImpastoError, match="not overwritten"), open_photos([photos], photos):
        pass
