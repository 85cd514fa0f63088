"""Batches: each photo is painted under its own name, and the others are listed with reasons."""

import threading
import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fixtures.translators import translator
from impasto.config.types import Pixels
from impasto.errors import ImpastoError
from impasto.inference.batch import Outcome, paint_photos, summarise
from impasto.inference.options import PaintOptions
from impasto.inference.output import ImageWriter
from impasto.inference.photo_sources import open_photos
from impasto.inference.share_done import ShareDone
from impasto.inference.translator import Translator

NEGATIVE = Translator(translator(-1), torch.device("cpu"))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def paint(
    photos: Iterable[Path], translator: Translator = NEGATIVE, **how: object
) -> tuple[dict[str, np.ndarray], Outcome]:
    """Return the decoded paintings by name, and the outcome."""
    written: dict[str, bytes] = {}
    with open_photos(photos, Path("elsewhere")) as sources:
        outcome = paint_photos(translator, sources, ImageWriter(written.__setitem__), **how)  # type: ignore[arg-type]
    return {name: np.asarray(Image.open(BytesIO(data))) for name, data in written.items()}, outcome


def test_folder_names_and_image_sizes_are_preserved(tmp_path: Path) -> None:
    shapes = {"a.png": (3, 500), "inside/a.png": (1, 1), "inside/deeper/b c.PNG": (40, 30)}
    for number, (name, shape) in enumerate(shapes.items()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(*shape, number)).save(tmp_path / name)
    written, outcome = paint([tmp_path])
    assert written.keys() == shapes.keys() and outcome == Outcome(paintings=3)
    for number, (name, shape) in enumerate(shapes.items()):
        assert np.array_equal(written[name], 255 - noise(*shape, number))


