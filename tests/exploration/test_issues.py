"""Issues are reported with the number and the names of the images."""

import pytest

from fixtures.invented_sets import about, domain, frames, squares
from impasto.config.recipe import Recipe
from impasto.data.inventory import ImageRecord
from impasto.exploration.issues import find_issues, redundant_count
from impasto.exploration.results import CommonWatermark, DetectedFrame, Domain, Recommendation, Watermark

DCGAN, MONET = Recipe.load("dcgan-64"), Recipe.load("monet")


def found(pictures: Domain) -> list[Recommendation]:
    return list(find_issues(pictures, DCGAN))


def test_a_data_set_without_issues_has_none() -> None:
    assert found(domain(squares(300))) == []


def test_cropped_images_count_by_their_inside() -> None:
    pictures = domain(squares(300))
    scroll = ImageRecord(name="s.jpg", format="", mode="", width=500, height=500, digest="", frame=(0, 0, 500, 200))
    inventory = pictures.inventory.model_copy(update={"pictures": [scroll]})
    long = about(found(pictures.model_copy(update={"inventory": inventory})), "long paintings")
    assert long is not None and "s.jpg (60%)" in long.reason


def test_the_share_of_frames_is_relative_to_the_inspected_images() -> None:
    recommendations = found(domain(squares(10_000), frames=frames(range(20)), inspected=200))
    crop = about(recommendations, "--crop-frames")
    assert crop is not None and "20 of the 200" in crop.reason


def test_thin_edges_are_counted_separately() -> None:
    boxes = [(0.0, 0.0, 0.985, 1.0), (0.01, 0.01, 0.99, 0.99), (0.0, 0.0, 0.97, 1.0)]
    borders = [DetectedFrame(name=f"{number}.jpg", box=box) for number, box in enumerate(boxes)]
    some = domain(squares(40), frames=borders)
    assert some.thin_frames == 2
    crop = about(found(some), "--crop-frames")
    assert crop is not None and "2 are thin edges of less than 2%" in crop.reason


def test_photos_with_borders_have_to_be_checked() -> None:
    """Sky above a level horizon is detected as a border, too."""
    borders = [DetectedFrame(name=f"{number}.jpg", box=(0.0, 0.1, 1.0, 1.0)) for number in range(20)]
    recommendations = about(found(domain(squares(40), role="photos", frames=borders)), "may have a border")
    assert (
        recommendations is not None and "20 of the 40" in recommendations.reason and "0.jpg" in recommendations.reason
    )


def test_images_of_low_resolution_are_named() -> None:
    tiny = about(found(domain([*squares(300), (1, 1), (39, 500)])), "far too small")
    assert (
        tiny is not None and "300.jpg (1×1)" in tiny.reason and "2 of 302" in tiny.reason and "80 pixels" in tiny.reason
    )
    assert about(found(domain([*squares(300), (40, 40)])), "far too small") is None


def test_one_of_each_group_of_near_duplicates_is_kept() -> None:
    pairs = [("0.jpg", "1.jpg"), ("1.jpg", "2.jpg"), ("5.jpg", "6.jpg")]
    double = about(found(domain(squares(300), inventory={"near_duplicates": pairs})), "near-duplicate")
    assert double is not None and "3 of 300 paintings" in double.reason and "0.jpg and 1.jpg" in double.reason


@pytest.mark.parametrize(
    ("pairs", "count"), [("", 0), ("ab", 1), ("ab cd", 2), ("ab bc ca", 2), ("ab cd bc", 3), ("ba ab", 1)]
)
def test_the_redundant_count_leaves_one_of_each_group(pairs: str, count: int) -> None:
    assert redundant_count([(pair[0], pair[1]) for pair in pairs.split()]) == count


def test_watermarks_and_seals_have_their_own_recommendations() -> None:
    watermarks = [Watermark(name=f"{i}.jpg", kind="watermark", box=(0, 0, 1, 1), reason="") for i in (3, 3, 4)]
    watermarks += [Watermark(name=f"{i}.jpg", kind="seal", box=(0, 0, 1, 1), reason="") for i in range(50)]
    recommendations = found(domain(squares(300), watermarks=watermarks))
    stamped, sealed = about(recommendations, "watermark"), about(recommendations, "seals")
    assert stamped is not None and "2 of the 300" in stamped.reason and "3.jpg and 4.jpg" in stamped.reason
    assert sealed is not None and "50 of the 300" in sealed.reason
    assert about(found(domain(squares(300), watermarks=watermarks[-5:])), "seals") is None


@pytest.mark.parametrize(
    ("box", "action", "share"),
    [
        ((0.6, 0.88, 0.95, 0.96), "Crop the bottom of the paintings", "12%"),
        ((0.3, 0.02, 0.7, 0.1), "Crop the top of the paintings", "10%"),
        ((0.9, 0.3, 0.95, 0.9), "Crop the right side of the paintings", "10%"),
        ((0.3, 0.4, 0.7, 0.6), "Find other copies", "60%"),
    ],
)
def test_a_common_watermark_is_cropped_where_that_costs_little(
    box: tuple[float, float, float, float], action: str, share: str
) -> None:
    recommendations = found(
        domain(squares(300), common_watermarks=[CommonWatermark(box=box, reason="edges at the same place")])
    )
    stamped = about(recommendations, "many have the same mark")
    assert stamped is not None and stamped.action.startswith(action) and share in stamped.reason
    assert len(recommendations) == 1 and ".jpg" not in stamped.action + stamped.reason


def test_long_scrolls_have_to_be_cut() -> None:
    scrolls = about(found(domain([*squares(300), (4000, 400), (500, 1000), (300, 700)])), "long paintings")
    assert scrolls is not None and "2 of 303" in scrolls.reason and "300.jpg (90%) and 302.jpg (57%)" in scrolls.reason


def test_only_outliers_with_an_unusual_statistic_are_reported() -> None:
    odd = {"1.jpg": {"brightness": 99.0}, "2.jpg": {"brightness": 53.0}, "3.jpg": {"brightness": 1.0}}
    doubted = about(found(domain(squares(300), statistics=odd, outliers=["1.jpg", "2.jpg"])), "belong")
    assert doubted is not None and "1.jpg (brightness 99.0" in doubted.reason
    assert "2.jpg" not in doubted.reason and "3.jpg" not in doubted.reason


def test_grey_images_have_to_be_separated_from_coloured_ones() -> None:
    def photos(count: int) -> Domain:
        return domain(squares(500), "photos", statistics={f"{i}.jpg": {"colourfulness": 0.5} for i in range(count)})

    mixed = about(find_issues(photos(100), MONET), "Separate the grey photos")
    assert mixed is not None and "100 of 500" in mixed.reason
    assert about(find_issues(photos(500), MONET), "in colour") is not None
    assert not any("grey" in each.action for each in find_issues(photos(5), MONET))
