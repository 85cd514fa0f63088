"""`impasto evaluate`, as run from a shell and from Python."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

import impasto as package
from fixtures.command import Impasto
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error of a failed command, which must be one line for a person."""
    said = [line for line in done.stderr.splitlines() if not line.startswith("Fetching")]
    assert done.returncode != 0 and len(said) == 1 and said[0].startswith("impasto: "), done.stderr
    return said[0]


@pytest.fixture
def paintings(tmp_path: Path) -> Path:
    """The sample's sixty Monets as a folder."""
    folder = tmp_path / "paintings"
    folder.mkdir()
    with open_source("sample:paintings") as source:
        for entry in source.entries():
            (folder / Path(entry.name).name).write_bytes(entry.read())
    return folder


def written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    Evaluation.model_validate(found)
    return found


def test_a_style_is_evaluated_and_every_score_states_network_and_counts(impasto: Impasto, tmp_path: Path) -> None:
    said = impasto(
        "evaluate", "chinese-landscape-64", "--against", "sample:paintings", "--count", "30", "--out", "e"
    ).stdout
    assert "KID[efficientnet-lite0]" in said and "30 fakes v 30 reals" in said
    assert "64×64 px" in said and "15 v 15" in said
    assert "FID" not in said
    deciding, scores = written(tmp_path / "e")["scores"]
    assert deciding["network"] == "alexnet"  # as the style was trained against the features of the other
    assert (scores["network"], scores["fakes"], scores["reals"], scores["size"]) == ("efficientnet-lite0", 30, 30, 64)
    page = (tmp_path / "e" / "evaluation.html").read_text()
    assert "KID[efficientnet-lite0]" in page and not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    with Image.open(tmp_path / "e" / "copies.jpg") as sheet:
        assert sheet.size == (4 * 66 - 2, 12 * 66 - 2)  # a fake and its three nearest, twelve times


@pytest.mark.long
def test_the_same_images_in_a_folder_a_pack_and_a_zip_score_the_same(
    impasto: Impasto, paintings: Path, tmp_path: Path
) -> None:
    impasto("pack", paintings, "packed", "--size", "256")
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        for path in sorted(paintings.iterdir(), reverse=True):
            archive.write(path, path.name)
    half = tmp_path / "half"
    half.mkdir()
    for path in sorted(paintings.iterdir())[::2]:
        shutil.copy(path, half)
    found = []
    for reals in (str(paintings), "packed", "zipped.zip"):
        impasto("evaluate", "half", "--against", reals, "--out", "e")
        found.append({name: value["value"] for name, value in written(tmp_path / "e")["scores"][0]["values"].items()})
    assert found[1] == pytest.approx(found[0], rel=1e-6) and found[2] == pytest.approx(found[0], rel=1e-6)
    assert found[0]["d"] < 1e-6 and found[0]["precision"] == 1


def test_copies_are_reported_as_memorisation(impasto: Impasto, paintings: Path, tmp_path: Path) -> None:
    """Saved again, smaller and a little blurred: what a generator that memorised would paint."""
    copied = tmp_path / "copied"
    copied.mkdir()
    for path in paintings.iterdir():
        with Image.open(path) as picture:
            picture.filter(ImageFilter.GaussianBlur(0.7)).save(copied / f"copy of {path.name}", quality=80)
    said = impasto("evaluate", "copied", "--against", paintings, "--out", "e").stdout
    assert "has memorised" in said or "Some are copies" in said
    for suspect in written(tmp_path / "e")["copies"]["suspects"]:
        assert suspect["fake"] == f"copy of {suspect['reals'][0]}"


