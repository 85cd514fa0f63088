"""The page of the studio in a real browser: what people do, by mouse and by keyboard, on a desk and on a phone."""

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fixtures import decoder_style, invented_runs
from fixtures.parameters import mostly_long
from fixtures.studio_process import Studio, running_studio, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VIEWS = ("paint", "generate", "learn", "gallery")

expect.set_options(timeout=60_000)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, impasto_command: list[str]) -> Iterator[Studio]:
    with running_studio(impasto_command, tmp_path_factory.mktemp("page") / "studio") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, studio: Studio) -> Iterator[Page]:
    """A page whose console must stay free of errors: a violated policy is one."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    page, problems = context.new_page(), list[str]()
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    outside = list[str]()
    page.on("request", lambda request: outside.append(request.url))
    page.set_default_timeout(60_000)
    yield page
    context.close()
    assert [text for text in problems if not text.startswith("Failed to load resource")] == []
    assert [url for url in outside if not url.startswith((studio.url, "blob:"))] == []


def photo(number: int, width: int = 96, height: int = 64) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def choose(page: Page, label: str, *files: tuple[str, bytes, str]) -> None:
    """Choose files with the input of that label."""
    given: list[Any] = [{"name": name, "mimeType": kind, "buffer": data} for name, data, kind in files]
    page.get_by_label(label).set_input_files(given)


def zipped(count: int, side: int) -> bytes:
    """Return a zip of square photos."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for number in range(count):
            target.writestr(f"{number:04d}.png", photo(number, side, side))
    return archive.getvalue()


def choose_style(page: Page, name: str) -> None:
    page.locator(f"input[type=radio][value={name}]").check(force=True)


def test_a_photo_is_previewed_painted_compared_and_downloaded(page: Page, studio: Studio, tmp_path: Path) -> None:
    page.goto(f"{studio.url}/#paint")
    expect(page.locator("input[type=radio][value=monet]")).to_be_checked()
    choose_style(page, "negative")
    choose(page, "Drop photos, zips or films here: choose files", ("sea.png", photo(1), "image/png"))
    expect(page.get_by_text("Preview at screen size")).to_be_visible()
    slider = page.get_by_role("slider", name="Boundary between photo and painting")
    slider.focus()
    before = int(slider.get_attribute("aria-valuenow") or 0)
    slider.press("ArrowRight")
    assert int(slider.get_attribute("aria-valuenow") or 0) == before + 2
    page.get_by_role("button", name="Paint 1 file").click()
    results = page.get_by_role("region", name="Paintings")
    with page.expect_download() as download:
        results.get_by_role("link", name="Download sea.png").first.click()
    download.value.save_as(tmp_path / "painted.png")
    painted, original = np.asarray(Image.open(tmp_path / "painted.png")), np.asarray(Image.open(io.BytesIO(photo(1))))
    assert np.abs(painted.astype(int) + original.astype(int) - 255).max() <= 2  # this style makes negatives

    # A painting brings its settings back.
    page.reload()
    choose_style(page, "monet")
    choose(
        page,
        "Drop photos, zips or films here: choose files",
        ("painted.png", (tmp_path / "painted.png").read_bytes(), "image/png"),
    )
    expect(page.get_by_text("The settings are now those of painted.png")).to_be_visible()
    expect(page.locator("input[type=radio][value=negative]")).to_be_checked()


@pytest.mark.long
def test_many_photos_are_cancelled_and_a_bad_file_is_named(page: Page, studio: Studio) -> None:
    page.goto(f"{studio.url}/#paint")
    choose_style(page, "negative")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for number in range(3000):
            target.writestr(f"{number:04d}.png", photo(0, 16, 16))
    choose(page, "Drop photos, zips or films here: choose files", ("many.zip", archive.getvalue(), "application/zip"))
    page.get_by_role("button", name="Paint 1 file").click()
    results = page.get_by_role("region", name="Paintings")
    results.get_by_role("button", name="Cancel").first.click()
    expect(results.get_by_text("Cancelled").first).to_be_visible()
    page.get_by_role("button", name="Remove many.zip").click()
    choose(page, "Drop photos, zips or films here: choose files", ("bad.png", b"no image", "image/png"))
    page.get_by_role("button", name="Paint 1 file").click()
    expect(results.get_by_text("bad.png").first).to_be_visible()


