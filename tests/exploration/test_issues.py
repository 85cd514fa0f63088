"""What is wrong with a set of pictures is named, by how many and which."""

import pytest

from fixtures.invented_sets import about, domain, framed, squares
from impasto.config.recipe import Recipe
from impasto.data.inventory import Picture
from impasto.exploration.issues import find_issues, spare
from impasto.exploration.results import Advice, Common, Domain, Framed, Watermark

DCGAN, MONET = Recipe.load("dcgan-64"), Recipe.load("monet")


def found(pictures: Domain) -> list[Advice]:
    return list(find_issues(pictures, DCGAN))


def test_a_set_without_flaws_has_none() -> None:
    assert found(domain(squares(300))) == []


def test_what_was_cropped_counts_as_it_is_shown() -> None:
    pictures = domain(squares(300))
    scroll = Picture(name="s.jpg", format="", mode="", width=500, height=500, digest="", frame=(0, 0, 500, 200))
    survey = pictures.inventory.model_copy(update={"pictures": [scroll]})
    long = about(found(pictures.model_copy(update={"inventory": survey})), "long paintings")
    assert long is not None and "s.jpg (60%)" in long.why


def test_the_share_of_frames_is_of_those_that_were_looked_at() -> None:
    advice = found(domain(squares(10_000), framed=framed(range(20)), closely=200))
    crop = about(advice, "--crop-frames")
    assert crop is not None and "20 of 200" in crop.why


def test_thin_edges_are_told_from_frames() -> None:
    boxes = [(0.0, 0.0, 0.985, 1.0), (0.01, 0.01, 0.99, 0.99), (0.0, 0.0, 0.97, 1.0)]
    borders = [Framed(name=f"{number}.jpg", box=box) for number, box in enumerate(boxes)]
    some = domain(squares(40), framed=borders)
    assert some.thin_edges == 2
    crop = about(found(some), "--crop-frames")
    assert crop is not None and "Of 2 it is but an edge of less than 2%" in crop.why


def test_photos_with_borders_are_to_be_looked_at() -> None:
    """A sky that ends in a level line is taken for one too."""
    borders = [Framed(name=f"{number}.jpg", box=(0.0, 0.1, 1.0, 1.0)) for number in range(20)]
    advice = about(found(domain(squares(40), role="photos", framed=borders)), "may have a border")
    assert advice is not None and "20 of 40" in advice.why and "0.jpg" in advice.why


def test_a_tiny_picture_is_named() -> None:
    tiny = about(found(domain([*squares(300), (1, 1), (39, 500)])), "far too small")
    assert tiny is not None and "300.jpg (1×1)" in tiny.why and "2 of 302" in tiny.why and "80 pixels" in tiny.why
    assert about(found(domain([*squares(300), (40, 40)])), "far too small") is None


def test_of_pictures_that_are_nearly_the_same_one_is_kept() -> None:
    pairs = [("0.jpg", "1.jpg"), ("1.jpg", "2.jpg"), ("5.jpg", "6.jpg")]
    double = about(found(domain(squares(300), inventory={"near_duplicates": pairs})), "nearly the same")
    assert double is not None and "3 pictures of 300" in double.why and "0.jpg and 1.jpg" in double.why


@pytest.mark.parametrize(
    ("pairs", "count"), [("", 0), ("ab", 1), ("ab cd", 2), ("ab bc ca", 2), ("ab cd bc", 3), ("ba ab", 1)]
)
def test_one_of_each_group_is_left(pairs: str, count: int) -> None:
    assert spare([(pair[0], pair[1]) for pair in pairs.split()]) == count


def test_marks_are_told_by_what_is_to_be_done() -> None:
    marks = [Watermark(name=f"{i}.jpg", kind="watermark", box=(0, 0, 1, 1), why="") for i in (3, 3, 4)]
    marks += [Watermark(name=f"{i}.jpg", kind="seal", box=(0, 0, 1, 1), why="") for i in range(50)]
    advice = found(domain(squares(300), marks=marks))
    stamped, sealed = about(advice, "watermark"), about(advice, "seals")
    assert stamped is not None and "2 of 300" in stamped.why and "3.jpg and 4.jpg" in stamped.why
    assert sealed is not None and "50 of 300" in sealed.why
    assert about(found(domain(squares(300), marks=marks[-5:])), "seals") is None


@pytest.mark.parametrize(
    ("box", "what", "share"),
    [
        ((0.6, 0.88, 0.95, 0.96), "Crop the bottom of the paintings off", "12%"),
        ((0.3, 0.02, 0.7, 0.1), "Crop the top of the paintings off", "10%"),
        ((0.9, 0.3, 0.95, 0.9), "Crop the right side of the paintings off", "10%"),
        ((0.3, 0.4, 0.7, 0.6), "Find other copies", "60%"),
    ],
)
def test_a_mark_that_a_whole_set_bears_is_not_that_of_one_picture(
    box: tuple[float, float, float, float], what: str, share: str
) -> None:
    advice = found(domain(squares(300), common=[Common(box=box, why="edges at the same place")]))
    stamped = about(advice, "many bear the same mark")
    assert stamped is not None and stamped.what.startswith(what) and share in stamped.why
    assert len(advice) == 1 and ".jpg" not in stamped.what + stamped.why


def test_long_scrolls_are_to_be_cut_up() -> None:
    scrolls = about(found(domain([*squares(300), (4000, 400), (500, 1000), (300, 700)])), "long paintings")
    assert scrolls is not None and "2 of 303" in scrolls.why and "300.jpg (90%) and 302.jpg (57%)" in scrolls.why


def test_only_what_is_untypical_and_odd_is_doubted() -> None:
    odd = {"1.jpg": {"brightness": 99.0}, "2.jpg": {"brightness": 53.0}, "3.jpg": {"brightness": 1.0}}
    doubted = about(found(domain(squares(300), looks=odd, untypical=["1.jpg", "2.jpg"])), "belong")
    assert doubted is not None and "1.jpg (brightness 99.0" in doubted.why
    assert "2.jpg" not in doubted.why and "3.jpg" not in doubted.why


def test_grey_pictures_among_coloured_ones_are_told_apart() -> None:
    def photos(count: int) -> Domain:
        return domain(squares(500), "photos", looks={f"{i}.jpg": {"colourfulness": 0.5} for i in range(count)})

    mixed = about(find_issues(photos(100), MONET), "Part the grey photos")
    assert mixed is not None and "100 of 500" in mixed.why
    assert about(find_issues(photos(500), MONET), "in colour") is not None
    assert not any("grey" in each.what for each in find_issues(photos(5), MONET))
