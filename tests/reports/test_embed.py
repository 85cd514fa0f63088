"""Images and figures are embedded in pages; templates escape everything."""

import base64
import io

import jinja2
import pytest
from matplotlib.figure import Figure
from PIL import Image

from impasto.reports.embed import drawing, jpeg, lossless, render


def test_a_jpeg_has_at_most_the_given_side_and_states_its_size() -> None:
    found = jpeg(Image.new("RGB", (300, 100), "red"), 60)
    with Image.open(io.BytesIO(found.content)) as image:
        assert image.format == "JPEG" and image.size == (found.width, found.height) == (60, 20)
    assert found.uri == f"data:image/jpeg;base64,{base64.b64encode(found.content).decode()}"


def test_png_keeps_every_pixel() -> None:
    image = Image.effect_noise((20, 10), 90).convert("RGB")
    with Image.open(io.BytesIO(lossless(image).content)) as again:
        assert again.tobytes() == image.tobytes()


def test_a_figure_is_drawn_once_for_each_theme() -> None:
    themes = []
    found = drawing(lambda theme: themes.append(theme.paper) or Figure((2, 1), facecolor=theme.paper))  # type: ignore[func-returns-value]
    assert len(set(themes)) == 2 and found.light.uri != found.dark.uri


def test_a_missing_value_of_a_template_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("evaluation.html")