def test_images_are_generated_marked_and_found_again(page: Page, studio: Studio) -> None:
    page.goto(f"{studio.url}/#generate")
    choose_style(page, "noise")
    page.get_by_label("Number of images").fill("4")
    page.get_by_role("button", name="Generate", exact=True).click()
    images = page.get_by_role("region", name="Images")
    expect(images.get_by_role("img")).to_have_count(4)
    images.get_by_role("button", name="Favourite").first.click()
    wait_for(lambda: len(studio.get("/v1/files?favourite=true")["files"]) == 1)
    page.goto(f"{studio.url}/#gallery")
    page.get_by_label("Favourites only").check()
    expect(page.get_by_role("main").get_by_role("img")).to_have_count(1)
    page.get_by_role("button", name="noise, number 0").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("noise")
    dialog.press("Escape")
    expect(dialog).to_be_hidden()


def test_several_moods_are_mixed_and_restored(page: Page, studio: Studio) -> None:
    decoder_style.style().save(studio.folder / "styles" / "moods.safetensors")
    shutil.copy(studio.folder / "examples" / "monet.jpg", studio.folder / "examples" / "moods.jpg")
    page.goto(f"{studio.url}/#paint")
    choose_style(page, "moods")
    page.get_by_text("Light and palette", exact=True).click()
    mood = page.get_by_role("textbox", name="Mood")
    mood.fill("3 5")
    problem = page.get_by_text("The mood 5 is not a number from 0 to 4.")
    expect(problem).to_be_visible()
    choose(page, "Drop photos, zips or films here: choose files", ("several.png", photo(2), "image/png"))
    page.get_by_role("button", name="Paint 1 file").click()
    expect(problem).to_have_count(2)  # it is not painted
    mood.fill("3, 1")
    page.get_by_role("button", name="Paint 1 file").click()
    result = page.get_by_role("region", name="Paintings").get_by_role("link", name="Download several.png").first
    address = str(result.get_attribute("href"))
    assert studio.get(address.replace("content?download=true", "settings"))["mood"] == [3, 1]
    mood.fill("")
    painted = ("painted.png", studio.request(address), "image/png")
    choose(page, "Drop photos, zips or films here: choose files", painted)
    expect(mood).to_have_value("3 1")


def test_a_film_of_chosen_images_is_made_with_the_keyboard(page: Page, studio: Studio) -> None:
    for seed in (11, 12):
        studio.finish(studio.post("/v1/generate", style="noise", count=13, seed=seed))
    page.goto(f"{studio.url}/#generate")
    page.get_by_label("Seconds between images").fill("0.5")
    page.get_by_role("button", name="Film of chosen images").press("Enter")
    make = page.get_by_role("button", name="Make the film")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    pictures = page.locator(".picture")  # those of seed 12, then of seed 11
    pictures.nth(2).press("Enter")  # number 3: the newest 12 are shown
    page.get_by_role("button", name="Show all 13").first.click()
    expect(pictures.nth(3)).to_have_attribute("aria-pressed", "true")
    for index in (0, 1):
        pictures.nth(index).press("Enter")
    pictures.nth(1).press("Space")
    expect(pictures.nth(1)).to_have_attribute("aria-pressed", "false")
    pictures.nth(13).click()
    expect(page.get_by_text("All images need the same style, seed and truncation")).to_be_visible()
    expect(page.get_by_text("The film goes through 3, 0.")).to_be_visible()
    make.press("Enter")
    expect(make).to_be_hidden()
    expect(page.get_by_role("button", name="Film of chosen images")).to_be_focused()
    job = studio.finish(studio.get("/v1/jobs?kind=generate&limit=1")["jobs"][0])
    assert (job["settings"]["seed"], job["settings"]["images"]) == (12, [3, 0])
    page.get_by_role("button", name="noise-12-00003-film.mp4").click()
    expect(page.get_by_role("dialog").locator("video")).to_be_visible()


