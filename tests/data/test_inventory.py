"""Claims about what a person is told of a source."""

from impasto.data.inventory import Duplicate, Inventory, LeftOut, Picture, summarise


def picture(name: str, width: int = 256, height: int = 256, kind: str = "JPEG", **more: object) -> Picture:
    return Picture.model_validate(
        {"name": name, "format": kind, "mode": "RGB", "width": width, "height": height, "digest": name, **more}
    )


def test_a_clean_set_takes_one_line() -> None:
    survey = Inventory(source="monets", size=256, pictures=[picture(str(k)) for k in range(1200)])
    assert summarise(survey) == ["1,200 pictures in monets: 1,200 JPEG; each 256×256."]


def test_everything_that_was_found_is_told() -> None:
    survey = Inventory(
        source="mess",
        size=256,
        pictures=[picture("a"), picture("b", 100, 900, "PNG"), picture("c", 900, 900, frame=(9, 9, 800, 200))],
        left_out=[LeftOut(name="x.jpg", reason="empty (0 bytes)")],
        duplicates=[Duplicate(name="d", of="a")],
        near_duplicates=[(f"n{k}", "a") for k in range(25)],
        junk=1,
    )
    assert summarise(survey) == [
        "3 pictures in mess: 2 JPEG, 1 PNG; from 256×256 to 900×900.",
        "2 of them smaller than 256 pixels, so enlarged.",
        "1 of them cropped to the picture inside a border, mount or frame.",
        "1 left out:",
        "  x.jpg: empty (0 bytes)",
        "1 dropped as exact duplicates:",
        "  d is a",
        "25 nearly the same as another, kept:",
        *[f"  n{k} is like a" for k in range(10)],
        "  and 15 more",
        "1 file of the system's own (such as .DS_Store or Thumbs.db) passed over.",
    ]


def test_a_name_cannot_steer_the_terminal() -> None:
    survey = Inventory(
        source="s", size=1, pictures=[picture("a")], left_out=[LeftOut(name="\x1b[2Jevil\n.jpg", reason="empty")]
    )
    assert summarise(survey)[-1] == "  �[2Jevil�.jpg: empty"


def test_a_survey_survives_json() -> None:
    survey = Inventory(source="s", size=1, pictures=[picture("山水", frame=(1, 2, 3, 4))], near_duplicates=[("a", "b")])
    assert Inventory.model_validate_json(survey.model_dump_json()) == survey
