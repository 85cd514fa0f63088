"""Page and terminal summary of an evaluation."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fixtures import invented_runs as invented
from fixtures.parsed import Page, asks_nothing, plain, printed, size
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation, ImageSetSummary, Memorisation, NearestReals, Scores, Value
from impasto.reports.evaluation import summary, write_evaluation


def test_the_page_is_self_contained(evaluation_page: Page) -> None:
    assert asks_nothing(evaluation_page)
    assert len(evaluation_page.source) < 3_000_000


def test_every_image_decodes_to_its_stated_size(evaluation_page: Page) -> None:
    for image in evaluation_page.all("img"):
        assert size(image["src"]) == (int(image["width"]), int(image["height"]))
        assert image["alt"]


def test_the_page_begins_with_the_findings(evaluation_page: Page) -> None:
    text = plain(evaluation_page.text)
    verdict, first_table = text.index("fakes and reals are distinguishable"), text.index("Metric")
    assert verdict < text.index("No sign of memorisation.") < first_table


def test_every_table_states_network_and_counts(evaluation_page: Page, scored: Evaluation) -> None:
    tables = evaluation_page.source.split("<table")[1:3]
    for table, scores in zip(tables, scored.scores, strict=True):
        assert scores.network in table
        assert scores.counts in table
        for name in scores.values:
            assert f">{scores.label(name)} <" in table
    assert "Floor, 135 v 135" in tables[0]
    assert ">Floor" not in tables[1]  # where none was measured
    text = plain(evaluation_page.text)
    for said in ("0.0563 ± 0.0021", "0.0521 to 0.0607", "99.1", "1,240"):
        assert said in text


def test_image_sets_are_described(evaluation_page: Page) -> None:
    text = plain(evaluation_page.text)
    for said in ("by a style (noise → paintings)", "runs/first try", "pictures/monet_jpg", "broken.jpg", "cut off"):
        assert said in text
    assert re.search(r"Available ?300 Compared ?270 Exact duplicates ?1 Unreadable ?1", text)
    assert "SSIM" in text
    assert "64 pairs" in text


def test_held_out_images_have_a_table_of_their_own(scored: Evaluation, tmp_path: Path) -> None:
    unseen = scored.scores[0].model_copy(update={"reals": 30, "values": {"KID": Value(value=0.0812, error=0.009)}})
    shown = scored.model_copy(update={"unseen": unseen})
    text = plain(Page(write_evaluation(shown, None, None, tmp_path)).text)
    assert "256 fakes v 270 training images" in text
    assert "256 fakes v 30 held-out images" in text
    assert "0.0812 ± 0.0090" in printed(summary(shown))


def test_checkerboard_artefacts_of_fakes_and_reals_are_shown(scored: Evaluation, tmp_path: Path) -> None:
    shown = scored.model_copy(update={"checkerboard": Value(value=2.13, error=0.21, floor=0.18)})
    text = plain(Page(write_evaluation(shown, None, None, tmp_path)).text)
    assert re.search("Fakes ?Reals ?checkerboard artefacts of upsampling", text)
    assert re.search("2.13 ± 0.21 ?0.18", text)
    assert "checkerboard 2.13 ± 0.21 (reals 0.18): artefacts" in printed(summary(shown))
    assert "checkerboard" not in printed(summary(scored))  # where none was measured


def test_memorisation_comes_first(tmp_path: Path) -> None:
    text = plain(Page(write_evaluation(invented.evaluation(copied=0.9), None, None, tmp_path)).text)
    assert text.index("reproduces training images") < text.index("fakes and reals are distinguishable")


def test_the_page_works_without_images_and_distances(tmp_path: Path) -> None:
    nothing = Memorisation(network="net", fakes=[], reals=[], suspects=[])
    bare = invented.evaluation(copies=nothing, scores=[])
    page = Page(write_evaluation(bare, None, None, tmp_path))
    assert not page.all("img")
    assert "Memorisation cannot be determined" in plain(page.text)
    assert printed(summary(bare))


@pytest.mark.parametrize("wrong", [(100, 100), (262, 64)])
def test_images_of_another_evaluation_are_refused(scored: Evaluation, wrong: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="does not belong to this evaluation") as raised:
        write_evaluation(scored, Image.new("RGB", wrong), None, tmp_path)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_the_terminal_summary_has_the_same_numbers(scored: Evaluation) -> None:
    text = printed(summary(scored))
    for said in (
        "efficientnet-lite0, 256 fakes v 270 reals, 64×64 px",
        "KID[efficientnet-lite0] 0.0563 ± 0.0021 0.0521 to 0.0607 0.0004",
        "floor, 135 v 135",
        "no sign of memorisation",
        "SSIM 0.412 (64 pairs, 64×64 px)",
    ):
        assert said in text


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("<>&\"'/{}%$[]ab "), min_size=1, max_size=12))
def test_names_are_escaped(tmp_path: Path, name: str) -> None:
    marked = f"{name}<script>x</script><img src=x>[red]"
    side = ImageSetSummary(name=marked, domains=marked, there=1, scored=1, left_out=[(marked, marked)])
    suspect = NearestReals(fake=marked, reals=[marked], distances=[0.1])
    hostile = invented.evaluation().model_copy(
        update={
            "fakes": side,
            "reals": side,
            "scores": [Scores(network=marked, size=64, fakes=1, reals=1, values={"KID": Value(value=1)})],
            "copies": Memorisation(network=marked, fakes=[], reals=[], suspects=[suspect]),
        }
    )
    page = Page(write_evaluation(hostile, None, None, tmp_path))
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.elements)
    assert page.text.count(marked) >= 8
    assert plain(f"KID[{marked}]") in printed(summary(hostile))
