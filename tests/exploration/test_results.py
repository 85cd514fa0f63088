"""Results of an exploration as JSON, and what is derived from them."""

from fixtures.explored import blobs, domain, exploration
from impasto.data.inventory import Inventory
from impasto.exploration.results import DetectedFrame, Exploration


def test_an_exploration_round_trips_through_json() -> None:
    found = exploration(domain("paintings", blobs(4)), domain("photos", blobs(3, seed=1)))
    assert Exploration.model_validate_json(found.model_dump_json()) == found
    assert [each.role for each in found.domains] == ["paintings", "photos"]
    assert [each.count for each in found.domains] == [4, 3]


def test_a_thin_frame_is_thin_on_every_side() -> None:
    boxes = [(0.0, 0.0, 0.985, 1.0), (0.01, 0.01, 0.99, 0.99), (0.0, 0.0, 0.97, 1.0)]
    frames = [DetectedFrame(name=f"{number}.jpg", box=box) for number, box in enumerate(boxes)]
    assert domain("paintings", blobs(4), frames=frames).thin_frames == 2


def test_images_at_an_address_are_no_pack() -> None:
    inventory = Inventory(source="s3://bucket/paintings", size=64)
    assert domain("paintings", blobs(2), inventory=inventory).is_pack
    assert not domain("paintings", blobs(2), inventory=inventory, at_address=True).is_pack