@pytest.mark.long
def test_a_style_is_evaluated(page: Page, studio: Studio) -> None:
    page.goto(f"{studio.url}/#gallery/styles")
    page.get_by_role("button", name="Evaluate: negative").click()
    dialog = page.get_by_role("dialog")
    choose(page, "Real paintings: choose files", ("real.zip", zipped(8, 32), "application/zip"))
    expect(dialog.get_by_text("real.zip, ")).to_be_visible()
    dialog.get_by_role("button", name="Evaluate").click()
    expect(dialog.get_by_text("negative needs photos: add them too.")).to_be_visible()
    dialog.press("Escape")
    page.get_by_role("button", name="Evaluate: noise").click()
    expect(dialog.get_by_text("real.zip, ")).to_be_visible()  # the choice is remembered
    expect(dialog.get_by_text("Source")).to_have_count(0)
    dialog.get_by_label("Number of images").fill("6")
    dialog.get_by_role("button", name="Evaluate").click()
    expect(dialog).to_be_hidden()
    scores = page.get_by_role("region", name="Scores")
    expect(scores.get_by_role("row").filter(has_text="KID")).to_contain_text("(6 v 6)")
    expect(page.get_by_text(re.compile(r"^KID.* \(6 fakes v 6 reals"))).to_be_visible()
    page.get_by_text("Report", exact=True).click()
    report = page.frame_locator("iframe[title='Report on the evaluation']")
    expect(report.get_by_role("heading", level=1)).to_contain_text("real.zip")


def test_space_is_freed(page: Page, studio: Studio) -> None:
    upload = studio.upload("holiday.png", photo(5))
    job = studio.finish(studio.post("/v1/generate", style="noise", count=2))
    page.goto(f"{studio.url}/#gallery")
    page.get_by_label("Show").select_option("Uploads")
    page.get_by_role("button", name="holiday.png", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete holiday.png?").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="holiday.png", exact=True)).to_have_count(0)
    page.goto(f"{studio.url}/#generate")
    page.get_by_role("button", name="Remove: Generation: noise").first.click()
    page.get_by_role("dialog", name="Delete 2 results?").get_by_role("button", name="Delete").click()
    wait_for(lambda: studio.get(f"/v1/jobs/{job['id']}").get("status") == 404)
    for path in (f"/v1/files/{upload}", f"/v1/files/{job['results'][0]['id']}"):
        assert studio.get(path)["status"] == 404


def test_a_hidden_tab_holds_no_connection_and_catches_up(page: Page, studio: Studio) -> None:
    look = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});\
            document.dispatchEvent(new Event('visibilitychange')); }"
    page.add_init_script(
        "window.sources = []; const Source = EventSource;"
        "EventSource = class extends Source { constructor(url) { super(url); sources.push(this); } };"
    )
    page.goto(f"{studio.url}/#generate")
    states = "sources.map(source => source.readyState)"
    wait_for(lambda: page.evaluate(states) == [1])
    page.evaluate(look, True)
    assert page.evaluate(states) == [2]
    job = studio.finish(studio.post("/v1/generate", style="noise", count=1, seed=7))
    made = page.locator(f"a[href*='{job['results'][0]['id']}']")
    expect(made).to_have_count(0)
    page.evaluate(look, False)
    expect(made).to_be_visible()


@pytest.mark.long
def test_a_training_survives_reloading_the_page_and_restarting_the_server(page: Page, studio: Studio) -> None:
    paintings = studio.upload("paintings.zip", zipped(30, 64))
    tiny = ["size=16", "batch=8", "generator.width=8", "generator.max_width=16",
            "discriminator.width=8", "discriminator.max_width=16"]  # fmt: skip
    job = studio.post("/v1/train", paintings=[paintings], recipe="dcgan-64", budget="100000steps", settings=tiny,
                      name="long")  # fmt: skip
    page.goto(f"{studio.url}/#learn/run/{job['id']}")
    expect(page.get_by_role("heading", name="long")).to_be_visible()
    wait_for(lambda: studio.get(f"/v1/jobs/{job['id']}")["done"] > 5)
    page.reload()
    page.get_by_role("button", name="Pause").first.click()
    wait_for(lambda: studio.get(f"/v1/jobs/{job['id']}")["state"] == "paused")
    reached = studio.get(f"/v1/jobs/{job['id']}")["done"]
    page.get_by_role("button", name="Resume").first.click()
    wait_for(lambda: studio.get(f"/v1/jobs/{job['id']}")["done"] > reached)
    studio.stop()
    studio.start()
    wait_for(lambda: studio.get(f"/v1/jobs/{job['id']}")["state"] == "running")
    page.get_by_role("button", name="Stop: Training: long").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep training").click()
    assert studio.get(f"/v1/jobs/{job['id']}")["state"] == "running"
    page.get_by_role("button", name="Stop: Training: long").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("main").get_by_text("cancelling …")).to_be_visible()
    wait_for(lambda: studio.get(f"/v1/jobs/{job['id']}")["state"] == "cancelled")
    expect(page.get_by_role("main").get_by_role("button", name="Resume: Training: long")).to_be_visible()
    expect(page.get_by_label("Name of the style")).to_be_hidden()  # there is none to keep