def test_mode_collapse_shows_in_duplicates_and_coverage(impasto: Impasto, paintings: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.mkdir()
    for k in range(20):
        shutil.copy(sorted(paintings.iterdir())[0], one / f"{k}.jpg")
    impasto("evaluate", "one", "--against", paintings, "--out", "e")
    found = written(tmp_path / "e")
    assert found["fakes"]["duplicates"] == 19 and found["fakes"]["scored"] == 20
    assert found["scores"][0]["values"]["coverage"]["value"] < 0.3


@pytest.mark.long
def test_every_network_has_its_table(impasto: Impasto, tmp_path: Path) -> None:
    arguments = ("chinese-landscape-64", "--against", "sample:paintings", "--count", "10", "--out", "e", "--intervals")
    said = impasto("evaluate", *arguments, "--network", "efficientnet-lite0", "--network", "alexnet").stdout
    assert "KID[efficientnet-lite0]" in said and "KID[alexnet]" in said and "10 fakes v 10 reals" in said
    found = written(tmp_path / "e")
    assert [scores["network"] for scores in found["scores"]] == ["efficientnet-lite0", "alexnet"]
    for scores in found["scores"]:
        for value in scores["values"].values():
            low, high = value["interval"] or (value["value"], value["value"])
            assert low <= value["value"] <= high
        assert scores["values"]["FD"]["interval"]


def test_content_preservation_is_measured_by_name(impasto: Impasto, paintings: Path, tmp_path: Path) -> None:
    kept: dict[str, float] = {}
    for radius in (1, 4):
        folder = tmp_path / f"blur-{radius}"
        folder.mkdir()
        for path in sorted(paintings.iterdir())[:6]:
            with Image.open(path) as picture:
                picture.filter(ImageFilter.GaussianBlur(radius)).save(folder / f"{path.stem}.png")
        impasto("evaluate", folder, "--against", paintings, "--photos", paintings, "--out", "e", "--size", "64")
        content = written(tmp_path / "e")["content"]
        assert content["pairs"] == 6
        kept |= {f"{name} {radius}": value["value"] for name, value in content["values"].items()}
    assert kept["SSIM 1"] > kept["SSIM 4"] and kept["ST-LPIPS[vgg16] 1"] < kept["ST-LPIPS[vgg16] 4"]
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(sorted(paintings.iterdir())[0], other / "nobody.jpg")
    error = one_line(impasto("evaluate", folder, "--against", paintings, "--photos", "other", check=False))
    assert "needs equal names" in error


@pytest.mark.long
def test_equal_names_in_different_folders_are_matched_by_path(
    impasto: Impasto, paintings: Path, tmp_path: Path
) -> None:
    for side in ("painted", "taken"):
        for folder, path in zip("xy", sorted(paintings.iterdir())[:2], strict=True):
            (tmp_path / side / folder).mkdir(parents=True)
            shutil.copy(path, tmp_path / side / folder / "1.jpg")
    arguments = ("evaluate", "painted", "--against", "sample:paintings", "--out", "e")
    impasto(*arguments, "--photos", "taken")
    content = written(tmp_path / "e")["content"]
    assert content["pairs"] == 2 and content["values"]["SSIM"]["value"] == pytest.approx(1)
    (tmp_path / "taken" / "x").rename(tmp_path / "taken" / "z")
    (tmp_path / "taken" / "y").rename(tmp_path / "taken" / "w")
    assert "Several images are named 1" in one_line(impasto(*arguments, "--photos", "taken", check=False))


@pytest.mark.long
def test_a_style_against_itself_uses_other_samples(impasto: Impasto, tmp_path: Path) -> None:
    said = impasto(
        "evaluate", "chinese-landscape-64", "--against", "chinese-landscape-64", "--count", "200", "--out", "e"
    ).stdout
    assert "not distinguishable" in said and "memorised" not in said


def test_unreadable_files_are_listed(impasto: Impasto, paintings: Path, tmp_path: Path) -> None:
    (paintings / "note.jpg").write_text("no picture")
    impasto("evaluate", "sample:paintings", "--against", paintings, "--out", "e")
    reals = written(tmp_path / "e")["reals"]
    assert reals["left_out"][0][0] == "note.jpg" and (reals["there"], reals["scored"]) == (61, 60)
    assert "note.jpg" in (tmp_path / "e" / "evaluation.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere", "--against", "sample:paintings"), "nowhere"),
        (("empty", "--against", "sample:paintings"), "empty"),
        (("one", "--against", "sample:paintings"), "at least 2 generated images"),
        (("sample:paintings", "--against", "text"), "no readable image"),
        (("chinese-landscape-64", "--against", "sample:paintings", "--photos", "sample:photos"), "remove --photos"),
        (("sample:paintings", "--against", "sample:photos", "--network", "inception"), "inception-2015"),
        (("sample:paintings", "--against", "sample:photos", "--weights", "text/a.jpg"), "includes its weights"),
        (
            (
                "sample:paintings",
                "--against",
                "sample:photos",
                "--network",
                "inception-2015",
                "--weights",
                "text/a.jpg",
            ),
            "text/a.jpg",
        ),
        (("sample:paintings", "--against", "sample:photos", "--network", "inception-2015"), "--weights"),
        (("sample:paintings", "--against", "sample:photos", "--out", "text/a.jpg"), "is a file"),
        (("sample:paintings", "--against", "sample:photos", "--out", "text/a.jpg/deeper"), "is a file"),
        (("sample:paintings", "--against", "sample:photos", "--out", "/proc/x"), "/proc/x cannot be created"),
    ],
)
def test_wrong_input_gives_a_one_line_error(
    impasto: Impasto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    for name in ("empty", "one", "text"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "one" / "a.png")
    (tmp_path / "text" / "a.jpg").write_text("no picture")
    for proxy in ("http_proxy", "https_proxy", "HTTPS_PROXY"):  # no network, wherever this runs
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    assert told in one_line(impasto("evaluate", *arguments, check=False))
    assert not (tmp_path / "evaluation").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("copies.jpg", "holds copies.jpg, which is not of an earlier report"),
        ("evaluation.json", "holds evaluation.json, which is not of an earlier report"),
        ("run.json", "is a run folder"),
    ],
)
def test_files_that_are_not_of_an_evaluation_are_not_replaced(
    impasto: Impasto, tmp_path: Path, name: str, told: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text('{"mine": 1}')
    done = impasto("evaluate", "sample:paintings", "--against", "sample:photos", "--out", "out", check=False)
    assert told in one_line(done)
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [(name, '{"mine": 1}')]


def test_every_public_function_is_callable() -> None:
    assert all(callable(getattr(package, name)) for name in package.__all__)


def test_evaluate_from_python(tmp_path: Path) -> None:
    found = package.evaluate("chinese-landscape-64", "sample:paintings", count=10)
    assert found.scores[0].counts == "10 v 10" and not list(tmp_path.iterdir())
    with pytest.raises(ImpastoError, match="nowhere"):
        package.evaluate("nowhere", "sample:paintings")


@pytest.mark.long
def test_photos_and_monets_have_the_published_kid(shared_data: Path, tmp_path: Path) -> None:
    """Efficientnet-lite0, 300 pictures each: 0.056 ± 0.004, and −0.0003 ± 0.0008 between halves."""
    kaggle = shared_data / "kaggle_monet"
    found = package.evaluate(kaggle / "photo_jpg", kaggle / "monet_jpg", count=300)
    kid = found.scores[0].values["KID"]
    assert kid.value == pytest.approx(0.056, abs=0.008) and kid.floor == pytest.approx(0, abs=0.003)
    assert np.mean(found.copies.fakes) > np.mean(found.copies.reals)
