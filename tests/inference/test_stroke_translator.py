import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fixtures.decoder_style import COUNT, generator, photo, style
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.inference import stroke_translator
from impasto.inference.options import PaintOptions
from impasto.inference.stroke_translator import StrokeTranslator, _mirrored
from impasto.inference.stroke_upsampling import enlarge
from impasto.inference.translator import Painter
from impasto.inference.video import translate
from impasto.inference.video.temporal import TemporalConsistency
from impasto.networks.feature_decoder import MOOD
from impasto.style import Style

SKETCHER, PAINTER = StrokeTranslator(generator(), torch.device("cpu"), 256), Painter(style(), torch.device("cpu"))


@settings(max_examples=10)
@given(height=st.integers(1, 90), width=st.integers(1, 90), brush=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_a_painting_has_the_photos_size_whatever_the_brush(height: int, width: int, brush: float) -> None:
    painting = PAINTER.paint(Image.fromarray(photo(height, width)), brush=brush)
    assert painting.size == (width, height) and painting.mode == "RGB"


@pytest.mark.parametrize(
    ("sides", "brush", "expected"),
    [
        ((256, 256), 1, (256, 256)),  # as it is
        ((2000, 2000), 1, (448, 448)),
        ((3000, 4000), 1, (388, 517)),
        ((3000, 4000), 2, (194, 259)),  # broader strokes
        ((256, 256), 0.5, (512, 512)),  # finer ones
        ((1, 4_000_000), 1, (1, 896_000)),  # as long as it has to be
    ],
)
def test_strokes_have_the_same_size_against_large_pictures(
    sides: tuple[int, int], brush: float, expected: tuple[int, int]
) -> None:
    assert SKETCHER._working_size(*sides, brush) == expected


def test_a_style_of_smaller_pictures_paints_and_measures_at_their_size() -> None:
    half, long = StrokeTranslator(generator(), torch.device("cpu"), 128), photo(200, 400)
    assert half._working_size(1500, 2000, 1) == (194, 259)
    assert half._measured(long).shape == (1, 3, 96, 192) and SKETCHER._measured(long).shape == (1, 3, 192, 352)


def test_the_first_use_by_many_threads_leaves_standard_output_alone() -> None:
    """Making the fixed network redirects it, as that package prints."""
    before, fresh = sys.stdout, Painter(style(), torch.device("cpu"))
    with ThreadPoolExecutor(8) as pool:
        paintings = list(pool.map(lambda _: fresh.paint_pixels(photo(64, 64)[None]), range(8)))
    assert sys.stdout is before
    assert len({painting.tobytes() for painting in paintings}) == 1
    assert fresh._stroke_translator is not None and len(fresh._stroke_translator._network._stages) == 1


def test_large_photos_are_enlarged_in_strokes_and_small_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    enlarged: list[tuple[int, ...]] = []

    def noticed(small: np.ndarray, large: np.ndarray) -> None:
        enlarged.append((*small.shape, *large.shape))
        enlarge(small, large)

    monkeypatch.setattr(stroke_translator, "enlarge", noticed)
    with torch.inference_mode():
        small, large = (SKETCHER.paint(photo(side, side)[None], PaintOptions())[0] for side in (300, 1100))
    assert enlarged == [(448, 448, 3, 1100, 1100, 3)]
    assert small.shape == (300, 300, 3) and large.shape == (1100, 1100, 3)
    shrunk = np.asarray(Image.fromarray(large).resize((300, 300), Image.Resampling.BOX)).astype(float)
    assert np.abs(shrunk.mean((0, 1)) - small.mean((0, 1))).max() < 8  # the same light: one code, of a thumbnail


@settings(max_examples=20)
@given(height=st.integers(1, 100), width=st.integers(1, 100))
def test_beyond_its_border_a_photo_goes_on_as_its_mirror_image(height: int, width: int) -> None:
    """Drawn out, the last pixels would be streaks, which are painted as something."""
    given = photo(height, width)
    found = _mirrored(given)
    assert found.shape[0] % 32 == found.shape[1] % 32 == 0 and max(found.shape[0] - height, found.shape[1] - width) < 32
    assert np.array_equal(found[:height, :width], given)
    for beyond in range(min(width, found.shape[1] - width)):
        assert np.array_equal(found[:height, width + beyond], given[:, width - 1 - beyond])


def test_a_photo_is_painted_in_the_mood_of_the_nearest_painting_unless_another_is_chosen() -> None:
    picture = photo(64, 96)
    nearest = SKETCHER.nearest(picture)
    with torch.inference_mode():
        usual, same, other = (
            SKETCHER.paint(picture[None], PaintOptions(mood=mood))
            for mood in (None, SKETCHER.mood([nearest]), SKETCHER.mood([(nearest + 1) % COUNT]))
        )
    assert np.array_equal(usual, same) and not np.array_equal(usual, other)


def test_several_moods_are_mixed() -> None:
    one, two, both = (np.array(SKETCHER.mood(numbers)) for numbers in ([0], [1], [0, 1]))
    assert np.allclose(both, (one + two) / 2) and len(one) == MOOD


def test_a_picture_lends_its_mood_at_any_size(tmp_path: object) -> None:
    paths = [f"{tmp_path}/{side}.png" for side in (256, 700)]
    for path, side in zip(paths, (256, 700), strict=True):
        Image.fromarray(photo(side, side)).save(path)
    small, large = (np.array(SKETCHER.mood(like=[path])) for path in paths)
    assert np.corrcoef(small, large)[0, 1] > 0.99


def test_a_mood_that_there_is_not_is_refused_in_one_line() -> None:
    with pytest.raises(ImpastoError, match=r"mood = 5: this style has moods 0 to 4\."):
        SKETCHER.mood([5])
    with pytest.raises(ImpastoError, match="has no moods"):
        Painter(translator(), torch.device("cpu")).mood(0)


def test_a_film_keeps_the_mood_of_its_first_frame() -> None:
    settled = PAINTER.settled(PaintOptions(), photo(64, 96))
    assert settled.mood == SKETCHER.mood([SKETCHER.nearest(photo(64, 96))])
    chosen = PaintOptions(mood=SKETCHER.mood([3]))
    assert PAINTER.settled(chosen, photo(64, 96)) is chosen


def test_opening_a_style_paints_as_the_network_that_was_saved(tmp_path: object) -> None:
    path = f"{tmp_path}/small.safetensors"
    from pathlib import Path

    style().save(Path(path))
    again = Painter(Style.load(path), torch.device("cpu"))
    picture = Image.fromarray(photo(64, 96))
    assert again.moods == COUNT and again.paint(picture).tobytes() == PAINTER.paint(picture).tobytes()


def moods(
    painter: Painter, frames: list[np.ndarray], scene: translate.Scene, monkeypatch: pytest.MonkeyPatch
) -> list[object]:
    """In which mood each frame of a film was painted last."""
    painted: dict[bytes, object] = {}
    plain = Painter.paint_pixels

    def noticed(self: Painter, pixels: np.ndarray, manner: PaintOptions) -> np.ndarray:
        painted[pixels.tobytes()] = manner.mood
        return plain(self, pixels, manner)

    monkeypatch.setattr(Painter, "paint_pixels", noticed)
    list(translate._paint(painter, ((frame, number) for number, frame in enumerate(frames)), scene, False))
    return [painted[frame[None].tobytes()] for frame in frames]


def test_each_scene_of_a_film_has_a_mood_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its first frame is: here it fades in from black."""
    first, second = photo(48, 64, seed=1), photo(48, 64, seed=6)
    known, network = [np.zeros_like(first), second, first], generator()
    painter = Painter(replace(style(), network=network), torch.device("cpu"))
    sketcher = painter._stroke_translator
    assert sketcher is not None
    network.remember(torch.cat([network.statistics(sketcher._measured(each)) for each in known]))
    black, two, one = (sketcher.mood([number]) for number in range(3))
    noise = np.random.default_rng(0)
    frames = [np.zeros_like(first)]
    for still in (first, second):
        frames += [(still + noise.normal(0, 2, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(4)]
    assert moods(painter, frames, translate.Scene(PaintOptions()), monkeypatch) == [black, *[one] * 4, *[two] * 4]
    chosen = sketcher.mood([1, 2])
    assert moods(painter, frames, translate.Scene(PaintOptions(mood=chosen)), monkeypatch) == [chosen] * 9


def test_noise_alone_is_no_new_scene() -> None:
    rng, steady = np.random.default_rng(0), TemporalConsistency()
    cuts = []
    for _ in range(4):
        noisy = (photo(180, 320, seed=1) + rng.normal(0, 60, (180, 320, 3))).clip(0, 255).astype(np.uint8)
        steady.follow(noisy, noisy)
        cuts.append(steady.cut)
    assert cuts == [True, False, False, False]


def test_a_scene_is_gone_on_with_in_its_mood(tmp_path: Path) -> None:
    scene = translate.Scene(
        PaintOptions(brush=2), SKETCHER.mood([3]), TemporalConsistency(photo(20, 30), photo(20, 30, 1), 4)
    )
    translate._keep(tmp_path / "key.npz", scene)
    again = translate._recall(tmp_path / "key.npz", scene.manner)
    assert again.mood == scene.mood and again.manner == scene.manner and again.steady.age == 4
    assert again.steady.photo is not None and np.array_equal(again.steady.photo, photo(20, 30))
    translate._keep(tmp_path / "none.npz", translate.Scene(PaintOptions()))
    assert translate._recall(tmp_path / "none.npz", PaintOptions()) == translate.Scene(PaintOptions())


def test_a_film_that_was_begun_before_scenes_had_moods_goes_on_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    still = photo(48, 64, seed=1)
    noise = np.random.default_rng(0)
    frames = [(still + noise.normal(0, 2, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(3)]
    first, *others = moods(
        PAINTER, frames, translate.Scene(PaintOptions(), None, TemporalConsistency(still, still)), monkeypatch
    )
    assert first is not None and others == [first, first]
