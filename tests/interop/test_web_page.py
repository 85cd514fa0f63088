"""The exported page paints in a real browser what ONNX Runtime paints in Python, and asks no other host."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from fixtures.noise_style import style as noise_style
from fixtures.untrained import untrained
from impasto.errors import ImpastoError
from impasto.interop.web_page import VERSION, export_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: The npm package of the runtime, which has 60 MB.
RUNTIME = Path(os.environ.get("IMPASTO_ONNXRUNTIME_WEB", f"onnxruntime-web-{VERSION}.tgz"))


def test_an_absent_or_another_runtime_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=rf"absent.*: run npm pack onnxruntime-web@{VERSION}"):
        export_page("monet", tmp_path / "page", runtime=tmp_path / "none.tgz")
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(ImpastoError, match=f"is not onnxruntime-web {VERSION}"):
        export_page("monet", tmp_path / "page", runtime=tmp_path / "other.tgz")
    assert not (tmp_path / "page").exists()


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if CHROMIUM is None or not RUNTIME.is_file():
        pytest.skip(f"needs a Chromium, and {RUNTIME} (or its path in IMPASTO_ONNXRUNTIME_WEB): npm pack downloads it")
    folder = tmp_path_factory.mktemp("web")
    untrained("cnn").save(folder / "style.safetensors")
    export_page(folder / "style.safetensors", folder / "page", runtime=RUNTIME)
    return folder / "page"


@pytest.fixture
def page(page_folder: Path) -> Iterator[Page]:
    """A page whose console stays free of errors, and which makes requests to its own server only."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(page_folder))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        page, problems, requests = browser.new_page(viewport={"width": 400, "height": 800}), list[str](), list[str]()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(url)
        yield page
        server.shutdown()
    assert problems == []
    assert [url_ for url_ in requests if not url_.startswith((url, "blob:"))] == []


@pytest.mark.long
def test_the_page_paints_the_pixels_of_onnx_runtime_and_names_a_bad_file(
    page: Page, page_folder: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    photo = Image.fromarray(pixels).resize((96, 72), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "photo.png")
    chooser = page.get_by_label("Drop a photo here: choose files")
    chooser.set_input_files(tmp_path / "photo.png")
    with page.expect_download(timeout=120_000) as download:
        page.get_by_role("link", name="Save PNG").click(timeout=120_000)
    assert download.value.suggested_filename == "photo-painted.png"
    download.value.save_as(tmp_path / "painted.png")
    painted = np.asarray(Image.open(tmp_path / "painted.png").convert("RGB"), np.float32)
    session = onnxruntime.InferenceSession(page_folder / "model.onnx", providers=["CPUExecutionProvider"])
    given = np.asarray(photo, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
    expected = (session.run(None, {"photos": given})[0][0].transpose(1, 2, 0).clip(-1, 1) + 1) * 127.5
    assert np.abs(painted - expected).max() <= 1
    slider = page.get_by_role("slider", name="Boundary between photo and painting")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "52")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400

    (tmp_path / "bad.png").write_text("no image")
    chooser.set_input_files(tmp_path / "bad.png")
    expect(page.get_by_role("alert")).to_contain_text("bad.png is no image that this browser can show")


def test_a_style_that_generates_from_noise_gets_no_page(tmp_path: Path) -> None:
    if not RUNTIME.is_file():
        pytest.skip(f"needs {RUNTIME}")
    noise_style().save(tmp_path / "noise.safetensors")
    with pytest.raises(ImpastoError, match="paints no photos"):
        export_page(tmp_path / "noise.safetensors", tmp_path / "page", runtime=RUNTIME)
