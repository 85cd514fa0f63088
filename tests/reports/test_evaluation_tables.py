"""Tables of an evaluation, as text."""

from fixtures import invented_runs as invented
from fixtures.parsed import plain
from impasto.metrics.base import describe
from impasto.metrics.results import Value
from impasto.reports.evaluation_tables import checkerboard_row, content_rows, metric_tables


def test_a_table_per_network_with_meaning_value_interval_and_floor() -> None:
    first, second = metric_tables(invented.evaluation())
    assert (first.network, first.sets, first.counts) == (invented.NETWORK, "256 fakes v 270 reals", "256 v 270")
    assert first.halves == "135 v 135"
    row = first.rows[0]
    assert (row.label, row.meaning) == (f"KID[{invented.NETWORK}]", describe("KID"))
    assert (plain(row.value), row.interval, row.floor) == ("0.0563 ± 0.0021", "0.0521 to 0.0607", "0.0004")
    assert first.has_intervals and not second.has_intervals and not second.halves


def test_held_out_images_and_the_reverse_direction_have_tables_of_their_own() -> None:
    found = invented.evaluation()
    scores = found.scores[0]
    found = found.model_copy(update={"unseen": scores, "scores_reverse": [scores]})
    kinds = ["training images", "training images", "held-out images", "reals, reverse direction"]
    assert [table.sets.partition(" v 270 ")[2] for table in metric_tables(found)] == kinds


def test_content_preservation_and_checkerboard_are_rows_where_they_were_measured() -> None:
    found = invented.evaluation()
    assert content_rows(found) == [] and checkerboard_row(found) is None
    value = Value(value=2.13, error=0.21, floor=0.18)
    found = found.model_copy(update={"content": invented.CONTENT, "checkerboard": value})
    assert [row.label for row in content_rows(found)] == ["SSIM", "ST-LPIPS[vgg16]"]
    assert content_rows(found)[0].meaning.endswith("higher is better")
    row = checkerboard_row(found)
    assert row is not None and (plain(row.value), row.floor) == ("2.13 ± 0.21", "0.18")
