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
from impasto.inference import stroke_renderer
from impasto.inference.options import PaintOptions
from impasto.inference.share_done import ShareDone
from impasto.inference.stroke_renderer import StrokeRenderer, _reflected
from impasto.inference.stroke_upsampling import enlarge
from impasto.inference.translator import Translator
from impasto.inference.video import translate
from impasto.inference.video.temporal import TemporalConsistency
from impasto.networks.feature_decoder import MOOD_DIM
from impasto.style import Style

RENDERER = StrokeRenderer(generator(), torch.device("cpu"), 256)
TRANSLATOR = Translator(style(), torch.device("cpu"))


@settings(max_examples=10)
@given(height=st.integers(1, 90), width=st.integers(1, 90), brush=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_a_painting_has_the_size_of_its_photo_with_any_brush(height: int, width: int, brush: float) -> None:
    painting = TRANSLATOR.paint(Image.fromarray(photo(height, width)), brush=brush)
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
def test_the_working_size_gives_strokes_of_constant_relative_size(
    sides: tuple[int, int], brush: float, expected: tuple[int, int]
) -> None:
    assert RENDERER._working_size(*sides, brush) == expected


def test_the_working_size_follows_the_training_size() -> None:
    half, long = StrokeRenderer(generator(), torch.device("cpu"), 128), photo(200, 400)
    assert half._working_size(1500, 2000, 1) == (194, 259)
    assert half._thumbnail(long).shape == (1, 3, 96, 192) and RENDERER._thumbnail(long).shape == (1, 3, 192, 352)


def test_concurrent_first_use_does_not_redirect_standard_output() -> None:
    """Making the fixed network redirects it, as that package prints."""
    before, fresh = sys.stdout, Translator(style(), torch.device("cpu"))
    with ThreadPoolExecutor(8) as pool:
        paintings = list(pool.map(lambda _: fresh.paint_pixels(photo(64, 64)[None]), range(8)))
    assert sys.stdout is before
    assert len({painting.tobytes() for painting in paintings}) == 1
    assert fresh._strokes is not None and len(fresh._strokes._network._stages) == 1


def test_only_large_paintings_are_enlarged_with_strokes(monkeypatch: pytest.MonkeyPatch) -> None:
    enlarged: list[tuple[int, ...]] = []

    def noticed(small: np.ndarray, large: np.ndarray, progress: ShareDone) -> None:
        enlarged.append((*small.shape, *large.shape))
        enlarge(small, large, progress)

    monkeypatch.setattr(stroke_renderer, "enlarge", noticed)
    with torch.inference_mode():
        small, large = (RENDERER.render(photo(side, side)[None], PaintOptions())[0] for side in (300, 1100))
    assert enlarged == [(448, 448, 3, 1100, 1100, 3)]
    assert small.shape == (300, 300, 3) and large.shape == (1100, 1100, 3)
    shrunk = np.asarray(Image.fromarray(large).resize((300, 300), Image.Resampling.BOX)).astype(float)
    assert np.abs(shrunk.mean((0, 1)) - small.mean((0, 1))).max() < 8  # the same light: one code, of a thumbnail


@settings(max_examples=20)
@given(height=st.integers(1, 100), width=st.integers(1, 100))
def test_photos_are_padded_by_reflection(height: int, width: int) -> None:
    """Drawn out, the last pixels would be streaks, which are painted as something."""
    given = photo(height, width)
    found = _reflected(given)
    assert found.shape[0] % 32 == found.shape[1] % 32 == 0 and max(found.shape[0] - height, found.shape[1] - width) < 32
    assert np.array_equal(found[:height, :width], given)
    for beyond in range(min(width, found.shape[1] - width)):
        assert np.array_equal(found[:height, width + beyond], given[:, width - 1 - beyond])


def test_the_default_mood_is_that_of_the_nearest_training_painting() -> None:
    picture = photo(64, 96)
    nearest = RENDERER.nearest(picture)
    with torch.inference_mode():
        usual, same, other = (
            RENDERER.render(picture[None], PaintOptions(mood=mood))
            for mood in (None, RENDERER.mood([nearest]), RENDERER.mood([(nearest + 1) % COUNT]))
        )
    assert np.array_equal(usual, same) and not np.array_equal(usual, other)


def test_several_moods_are_averaged() -> None:
    one, two, both = (np.array(RENDERER.mood(numbers)) for numbers in ([0], [1], [0, 1]))
    assert np.allclose(both, (one + two) / 2) and len(one) == MOOD_DIM


def test_the_mood_of_a_reference_image_does_not_depend_on_its_size(tmp_path: object) -> None:
    paths = [f"{tmp_path}/{side}.png" for side in (256, 700)]
    for path, side in zip(paths, (256, 700), strict=True):
        Image.fromarray(photo(side, side)).save(path)
    small, large = (np.array(RENDERER.mood(like=[path])) for path in paths)
    assert np.corrcoef(small, large)[0, 1] > 0.99


def test_an_unknown_mood_is_refused_in_one_line() -> None:
    with pytest.raises(ImpastoError, match=r"mood = 5: choose 0 to 4\."):
        RENDERER.mood([5])
    with pytest.raises(ImpastoError, match="has no moods"):
        Translator(translator(), torch.device("cpu")).mood(0)


def test_a_fixed_mood_is_that_of_the_nearest_training_painting() -> None:
    fixed = TRANSLATOR.fix_mood(PaintOptions(), photo(64, 96))
    assert fixed.mood == RENDERER.mood([RENDERER.nearest(photo(64, 96))])
    chosen = PaintOptions(mood=RENDERER.mood([3]))
    assert TRANSLATOR.fix_mood(chosen, photo(64, 96)) is chosen


def test_a_reloaded_style_paints_the_same(tmp_path: object) -> None:
    path = f"{tmp_path}/small.safetensors"
    from pathlib import Path

    style().save(Path(path))
    again = Translator(Style.load(path), torch.device("cpu"))
    picture = Image.fromarray(photo(64, 96))
    assert again.moods == COUNT and again.paint(picture).tobytes() == TRANSLATOR.paint(picture).tobytes()


def moods(
    translator: Translator, frames: list[np.ndarray], scene: translate.Scene, monkeypatch: pytest.MonkeyPatch
) -> list[object]:
    """In which mood each frame of a film was painted last."""
    painted: dict[bytes, object] = {}
    plain = Translator.paint_pixels

    def noticed(self: Translator, pixels: np.ndarray, options: PaintOptions) -> np.ndarray:
        painted[pixels.tobytes()] = options.mood
        return plain(self, pixels, options)

    monkeypatch.setattr(Translator, "paint_pixels", noticed)
    list(translate._paint(translator, ((frame, number) for number, frame in enumerate(frames)), scene, False))
    return [painted[frame[None].tobytes()] for frame in frames]


def test_each_scene_of_a_video_has_its_own_mood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its first frame is: here it fades in from black."""
    first, second = photo(48, 64, seed=1), photo(48, 64, seed=6)
    known, network = [np.zeros_like(first), second, first], generator()
    translator = Translator(replace(style(), network=network), torch.device("cpu"))
    renderer = translator._strokes
    assert renderer is not None
    network.set_moods(torch.cat([network.statistics(renderer._thumbnail(each)) for each in known]))
    black, two, one = (renderer.mood([number]) for number in range(3))
    noise = np.random.default_rng(0)
    frames = [np.zeros_like(first)]
    for still in (first, second):
        frames += [(still + noise.normal(0, 2, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(4)]
    assert moods(translator, frames, translate.Scene(PaintOptions()), monkeypatch) == [black, *[one] * 4, *[two] * 4]
    chosen = renderer.mood([1, 2])
    assert moods(translator, frames, translate.Scene(PaintOptions(mood=chosen)), monkeypatch) == [chosen] * 9


def test_noise_alone_is_not_a_cut() -> None:
    rng, consistency = np.random.default_rng(0), TemporalConsistency()
    cuts = []
    for _ in range(4):
        noisy = (photo(180, 320, seed=1) + rng.normal(0, 60, (180, 320, 3))).clip(0, 255).astype(np.uint8)
        consistency.follow(noisy, noisy)
        cuts.append(consistency.cut)
    assert cuts == [True, False, False, False]


def test_a_scene_resumes_in_its_mood(tmp_path: Path) -> None:
    scene = translate.Scene(
        PaintOptions(brush=2), RENDERER.mood([3]), TemporalConsistency(photo(20, 30), photo(20, 30, 1), 4)
    )
    translate._save_scene(tmp_path / "key.npz", scene)
    again = translate._load_scene(tmp_path / "key.npz", scene.options)
    assert again.mood == scene.mood and again.options == scene.options and again.consistency.age == 4
    assert again.consistency.photo is not None and np.array_equal(again.consistency.photo, photo(20, 30))
    translate._save_scene(tmp_path / "none.npz", translate.Scene(PaintOptions()))
    assert translate._load_scene(tmp_path / "none.npz", PaintOptions()) == translate.Scene(PaintOptions())


def test_a_video_begun_before_scenes_had_moods_resumes_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    still = photo(48, 64, seed=1)
    noise = np.random.default_rng(0)
    frames = [(still + noise.normal(0, 2, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(3)]
    first, *others = moods(
        TRANSLATOR, frames, translate.Scene(PaintOptions(), None, TemporalConsistency(still, still)), monkeypatch
    )
    assert first is not None and others == [first, first]
