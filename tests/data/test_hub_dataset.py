"""Data sets on the Hub, with the Hub's own client against a local server."""

import io
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.command import Impasto
from fixtures.hub_server import COMMIT, Hub, used
from fixtures.parquet_files import images, parquet, picture
from impasto.data import hub_dataset
from impasto.data.hub_dataset import Address
from impasto.data.pixel_store import PixelStore
from impasto.data.sources import open_source
from impasto.errors import ImpastoError

PICTURES = [picture(value) for value in range(6)]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "listings"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client retries with growing delays
    with used(monkeypatch, tmp_path / "token") as server:
        yield server


def put(hub: Hub, *names: str) -> None:
    """Put a data set of images on the Hub, and files that are none."""
    hub.repositories["datasets/me/set"] = {
        "README.md": b"# Set",
        ".gitattributes": b"*.png filter=lfs",
        **{name: picture(number) for number, name in enumerate(names)},
    }


def names(spec: str) -> list[str]:
    with open_source(spec) as source:
        return [entry.name for entry in source.entries()]


def unplug(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("me/set", ("me/set", "", "", "")),
        ("me/set/", ("me/set", "", "", "")),
        ("me/set/data/train-*", ("me/set", "data/train-*", "", "")),
        ("me/set@v1", ("me/set", "", "v1", "")),
        ("me/set/a@refs/convert/parquet#image A@#", ("me/set", "a", "refs/convert/parquet", "image A@#")),
        ("me/set#imageA", ("me/set", "", "", "imageA")),
    ],
)
def test_an_address_names_repository_path_revision_and_column(text: str, address: tuple[str, ...]) -> None:
    assert Address.parse(text) == Address(*address)


@pytest.mark.parametrize(
    "text",
    ["", "/", "me", "me/", "/me/set", "me/set/../x", "../set", "me/set@", "me/set#", "me/a b", "@v1", "me/\x1b[2J"],
)
def test_a_malformed_address_is_refused_before_anything_is_asked(hub: Hub, text: str) -> None:
    with pytest.raises(ImpastoError, match="is not a data set on the Hub: write hf:OWNER/NAME"):
        open_source(f"hf:{text}")
    assert hub.revisions == []


def test_the_images_of_a_folder_are_read_and_no_other_file_is_downloaded(hub: Hub) -> None:
    put(hub, "a/10.png", "a/9.PNG", "a/__MACOSX/._9.png", "b/1.png")
    with open_source("hf:me/set/a") as source:
        entries = list(source.entries())
        assert [entry.name for entry in entries] == ["9.PNG", "10.png"]
        assert [entry.read() for entry in entries] == [picture(1), picture(0)]
        assert (source.total, source.junk, source.name) == (2, 1, "hf:me/set/a")
    assert "b/1.png" not in hub.fetched and "README.md" not in hub.fetched
    assert names("hf:me/set") == ["a/9.PNG", "a/10.png", "b/1.png"]
    assert names("hf:me/set/b/1.png") == ["1.png"]
    assert names("hf:me/set/*/1?.png") == ["a/10.png"]


def test_listing_and_download_are_of_one_commit_and_files_are_downloaded_once(hub: Hub) -> None:
    put(hub, "1.png", "2.png")
    hub.branches.add("refs/convert/parquet")
    assert names("hf:me/set@refs/convert/parquet") == ["1.png", "2.png"]
    assert hub.revisions[0] == "refs/convert/parquet" and set(hub.revisions[1:]) == {COMMIT}
    hub.revisions.clear()
    assert names("hf:me/set") == ["1.png", "2.png"]
    assert len(hub.revisions) == 2 and sorted(hub.fetched) == ["1.png", "2.png"]