def trained(studio: Studio, name: str, paintings: Path) -> str:
    """Return the identifier of a run with invented curves and scores."""
    files = [studio.upload(path.name, path.read_bytes()) for path in sorted(paintings.glob("*.jpg"))]
    job = str(studio.post("/v1/train", paintings=files, recipe="dcgan-64", budget="9steps", name=name)["id"])
    studio.post(f"/v1/jobs/{job}/cancel")
    studio.finish({"id": job})
    folder = studio.folder / "runs" / job
    shutil.rmtree(folder, ignore_errors=True)
    invented_runs.finish(folder, paintings, samples=1, steps=100, count=2)
    return job


@pytest.mark.long
def test_two_runs_are_compared(page: Page, studio: Studio, tmp_path: Path) -> None:
    for number in range(4):
        Image.open(io.BytesIO(photo(number, 64, 64))).save(tmp_path / f"{number}.jpg")
    for name in ("wide", "narrow"):
        trained(studio, name, tmp_path)
    page.goto(f"{studio.url}/#learn")
    for name in ("wide", "narrow"):
        page.get_by_role("checkbox", name=f"Compare {name}").check()
    page.get_by_role("link", name="Compare 2 runs").click()
    scores = page.get_by_role("region", name="Last scores")
    expect(scores.get_by_role("columnheader")).to_have_text(["run", "wide", "narrow"])
    expect(scores.get_by_role("row").filter(has_text="KID").get_by_role("cell")).to_have_text([re.compile(r"^0\.")] * 2)


@pytest.fixture(scope="module")
def some_jobs(studio: Studio) -> None:
    """Leave an evaluation and generated images."""
    paintings = studio.upload("paintings.zip", zipped(4, 32))
    studio.finish(studio.post("/v1/evaluate", style="noise", against=[paintings], count=4))
    studio.finish(studio.post("/v1/generate", style="noise", count=3))


@pytest.mark.parametrize("scheme", mostly_long(["light", "dark"], "light"))
@pytest.mark.usefixtures("some_jobs")
def test_no_serious_accessibility_fault_and_no_sideways_scrolling_on_a_phone(
    browser: Browser, studio: Studio, scheme: Any
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()

    def check(state: str) -> None:
        found = Axe().run(page).response["violations"]
        serious = [each["id"] for each in found if each["impact"] in ("serious", "critical")]
        assert serious == [], (state, json.dumps(found)[:2000])
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, state

    for view in VIEWS:
        page.goto(f"{studio.url}/#{view}")
        page.get_by_role("heading", level=1).wait_for()
        check(view)
    page.goto(f"{studio.url}/#gallery/styles")
    page.get_by_role("region", name="Scores").first.wait_for()
    page.get_by_text("Report", exact=True).first.click()
    check("an evaluation")
    page.get_by_role("button", name="Evaluate: negative").click()
    page.get_by_role("dialog").get_by_role("button", name="Evaluate").click()
    check("what an evaluation needs")
    page.keyboard.press("Escape")
    page.goto(f"{studio.url}/#generate")
    page.get_by_role("button", name="Film of chosen images").click()
    page.locator(".picture").first.click()
    check("the choice of images")
    context.close()


@pytest.mark.long
def test_a_link_in_another_site_opens_a_studio_with_a_token(
    browser: Browser, impasto_command: list[str], tmp_path: Path
) -> None:
    token = "a-token-of-the-tests"
    with running_studio(impasto_command, tmp_path / "studio", "--token", token) as studio:
        (tmp_path / "mail.html").write_text(f'<a href="{studio.url}/?token={token}">The studio</a>')
        page = browser.new_page()
        page.goto((tmp_path / "mail.html").as_uri())
        page.get_by_role("link").click()
        expect(page.get_by_role("heading", name="Paint your photos")).to_be_visible()
        assert token not in page.url
        page.close()


def test_a_photo_is_painted_with_the_keyboard_alone(page: Page, studio: Studio) -> None:
    page.goto(f"{studio.url}/#paint")
    choose(page, "Drop photos, zips or films here: choose files", ("key.png", photo(7), "image/png"))
    page.locator("body").press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for _ in range(60):
        if page.evaluate("document.activeElement.textContent") == "Paint 1 file":
            break
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "radio":
            wanted = "negative"
            for _ in range(12):
                if page.evaluate("document.activeElement.value") == wanted:
                    break
                page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("region", name="Paintings").get_by_role("link", name="Download key.png").first
    ).to_be_visible()
