"""Paintings and photos side by side are no data set."""

import pytest

from impasto.data.domains import require_one_domain
from impasto.errors import ImpastoError

KAGGLE = ["monet_jpg/1.jpg", "monet_tfrec/1.tfrec", "photo_jpg/1.jpg", "photo_tfrec/1.tfrec"]
CYCLEGAN = ["monet2photo/trainA/1.jpg", "monet2photo/trainB/1.jpg", "monet2photo/testA/1.jpg"]


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (KAGGLE, ("monet_jpg", "photo_jpg")),
        (["photo_tfrec/1.tfrec", "monet_tfrec/1.tfrec"], ("monet_tfrec", "photo_tfrec")),
        (
            [f"gan-getting-started/{name}" for name in KAGGLE],
            ("gan-getting-started/monet_jpg", "gan-getting-started/photo_jpg"),
        ),
        (CYCLEGAN, ("monet2photo/trainA", "monet2photo/trainB")),
        (["testA/a/1.jpg", "trainB/1.jpg"], ("testA", "trainB")),
    ],
)
def test_two_domains_are_refused_with_the_folders_to_give(names: list[str], folders: tuple[str, str]) -> None:
    for source in ("data", "data/"):
        with pytest.raises(ImpastoError, match=f"give data/{folders[0]} or data/{folders[1]}.$"):
            require_one_domain(source, names, packed=False)
    with pytest.raises(ImpastoError, match="unpack it and give one of them"):
        require_one_domain("data.zip", names, packed=True)


@pytest.mark.parametrize(
    "names",
    [
        KAGGLE[:2],
        KAGGLE[2:],
        ["trainA/1.jpg", "testA/1.jpg"],
        ["monet_jpg/photo.jpg", "photos/1.jpg"],
        ["a/monet_jpg/1.jpg", "b/photo_jpg/1.jpg"],
        [f"{number}.jpg" for number in range(5)],
    ],
)
def test_one_domain_is_accepted(names: list[str]) -> None:
    require_one_domain("data", names, packed=False)


def test_of_several_domains_two_of_one_kind_are_named() -> None:
    names = ["monet_jpg/a.jpg", "trainA/c.jpg", "photo_jpg/b.jpg"]
    with pytest.raises(ImpastoError, match="in monet_jpg and photo_jpg"):
        require_one_domain("data", names, packed=False)
    require_one_domain("data", ["monet_jpg/a.jpg", "trainB/b.jpg"], packed=False)


def test_a_name_of_very_many_folders_takes_linear_time() -> None:
    require_one_domain("data", ["a/" * 32_000 + "b.jpg"], packed=True)