def test_all_image_modes_are_painted_as_displayed(tmp_path: Path) -> None:
    grey = noise(8, 6)[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.tif")
    Image.new("RGBA", (6, 8), (1, 2, 3, 0)).save(tmp_path / "clear.png")
    Image.new("CMYK", (6, 8), (0, 0, 0, 0)).save(tmp_path / "print.tiff")
    frames = [Image.new("L", (6, 8), level) for level in (40, 90)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    written, outcome = paint([tmp_path])
    assert not outcome.left_out
    assert np.array_equal(written["grey.png"], 255 - np.stack([grey] * 3, -1))
    assert np.array_equal(written["deep.png"], written["grey.png"])
    assert not written["clear.png"].any() and not written["print.png"].any()
    assert np.array_equal(written["moving.png"], np.full((8, 6, 3), 255 - 40))


def test_progress_counts_the_done_part_of_a_large_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.inference.precision.BATCH_PIXELS", 1000)
    monkeypatch.setattr("impasto.inference.tiling.executor.SIDES", (64,))
    Image.fromarray(noise(256, 256)).save(tmp_path / "large.png")
    Image.fromarray(noise(8, 8)).save(tmp_path / "small.png")
    done: list[float] = []
    paint([tmp_path], progress=lambda now, total: done.append(now))
    assert done == sorted(done) and done[-1] == 2 and set(done) > {0, 1, 2}
    assert sum(0 < now < 1 for now in done) > 8 and not any(1 < now < 2 for now in done)


def test_a_damaged_file_stops_no_other_and_is_listed_with_its_reason(tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        Image.fromarray(noise(4, 4)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    calls: list[tuple[int, int | None]] = []
    written, outcome = paint([tmp_path], progress=lambda done, total: calls.append((done, total)))
    assert written.keys() == {"a.png", "c.png"} and outcome.paintings == 2
    (left,) = outcome.left_out
    assert left.name == f"{tmp_path}/b.png" and "damaged or truncated" in left.reason
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert summarise(outcome, Path("out"))[0] == "2 paintings in out"
    assert summarise(outcome, Path("out"))[1].startswith("Left out: ")


def test_a_video_in_a_folder_is_left_out_with_what_to_do(tmp_path: Path) -> None:
    Image.fromarray(noise(4, 4)).save(tmp_path / "a.png")
    (tmp_path / "film.MOV").write_bytes(b"\0\0\0\x14ftypqt  ")
    _, outcome = paint([tmp_path])
    assert [left.reason for left in outcome.left_out] == [
        "a video: name it itself, or by a pattern such as '*.mp4'; in folders, add --films"
    ]


def test_if_no_photo_can_be_painted_the_first_reason_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.txt").write_text("hello")
    with pytest.raises(ImpastoError, match=r"a\.txt: text, not an image, and 1 more"):
        paint([tmp_path])


def test_photos_of_one_name_get_different_output_names(tmp_path: Path) -> None:
    photos = [tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"]
    for number, photo in enumerate(photos):
        photo.parent.mkdir()
        Image.fromarray(noise(4, 4, number)).save(photo)
    written, outcome = paint(photos)
    assert np.array_equal(written["a.png"], 255 - noise(4, 4, 0))
    assert np.array_equal(written["a-2.png"], 255 - noise(4, 4, 1))
    assert outcome.renamed == [(str(photos[1]), "a-2.png")]
    assert "a-2.png" in summarise(outcome, Path("out"))[1]


def test_large_photos_are_painted_one_at_a_time_on_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.inference.translator.LARGE", 20 * 20)
    monkeypatch.setattr("impasto.inference.batch.BENCHMARK_FROM", 0)
    monkeypatch.setattr("impasto.inference.translator.choose_workers", lambda work: 3)  # whatever is fastest here
    model, threads = Translator(translator(-1), torch.device("cpu")), torch.get_num_threads()
    really, guard, under_way, seen = model.paint_pixels, threading.Lock(), list[int](), list[tuple[int, int, int]]()

    def noted(pixels: Pixels, options: PaintOptions, progress: ShareDone) -> Pixels:
        side = pixels.shape[1]
        with guard:
            under_way.append(side)
            seen.append((side, torch.get_num_threads(), under_way.count(side)))
        time.sleep(0.01)
        painted = really(pixels, options, progress)
        with guard:
            under_way.remove(side)
        return painted

    monkeypatch.setattr(model, "paint_pixels", noted)
    for number in range(12):
        Image.fromarray(noise(20, 20) if number % 3 else noise(30, 30)).save(tmp_path / f"{number}.png")
    _, outcome = paint([tmp_path], model)
    assert outcome.paintings == 12
    assert {(used, at_once) for side, used, at_once in seen if side == 30} == {(threads, 1)}
    assert {used for side, used, _ in seen if side == 20} == {1}


def test_strength_0_writes_the_photo_and_compare_puts_it_on_the_left(tmp_path: Path) -> None:
    Image.fromarray(noise(5, 7)).save(tmp_path / "a.png")
    written, _ = paint([tmp_path], options=PaintOptions(strength=0.0))
    assert np.array_equal(written["a.png"], noise(5, 7))
    written, _ = paint([tmp_path], compare=True)
    assert np.array_equal(written["a.png"], np.concatenate([noise(5, 7), 255 - noise(5, 7)], 1))


def test_a_painting_too_large_for_its_format_is_left_out(tmp_path: Path) -> None:
    Image.new("RGB", (9_000, 1)).save(tmp_path / "long.webp")
    Image.new("RGB", (9, 1)).save(tmp_path / "short.webp")
    written, outcome = paint([tmp_path], compare=True)
    assert written.keys() == {"short.webp"}
    assert [left.name for left in outcome.left_out] == [f"{tmp_path}/long.webp"]


def test_terminal_escape_sequences_in_names_are_replaced() -> None:
    outcome = Outcome(paintings=1, renamed=[("a\x1b[31m.jpg", "b.jpg")])
    assert "\x1b" not in "".join(summarise(outcome, Path("out")))
