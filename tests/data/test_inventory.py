"""The inventory as lines for the command line, and as JSON."""

from impasto.data.inventory import Duplicate, ImageRecord, Inventory, LeftOut, summarise

Frame = tuple[int, int, int, int]


def picture(
    name: str, width: int = 256, height: int = 256, kind: str = "JPEG", frame: Frame | None = None
) -> ImageRecord:
    return ImageRecord(name, kind, "RGB", width, height, digest=name, frame=frame)


def test_a_source_without_issues_takes_one_line() -> None:
    inventory = Inventory(source="monets", size=256, pictures=[picture(str(k)) for k in range(1200)])
    assert summarise(inventory) == ["1,200 pictures in monets: 1,200 JPEG; each 256×256."]


def test_every_kind_of_finding_is_listed() -> None:
    inventory = Inventory(
        source="mess",
        size=256,
        pictures=[picture("a"), picture("b", 100, 900, "PNG"), picture("c", 900, 900, frame=(9, 9, 800, 200))],
        left_out=[LeftOut(name="x.jpg", reason="empty (0 bytes)")],
        duplicates=[Duplicate(name="d", of="a")],
        near_duplicates=[(f"n{k}", "a") for k in range(25)],
        junk=1,
    )
    assert summarise(inventory) == [
        "3 pictures in mess: 2 JPEG, 1 PNG; from 256×256 to 900×900.",
        "2 of them smaller than 256 pixels, enlarged.",
        "1 of them cropped to the picture inside a border, mount or frame.",
        "1 left out:",
        "  x.jpg: empty (0 bytes)",
        "1 dropped as exact duplicates:",
        "  d is a",
        "25 pairs of near duplicates, kept:",
        *[f"  n{k} and a" for k in range(10)],
        "  and 15 more",
        "1 file of the operating system (such as .DS_Store or Thumbs.db) ignored.",
    ]


def test_escape_sequences_in_file_names_are_replaced() -> None:
    inventory = Inventory(
        source="s", size=1, pictures=[picture("a")], left_out=[LeftOut(name="\x1b[2Jevil\n.jpg", reason="empty")]
    )
    assert summarise(inventory)[-1] == "  �[2Jevil�.jpg: empty"


def test_an_inventory_round_trips_through_json() -> None:
    inventory = Inventory(
        source="s", size=1, pictures=[picture("山水", frame=(1, 2, 3, 4))], near_duplicates=[("a", "b")]
    )
    assert Inventory.model_validate_json(inventory.model_dump_json()) == inventory