def test_without_a_connection_the_cache_is_used_if_all_files_are_there(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(hub, "a/1.png", "b/2.png")
    assert names("hf:me/set/a") == ["1.png"]
    unplug(monkeypatch)
    caplog.set_level(logging.INFO, "impasto")
    assert names("hf:me/set/a") == ["1.png"]
    assert "using hf:me/set/a as it was when it was last asked for" in caplog.text
    for part in ("", "/b", "@v1", "/a/1.png@v1"):
        with pytest.raises(ImpastoError, match="The Hub cannot be reached"):
            open_source(f"hf:me/set{part}")


def test_a_damaged_listing_in_the_cache_is_as_none(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(hub, "1.png")
    assert names("hf:me/set") == ["1.png"]
    unplug(monkeypatch)
    (listing,) = (tmp_path / "listings" / "hub").iterdir()
    for text in ("", "[1]", "{", '{"commit": 1, "sizes": {}}', '{"commit": "../..", "sizes": {"1.png": 3}}'):
        listing.write_text(text)
        with pytest.raises(ImpastoError, match="The Hub cannot be reached"):
            open_source("hf:me/set")


def test_parquet_files_are_packed_by_a_column(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    column = [images(PICTURES[:3]), images(PICTURES[3:])]
    hub.repositories["datasets/me/pairs"] = {
        "data/train-00000-of-00002.parquet": parquet(2, imageA=column[0], imageB=column[1]),
        "data/train-00001-of-00002.parquet": parquet(2, imageA=column[1], imageB=column[0]),
        "data/test-00000-of-00001.parquet": b"damaged",
        "preview.png": picture(9),
    }
    refused = impasto("pack", "hf:me/pairs", "packed", "--size", "16", check=False)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "(imageA, imageB): choose one, as in hf:me/pairs#imageA" in refused.stderr
    impasto("pack", "hf:me/pairs/data/train-*#imageB", "packed", "--size", "16")
    numbered = [f"train-0000{file}-of-00002-{row}" for file in range(2) for row in range(3)]
    assert list(PixelStore.open(tmp_path / "packed").names) == numbered
    printed = impasto("pack", "hf:me/pairs#imageA", "whole", "--size", "16").stdout
    assert "1 left out" in printed and "data/test-00000-of-00001.parquet: its parquet data are damaged" in printed
    assert len(PixelStore.open(tmp_path / "whole").names) == 6
    assert "preview.png" not in hub.fetched


def test_both_columns_of_a_file_are_read_as_two_sources(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    tall = [picture(value, 64) for value in range(4)]
    hub.repositories["datasets/me/pairs"] = {"train.parquet": parquet(a=images(tall[:2]), b=images(tall[2:]))}
    impasto("paint", "hf:me/pairs#a", "hf:me/pairs#b", "--style", "monet", "--out", "painted")
    assert len(list((tmp_path / "painted").rglob("*.png"))) == 4


def test_a_zip_is_read_as_one(hub: Hub) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inside/1.png", PICTURES[0])
    put(hub, "preview.png")
    hub.repositories["datasets/me/set"]["images.zip"] = file.getvalue()
    assert names("hf:me/set") == ["inside/1.png"]
    hub.repositories["datasets/me/set"]["more.zip"] = file.getvalue()
    assert names("hf:me/set/more.zip") == ["inside/1.png"]
    with pytest.raises(
        ImpastoError, match=r"several zips \(images.zip, more.zip\): choose one, as in hf:me/set/images"
    ):
        open_source("hf:me/set")


def test_paintings_and_photos_side_by_side_are_refused_with_what_to_give(hub: Hub) -> None:
    put(hub, "x/trainA/1.png", "x/trainB/1.png")
    for spec in ("hf:me/set", "hf:me/set/x"):
        with pytest.raises(ImpastoError, match="give hf:me/set/x/trainA or hf:me/set/x/trainB"):
            open_source(spec)


def test_errors_say_what_to_do(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    put(hub, "a/1.png", "b/1.tar")
    hub.repositories["datasets/me/empty"] = {}
    hub.repositories["datasets/me/gated"] = {}
    hub.gated.add("datasets/me/gated")
    for spec, message in {
        "hf:me/nothing": "There is no hf:me/nothing on the Hub",
        "hf:me/set@v9": "There is no hf:me/set@v9 on the Hub",
        "hf:me/gated": "hf:me/gated is open to those who accept its conditions",
        "hf:me/set/c": r"There is no c in hf:me/set, which holds \.gitattributes, README\.md, a, b",
        "hf:me/set/b": r"hf:me/set/b has no images, TFRecords, parquet files or zip \(only \.tar\)",
        "hf:me/empty": "hf:me/empty is empty",
        "hf:me/set#image": "hf:me/set has no parquet files, and no column image",
    }.items():
        with pytest.raises(ImpastoError, match=message):
            open_source(spec)
    monkeypatch.setattr(hub_dataset, "MAX_FILES", 3)
    with pytest.raises(ImpastoError, match="more than 3 files"):
        open_source("hf:me/set")
    assert hub.fetched == []


@pytest.mark.parametrize("name", ["../1.png", "/etc/1.png", "a/../../1.png", "a//1.png", "./1.png"])
def test_a_file_outside_of_its_repository_is_not_downloaded(hub: Hub, name: str) -> None:
    put(hub, name, "2.png")
    assert names("hf:me/set") == ["2.png"]
    assert hub.fetched == ["2.png"]


def test_a_large_download_is_told_and_one_that_the_disk_cannot_hold_refused(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(hub, "1.png", "2.png")
    caplog.set_level(logging.INFO, "impasto")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5_000_000_000))
    hub.sizes["1.png"] = 6_000_000_000
    with pytest.raises(ImpastoError, match=r"hf:me/set takes 6\.0 GB and 5\.0 GB are free in"):
        open_source("hf:me/set")
    assert hub.fetched == []
    hub.sizes["1.png"] = 3_000_000_000
    monkeypatch.setattr(hub_dataset, "ThreadPoolExecutor", lambda *arguments, **options: pytest.fail("downloads"))
    with pytest.raises(pytest.fail.Exception):
        open_source("hf:me/set")
    assert "Downloading hf:me/set: 2 files, 3.0 GB." in caplog.text
