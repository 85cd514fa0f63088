"""Generation as files, sheets and videos, with untrained and bundled styles."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from fixtures.cards import card
from fixtures.command import Impasto, one_line
from impasto.api.generate import SIDE, generate
from impasto.config.recipe import Recipe
from impasto.data import image_grid
from impasto.errors import ImpastoError
from impasto.networks import build_generator
from impasto.style import Style

STYLE = "chinese-landscape-64"


def untrained(recipe: str, scale: float, path: Path) -> str:
    """Save a style with scaled random weights, so that its images differ."""
    torch.manual_seed(0)
    small = Recipe.load(recipe).replace(["size=64", "latent=16", "generator.width=8"])
    network = build_generator(**small.generator_kwargs()).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(scale if weight.ndim > 1 else 1)
    Style(network, card(small)).save(path)
    return str(path)


@pytest.fixture(scope="module")
def mixing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A style whose network supports style mixing, with effective gates."""
    return untrained("fastgan-128", 6, tmp_path_factory.mktemp("style") / "mixing.safetensors")


def cells(path: Path, size: int = 64) -> np.ndarray:
    with Image.open(path) as sheet:
        return image_grid.cut(sheet, size, size)


def test_a_sheet_shows_the_same_images_as_the_files(tmp_path: Path) -> None:
    generate(STYLE, tmp_path / "files", count=6, seed=4, start=3)
    generate(STYLE, tmp_path / "sheet.png", count=6, seed=4, start=3)
    files = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "files").iterdir())]
    assert (tmp_path / "files" / "00003.png").exists()
    sheet = cells(tmp_path / "sheet.png").reshape(-1, 64, 64, 3)
    assert len(sheet) == 6  # two rows of three
    assert np.abs(sheet.astype(int) - np.stack(files)).max() <= 1


