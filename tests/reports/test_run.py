"""The report shows the run folder's content, self-contained and escaped."""

import io
import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import av
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fixtures import invented_runs as invented
from fixtures.parsed import Page, asks_nothing, content, plain, size
from impasto.errors import ImpastoError
from impasto.reports.run import milestones, write_report
from impasto.reports.run_record import Sample


@pytest.fixture(scope="module")
def finished(monets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = invented.finish(tmp_path_factory.mktemp("runs") / "first try", monets, samples=20)
    write_report(run)
    return run


def short(finished: Path, folder: Path) -> Path:
    """A copy of a run with its last sample only, which is quick to film."""
    older = [path.name for path in sorted(finished.glob("samples/step-*.jpg"))[:-1]]
    return shutil.copytree(finished, folder / "run", ignore=lambda *_: older)


@pytest.fixture(scope="module")
def page(finished: Path) -> Page:
    return Page(finished / "report.html")


@pytest.mark.long
def test_every_image_decodes_to_its_stated_size(page: Page) -> None:
    images = page.all("img")
    assert len(images) >= 1 + 5 + 2 + 1 + 1  # paintings, milestones, a pair, curves, real pictures
    for image in images:
        assert size(image["src"]) == (int(image["width"]), int(image["height"]))
        assert image["alt"]
    for source in page.all("source"):
        assert size(source["srcset"]) == size(images[-2]["src"])


def test_the_final_images_come_first_and_unchanged(page: Page, finished: Path) -> None:
    assert content(page.all("img")[0]["src"]) == (finished / "paintings.jpg").read_bytes()


def test_real_and_fake_are_shown_losslessly(page: Page, finished: Path) -> None:
    pair = [image for image in page.all("img") if image["alt"] in ("A real training painting", "The newest fake")]
    for image, sheet in zip(pair, ("real.jpg", "step-00000400.jpg"), strict=True):
        with Image.open(finished / "samples" / sheet) as whole, Image.open(io.BytesIO(content(image["src"]))) as one:
            assert one.tobytes() == whole.crop((0, 0, 64, 64)).tobytes()


def test_the_embedded_video_plays(page: Page) -> None:
    (video,) = page.all("video")
    with av.open(io.BytesIO(content(video["src"])), "r") as film:
        frames = sum(1 for _ in film.decode(video=0))
    assert frames == 19 * 12 + 60


def test_the_page_is_self_contained(page: Page) -> None:
    assert asks_nothing(page)
    assert len(page.source) < 12_000_000


def test_the_page_states_the_key_figures(page: Page) -> None:
    text = " ".join(page.text.split())
    assert "64×64 px, trained on 270 paintings (monet_jpg). 400 steps in 2 min 04 s." in text
    assert "Dashed" not in text
    assert re.search(
        r"accuracy: 9\d % on training paintings, 5\d % on the 30 held-out ones, \d\d % on fakes. It is overfitting",
        text,
    )
    assert "6,400 (24 epochs)" in text
    assert "51.6 images/s" in text
    assert re.search(rf"{re.escape(invented.KID)}: lowest, at step \d+", text)


def test_the_key_figures_name_the_lowest_score_and_that_of_the_best_style(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run")
    values = {10: 0.6, 20: 0.5, 30: 0.3, 40: 0.4}
    invented.write_log(run, [{"step": step, "pictures": step, invented.KID: value} for step, value in values.items()])
    choice = {"decided_by": invented.KID, "value": 0.5, "memorisation": "none", "copies": 0.0}
    for best, told in (
        (None, "lowest, at step 30 (last: 0.400 at step 40)"),
        (20, "lowest, at step 30 (best style: 0.500 at step 20; last: 0.400 at step 40)"),
        (30, "lowest, at step 30 (the best style; last: 0.400 at step 40)"),
    ):
        facts = invented.FACTS | {"best": best and choice | {"step": best}}
        (run / "run.json").write_text(json.dumps(facts))
        assert told in plain(Page(write_report(run)).text)


@pytest.fixture(scope="module")
def translator(monets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = monets.parent / "photo_jpg"
    run = tmp_path_factory.mktemp("runs") / "photos"
    invented.translate(run, monets, photos, samples=4, size=32, start="/runs/earlier & better")
    write_report(run)
    return run


def test_a_translation_run_states_its_task(translator: Path) -> None:
    page = Page(translator / "report.html")
    text = plain(page.text)
    assert "photos · monet_jpg" in plain(page.source)
    assert "Task: image-to-image translation (photos → paintings). Recipe cyclegan-resnet, 32×32 px" in text
    assert "trained on 270 paintings and 6,650 photos (monet_jpg)" in text
    assert "starting from the weights of earlier & better." in text
    assert "These photos were held out of the training." in text
    assert "6,400 (1.0 epochs)" in text
    assert "noise" not in page.source.lower()
    assert "Dashed: reverse direction (paintings → photos)." in text
    assert "--photos pictures/photo_jpg --from '/runs/earlier & better'" in text
    assert f"impasto paint PHOTO… --style {translator}" in text
    assert asks_nothing(page)


def test_a_translation_run_shows_sources_beside_translations(translator: Path) -> None:
    page = Page(translator / "report.html")
    images = {image["alt"]: image for image in page.all("img")}
    for alt in ("A source image", "Its newest translation", "A real training painting"):
        assert size(images[alt]["src"]) == (64, 64)
    assert "The same paintings, translated to photos" in images
    sheet = images["Grid of photos, each with its translation to the right"]
    assert size(sheet["src"]) == (4 * 130 + 3 * 16, 4 * 64 + 3 * 16)
    with Image.open(io.BytesIO(content(images["Source images"]["src"]))) as strip:
        assert strip.size == (8 * 66 - 2, 64)
    assert len(page.all("video")) == 1


@pytest.mark.long
def test_a_run_of_the_other_direction_names_its_domains(translator: Path, tmp_path: Path) -> None:
    run = tmp_path / "turned"
    shutil.copytree(translator, run)
    (run / "samples" / "reverse-step-00000400.jpg").unlink()
    with (run / "recipe.yaml").open("a") as recipe:
        recipe.write("direction: painting-to-photo\n")
    write_report(run)
    page = Page(run / "report.html")
    text, images = plain(page.text), {image["alt"] for image in page.all("img")}
    assert "image-to-image translation (paintings → photos)" in text
    assert {"A source image", "Its newest translation", "A real training photo", "Source images"} <= images
    assert "Grid of paintings, each with its translation to the right" in images
    assert "The same paintings, translated to photos" not in images
    assert "Training photos" in text and "Some of the 6,650 training photos." in text
    assert f"impasto paint PAINTING… --style {run} --out photos" in text
    assert "discriminator accuracy on training photos" in text
    assert "training paintings" not in text and "real paintings" not in text


def test_a_running_translation_run_shows_its_newest_pairs(translator: Path, tmp_path: Path) -> None:
    run = short(translator, tmp_path)
    (run / "log.jsonl").unlink()
    facts = json.loads((run / "run.json").read_text())
    few = facts["photos"] | {"heldout": 19}
    (run / "run.json").write_text(json.dumps(facts | {"status": "running", "photos": few}))
    page = Page(write_report(run))
    assert "Newest samples, at step 400: photos, each with its translation to the right." in plain(page.text)
    assert size(page.all("img")[0]["src"]) == (4 * 130 + 3 * 16, 4 * 64 + 3 * 16)

    (run / "run.json").write_text(json.dumps(facts | {"photos": few}))
    assert "These photos were also used for training, as too few are held out." in plain(Page(write_report(run)).text)

    (run / "samples" / "photos.jpg").unlink()  # an older run, or one tidied up
    without = plain(Page(write_report(run)).text)
    assert "Real and fake" in without
    assert "each photo with" not in without


def test_a_translation_run_without_steps_says_so(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run", status="running", photos=invented.PHOTOS, start="earlier")
    text = plain(Page(write_report(run)).text)
    assert "64×64 px, trained on 270 paintings and 6,650 photos" in text
    assert "starting from the weights of earlier. No training step has been done yet." in text


def test_a_run_without_an_evaluation_has_no_such_section(page: Page) -> None:
    assert "Evaluation" not in page.text
    assert "memoris" not in page.text.lower().replace("it memorises the training", "")


def test_an_evaluated_run_shows_scores_and_suspects(finished: Path, monets: Path, tmp_path: Path) -> None:
    run = short(finished, tmp_path)
    scores = invented.evaluation(copied=0.9)
    invented.score(run, scores, invented.copies_sheet(monets, scores))
    shown = Page(write_report(run))
    assert "KID[efficientnet-lite0] is 0.0563 ± 0.0021 (256 fakes v 270 reals; floor 0.0004, 135 v 135)" in plain(
        shown.text
    )
    assert "the model has memorised its training images" in plain(shown.text)
    assert sum(image["alt"].startswith("Fake ") for image in shown.all("img")) == len(scores.copies.suspects)
    assert asks_nothing(shown)

    (run / "copies.jpg").unlink()
    without = Page(write_report(run))
    assert not any(image["alt"].startswith("Fake ") for image in without.all("img"))
    assert "has memorised" in without.text

    (run / "run.json").write_text(json.dumps(invented.FACTS | {"status": "running"}))
    assert "has memorised" not in Page(write_report(run)).text  # that was an earlier end


def test_copies_of_another_evaluation_are_refused(finished: Path, tmp_path: Path) -> None:
    run = short(finished, tmp_path)
    invented.score(run, invented.evaluation(), Image.new("RGB", (262, 64)))
    with pytest.raises(ImpastoError, match="1 rows for 8 fakes; evaluate again"):
        write_report(run)


def test_every_setting_of_the_recipe_is_shown(page: Page, finished: Path) -> None:
    recipe = yaml.safe_load((finished / "recipe.yaml").read_text())
    for group in (recipe, recipe["generator"], recipe["augment"]):
        for name, value in group.items():
            if not isinstance(value, dict):
                shown = value if isinstance(value, str) else json.dumps(value)
                assert f'<tr><th scope="row">{name}</th><td>{shown}</td></tr>' in page.source


def test_commands_are_quoted_for_a_shell(page: Page, finished: Path) -> None:
    again = f"impasto train '{finished}/recipe.yaml' --paintings pictures/monet_jpg --budget 400steps --seed 0"
    assert again in page.text
    assert f"impasto generate '{finished}'" in page.text


def test_curves_video_and_animation_are_written_beside_the_page(finished: Path) -> None:
    with Image.open(finished / "curves.png") as curves:
        assert curves.format == "PNG"
    with Image.open(finished / "evolution.webp") as loop:
        assert getattr(loop, "n_frames", 1) == 20
    assert (finished / "evolution.mp4").stat().st_size > 0
    assert not list(finished.rglob("*.part"))


def test_a_failed_report_leaves_the_old_one(finished: Path, tmp_path: Path) -> None:
    run = short(finished, tmp_path)
    before = (run / "report.html").read_bytes()
    (run / "paintings.jpg").write_bytes((run / "paintings.jpg").read_bytes()[:5000])
    with pytest.raises(ImpastoError, match=r"paintings\.jpg is not a complete image"):
        write_report(run)
    assert (run / "report.html").read_bytes() == before
    assert not list(run.rglob("*.part"))


def test_a_running_training_shows_its_newest_samples(finished: Path, tmp_path: Path) -> None:
    run = short(finished, tmp_path)
    (run / "run.json").write_text(json.dumps(invented.FACTS | {"status": "running"}))
    shown = Page(write_report(run))
    assert content(shown.all("img")[0]["src"]) == (run / "samples" / "step-00000400.jpg").read_bytes()
    assert "trained on 270 paintings" in " ".join(shown.text.split())
    assert f"impasto train --resume {run}" in shown.text


def test_a_run_without_steps_says_so(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run", status="running", total_steps=None)
    page = Page(write_report(run))
    assert "No training step has been done yet" in " ".join(page.text.split())
    assert "There are no samples yet" in page.text
    assert not page.all("img")
    assert not page.all("video")


def test_steps_without_samples_and_samples_without_steps_are_reported(finished: Path, tmp_path: Path) -> None:
    only_steps = invented.begin(tmp_path / "steps")
    invented.write_log(only_steps, invented.log_rows(5))
    assert not Page(write_report(only_steps)).all("video")

    only_sample = invented.begin(tmp_path / "sample")
    (only_sample / "samples").mkdir()
    shutil.copy(finished / "samples" / "step-00000020.jpg", only_sample / "samples" / "step-00000000.jpg")
    assert len(Page(write_report(only_sample)).all("video")) == 1


def test_a_grid_of_another_image_size_is_refused(finished: Path, tmp_path: Path) -> None:
    run = short(finished, tmp_path)
    Image.new("RGB", (100, 100)).save(run / "samples" / "step-00000400.jpg")
    with pytest.raises(ImpastoError, match=r"400\.jpg: 100×100 px is not a grid of 64×64 px images"):
        write_report(run)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("<>&\"'/{}%$ab "), min_size=1, max_size=12))
def test_names_are_escaped(tmp_path: Path, name: str) -> None:
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    marked = f"{name}<script>x</script><img src=x>"
    run = invented.begin(tmp_path / "run", source=invented.FACTS["paintings"] | {"spec": marked}, device=marked)
    recipe = invented.RECIPE | {"name": marked, marked: {"deep": {marked: [marked]}}}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    invented.write_log(run, [{"step": 1, "event": marked}])
    page = Page(write_report(run))
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.elements)
    assert page.text.count(marked) >= 5


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="is not a run folder"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_milestones_are_logarithmically_spaced() -> None:
    samples = tuple(Sample(step, Path("x")) for step in range(0, 15_001, 100))
    steps = [sample.step for sample in milestones(samples)]
    assert steps[0] == 0
    assert steps[-1] == 15_000
    assert 5 <= len(steps) == len(set(steps)) <= 8
    gaps = [later - earlier for earlier, later in pairwise(steps)]
    assert gaps == sorted(gaps)
    assert milestones(samples[:1]) == [samples[0]]
    assert milestones(()) == []