def test_a_loop_video_passes_every_image_and_returns_to_the_first(impasto: Impasto, tmp_path: Path) -> None:
    impasto("generate", STYLE, "--count", "3", "--seconds", "0.5", "--out", "loop.mp4")
    impasto("generate", STYLE, "--count", "3", "--out", "sheet.png")
    with av.open(str(tmp_path / "loop.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
    assert len(frames) == 45
    stops = cells(tmp_path / "sheet.png").reshape(-1, 64, 64, 3)[:3]
    apart = np.array([[np.abs(frame - stop).mean() for frame in frames] for stop in stops.astype(int)])
    assert (apart[range(3), (0, 15, 30)] < apart.min(axis=1) + 1).all()  # at the stops it hardly moves
    steps = [np.abs(one - other).mean() for one, other in zip(frames, [*frames[1:], frames[0]], strict=True)]
    for place, (stop, following) in enumerate(zip(stops, [*stops[1:], stops[0]], strict=True)):
        leg = steps[15 * place : 15 * place + 15]
        assert max(leg) < 0.6 * np.abs(stop.astype(int) - following).mean()


@pytest.mark.parametrize("name", ["12:30.mp4", "concat:a.mp4", "data:x.mp4", "a%03d.mp4", "-x.mp4", "12:30.webp"])
def test_any_name_is_that_of_a_file(name: str, impasto: Impasto, tmp_path: Path) -> None:
    impasto("generate", STYLE, "--count", "2", "--seconds", "0.1", f"--out={name}")
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize("suffix", [".gif", ".mkv", ".wmv", ".ts"])
def test_a_suffix_of_a_video_that_is_not_written_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=r"choose \.mp4 or \.webp"):
        generate(STYLE, tmp_path / f"loop{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_walk_video_ends_with_the_last_image(impasto: Impasto, tmp_path: Path) -> None:
    message = impasto(
        "generate", STYLE, "--count", "3", "--interpolate", "walk", "--seconds", "0.5", "--out", "walk.mp4"
    )
    impasto("generate", STYLE, "--count", "3", "--out", "sheet.png")
    assert "A walk of 3 paintings of 64×64, 1.0 s long" in message.stdout
    with av.open(str(tmp_path / "walk.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
    assert len(frames) == 31
    stops = cells(tmp_path / "sheet.png").reshape(-1, 64, 64, 3)[:3]
    apart = np.array([[np.abs(frame - stop).mean() for frame in frames] for stop in stops.astype(int)])
    assert (apart[range(3), (0, 15, 30)] < apart.min(axis=1) + 1).all()


def test_neighbours_are_more_similar_the_closer_they_are(tmp_path: Path) -> None:
    generate(STYLE, tmp_path / "near.png", count=1, start=2, show="neighbours")
    generate(STYLE, tmp_path / "one.png", count=1, start=2)
    near = cells(tmp_path / "near.png").astype(int)
    assert near.shape[:2] == (SIDE, SIDE)
    own = cells(tmp_path / "one.png").astype(int)[0, 0]
    apart = np.abs(near - own).mean((2, 3, 4))
    middle = SIDE // 2
    assert apart[middle, middle] <= 1 < apart[middle, middle + 1] < apart[middle, -1]


def test_mixtures_have_the_structure_of_their_row_and_the_appearance_of_their_column(
    mixing: str, tmp_path: Path
) -> None:
    generate(mixing, tmp_path / "mixed.png", count=3, show="mixtures")
    mixed = cells(tmp_path / "mixed.png").astype(int)
    assert mixed.shape[:2] == (4, 4) and (mixed[0, 0] == 255).all()
    for number in range(3):
        assert np.abs(mixed[number + 1, number + 1] - mixed[0, number + 1]).max() <= 1  # mixed with itself
        assert np.abs(mixed[number + 1, 0] - mixed[0, number + 1]).max() <= 1
    assert np.abs(mixed[1, 2] - mixed[1, 1]).mean() > 1
    assert np.abs(mixed[1, 2] - mixed[1, 1]).mean() < np.abs(mixed[1, 2] - mixed[2, 2]).mean()


def test_nearest_training_images_are_shown_next_to_each_sample(tmp_path: Path) -> None:
    """With the samples as training images, the nearest one is the sample itself."""
    generate(STYLE, tmp_path / "files", count=5)
    message = generate(STYLE, tmp_path / "beside.png", count=2, start=1, nearest=tmp_path / "files")
    with pytest.raises(ImpastoError, match="is an input of this command and is not overwritten"):
        generate(STYLE, tmp_path / "beside.png", nearest=tmp_path / "beside.png", overwrite=True)
    rows = cells(tmp_path / "beside.png").astype(int)
    assert rows.shape[:2] == (2, 4) and "nearest" in message
    for row in rows:
        assert np.abs(row[0] - row[1]).max() <= 1
        assert np.abs(row[0] - row[2]).mean() > 3


def test_lower_truncation_reduces_diversity(tmp_path: Path) -> None:
    generate(STYLE, tmp_path / "calm.png", count=16, truncation=0.8)
    generate(STYLE, tmp_path / "free.png", count=16)
    calm, free = (
        cells(tmp_path / f"{name}.png").reshape(-1, 64, 64, 3)[:16].std(0).mean() for name in ("calm", "free")
    )
    assert calm < 0.9 * free


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("folder", {"show": "neighbours"}, "make one sheet: choose an output ending in .png"),
        ("loop.mp4", {"nearest": "sample:paintings"}, "make one sheet"),
        ("sheet.png", {"truncation": 0.0}, "choose a value above 0"),
        ("loop.mp4", {"seconds": 0.0}, "at least one frame"),
        ("folder", {"interpolate": "walk"}, "--interpolate makes a video"),
        ("loop.gif", {}, "choose .mp4 or .webp for a video"),
        ("walk.mp4", {"interpolate": "walk", "count": 1}, "at least 2"),
        (
            "sheet.png",
            {"show": "neighbours", "nearest": "sample:paintings"},
            "--nearest applies to --show paintings only",
        ),
        ("sheet.png", {"nearest": "nowhere"}, "no file or folder nowhere"),
    ],
)
def test_inconsistent_options_are_refused_in_one_line(
    out: str, options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ImpastoError, match=message):
        generate(STYLE, tmp_path / out, **({"count": 2} | options))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_network_without_style_mixing_is_refused(tmp_path: Path) -> None:
    style = untrained("dcgan-64", 1, tmp_path / "plain.safetensors")
    with pytest.raises(ImpastoError, match="no style mixing"):
        generate(style, tmp_path / "sheet.png", count=2, show="mixtures")
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300"])
def test_a_duration_that_is_not_finite_or_too_long_is_refused_in_one_line(impasto: Impasto, value: str) -> None:
    said = one_line(impasto("generate", "monet-dream", "--out", "a.mp4", "--seconds", value, check=False))
    assert f"seconds = {float(value)}" in said


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_truncation_that_is_not_finite_is_refused_in_one_line(impasto: Impasto, value: str) -> None:
    said = one_line(impasto("generate", "monet-dream", "--out", "a.zip", "--truncation", value, check=False))
    assert f"truncation = {value}" in said
