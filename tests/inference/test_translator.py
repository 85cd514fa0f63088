from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fixtures.decoder_style import style as decoder_style
from fixtures.translators import translator
from impasto.config.recipe import Recipe
from impasto.data.augment import to_float, to_pixels
from impasto.errors import ImpastoError
from impasto.inference.coarse_to_fine import CoarseToFineRenderer
from impasto.inference.options import PaintOptions
from impasto.inference.photo import TooLargeError
from impasto.inference.translator import Translator
from impasto.networks import build_generator
from impasto.style import Style


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


NEGATIVE = Translator(translator(-1), torch.device("cpu"))


@settings(max_examples=25)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_a_painting_has_the_size_of_its_photo(height: int, width: int) -> None:
    photo = picture(height, width)
    assert np.array_equal(np.asarray(NEGATIVE.paint(Image.fromarray(photo))), 255 - photo)


def test_an_identity_network_returns_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(picture(30, 500)).save(path)
    painted = Translator(translator(1), torch.device("cpu")).paint(path)
    assert painted.mode == "RGB" and np.array_equal(np.asarray(painted), picture(30, 500))


def test_strength_blends_photo_and_painting() -> None:
    photo = Image.fromarray(picture(9, 7))
    assert NEGATIVE.paint(photo, strength=0).tobytes() == photo.tobytes()
    assert np.abs(np.asarray(NEGATIVE.paint(photo, strength=0.5)).astype(float) - 127.5).max() <= 0.5
    with pytest.raises(ImpastoError, match=r"strength = 1\.5"):
        NEGATIVE.paint(photo, strength=1.5)


def test_a_batch_is_painted_in_order_from_read_only_memory() -> None:
    photos = np.stack([picture(6, 8, seed) for seed in range(4)])
    photos.flags.writeable = False
    painted = NEGATIVE.paint_pixels(photos)
    assert painted.dtype == np.uint8 and np.array_equal(painted, 255 - photos)


def test_a_stream_is_painted_in_order_and_lazily() -> None:
    seeds = iter(range(100))
    painted = NEGATIVE.paint_stream(picture(3, 4, seed) for seed in seeds)
    for seed in range(40):
        assert np.array_equal(next(painted), 255 - picture(3, 4, seed))
    assert next(seeds) < 60


def test_noise_inputs_are_deterministic_in_inference() -> None:
    torch.manual_seed(0)
    network = build_generator("edsr", width=8, body=8, blocks=2)
    torch.nn.init.normal_(network.paint.weight, 0.0, 0.3)  # type: ignore[union-attr, arg-type]
    model = Translator(Style(network.eval(), translator().card), torch.device("cpu"))
    grey = np.full((2, 8, 8, 3), 127, np.uint8)
    one, two = model.paint_pixels(grey)
    assert one.std() > 1 and np.array_equal(one, two)
    assert model.paint(Image.fromarray(grey[0])).tobytes() == one.tobytes()


def test_insufficient_memory_is_reported_in_one_line() -> None:
    class Greedy(torch.nn.Module):
        def forward(self, photos: torch.Tensor) -> torch.Tensor:
            return torch.empty(1 << 55)

    model = Translator(Style(Greedy(), translator().card), torch.device("cpu"))
    with pytest.raises(TooLargeError, match="5×4 pixels take more memory than there is"):
        model.paint_pixels(picture(4, 5)[None])


def test_other_network_errors_are_not_reported_as_insufficient_memory() -> None:
    class Broken(torch.nn.Module):
        def forward(self, photos: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("unsupported memory format option")

    with pytest.raises(RuntimeError, match="format option"):
        Translator(Style(Broken(), translator().card), torch.device("cpu")).paint_pixels(picture(4, 5)[None])


@pytest.mark.parametrize(
    ("identity", "sizes"), [(0.0, [(70, 101)]), (1.0, [(35, 51), (70, 101)])], ids=["at once", "over itself"]
)
def test_large_photos_are_painted_coarse_to_fine_by_styles_with_identity_loss(
    identity: float, sizes: list[tuple[int, int]]
) -> None:
    """Shown 32 pixels in training; a painting that is painted over again is its negative's negative."""
    model = Translator(translator(-1, identity=identity), torch.device("cpu"))
    seen: list[tuple[int, int]] = []
    renderer = model._renderer
    assert isinstance(renderer, CoarseToFineRenderer)
    network = renderer._batched

    def watched(photos: torch.Tensor) -> torch.Tensor:
        seen.append((photos.shape[2], photos.shape[3]))
        return network(photos)

    renderer._batched = watched
    flat = np.full((1, 70, 101, 3), 200, np.uint8)
    painted = model.paint_pixels(flat)
    assert seen == sizes
    value = 55.0
    for _ in sizes[1:]:
        value = 255 - (0.35 * 200 + 0.65 * value)
    assert np.abs(painted.astype(float) - value).max() <= 1


def test_a_large_painting_is_the_same_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """From coarse to fine in three layers, each in windows."""
    torch.manual_seed(0)
    network = build_generator("edsr", width=8, body=8, blocks=2)
    torch.nn.init.normal_(network.paint.weight, 0.0, 0.3)  # type: ignore[union-attr, arg-type]
    model = Translator(Style(network.eval(), translator(identity=1.0).card), torch.device("cpu"))
    photo = picture(153, 310)[None]
    whole = model.paint_pixels(photo)
    monkeypatch.setattr("impasto.inference.precision.BATCH_PIXELS", 1000)
    monkeypatch.setattr("impasto.inference.coarse_to_fine.CPU_MEMORY", 1 << 20)
    pieces = model.paint_pixels(photo)
    assert whole.std() > 10 and (np.abs(pieces.astype(int) - whole) > 1).mean() < 1e-3


@pytest.mark.parametrize("options", [PaintOptions(), PaintOptions(brush=3)], ids=["halved twice", "painted over"])
def test_progress_goes_through_all_passes_and_tiles(options: PaintOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.inference.precision.BATCH_PIXELS", 1000)
    monkeypatch.setattr("impasto.inference.tiling.executor.SIDES", (64,))
    model, shares = Translator(translator(identity=1.0), torch.device("cpu")), list[float]()
    model.paint_pixels(picture(200, 310)[None], options, shares.append)
    assert len(shares) > 20 and shares == sorted(shares) and shares[-1] == pytest.approx(1)
    assert max(np.diff([0, *shares])) < 0.1


def test_progress_goes_through_a_batch_and_its_strokes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.inference.stroke_upsampling.BAND", 20_000)
    model, shares = Translator(decoder_style(), torch.device("cpu")), list[float]()
    photos = np.stack([picture(600, 700, seed) for seed in range(2)])
    model.paint_pixels(photos, progress=shares.append)
    assert len(shares) > 8 and shares == sorted(shares) and shares[-1] == 1
    assert any(share <= 0.5 for share in shares) and any(0.5 < share < 1 for share in shares)


@pytest.mark.parametrize("brush", [0.5, 0.7, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("identity", [0.0, 1.0])
def test_any_brush_size_keeps_image_size_and_colours(brush: float, identity: float) -> None:
    flat = np.full((1, 41, 67, 3), (200, 120, 40), np.uint8)
    painted = Translator(translator(1, identity=identity), torch.device("cpu")).paint_pixels(
        flat, PaintOptions(brush=brush)
    )
    assert painted.shape == flat.shape and np.abs(painted.astype(int) - flat).max() <= 1


def test_a_coarse_brush_removes_detail_and_a_fine_one_keeps_it() -> None:
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 255
    left = [
        Translator(translator(1), torch.device("cpu")).paint_pixels(stripes, PaintOptions(brush=brush)).std()
        for brush in (0.5, 1.0, 2.0)
    ]
    assert left[1] == stripes.std() and left[0] > 0.4 * left[1] and left[2] < 0.1 * left[1]


@pytest.mark.parametrize("brush", [1.0, 2.0])
def test_a_reduced_photo_becomes_the_reduced_painting(brush: float) -> None:
    """Strokes of a stroke renderer are a share of the painting, those of other networks are of so many pixels."""
    photo = np.asarray(Image.fromarray(picture(9, 12)).resize((1600, 1200), Image.Resampling.BICUBIC))
    small = np.asarray(Image.fromarray(photo).resize((800, 600), Image.Resampling.LANCZOS))
    options = PaintOptions(brush=brush)
    model = Translator(decoder_style(), torch.device("cpu"))
    full = Image.fromarray(model.paint_pixels(photo[None], options)[0])
    expected = np.asarray(full.resize((800, 600), Image.Resampling.LANCZOS)).astype(float)

    def apart(chosen: PaintOptions) -> float:
        return float(np.abs(model.paint_pixels(small[None], chosen)[0] - expected).mean())

    assert apart(model.options_at(0.5, options)) < 0.7 * apart(PaintOptions(brush=brush / 2))
    assert NEGATIVE.options_at(0.5, options).brush == brush / 2
    assert NEGATIVE.options_at(0.1, options).brush == 0.5  # the finest


@pytest.mark.parametrize(("options", "message"), [({"brush": 0.1}, "brush = 0.1"), ({"brush": 9}, "brush = 9")])
def test_a_brush_size_out_of_range_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ImpastoError, match=message):
        NEGATIVE.paint(Image.fromarray(picture(4, 4)), **options)  # type: ignore[arg-type]


def test_instance_norm_gives_the_same_large_painting_in_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = Recipe.load("cyclegan-resnet").replace(["generator.width=8", "generator.blocks=3", "identity=0"])
    torch.manual_seed(0)
    network = build_generator(**recipe.generator_kwargs()).eval()
    card = translator().card.model_copy(update={"recipe": recipe.values()})
    monkeypatch.setattr("impasto.inference.precision.choose_precision", lambda name, device: "bf16-mixed")
    monkeypatch.setattr("impasto.inference.precision.BATCH_PIXELS", 1000)
    monkeypatch.setattr("impasto.inference.coarse_to_fine.CPU_MEMORY", 1 << 20)
    photo = picture(120, 90)[None]
    pieces = Translator(Style(network, card), torch.device("cpu")).paint_pixels(photo)
    with torch.inference_mode():
        whole = to_pixels(network(to_float(torch.from_numpy(photo)))).numpy()
    off = np.abs(pieces.astype(int) - whole)
    assert whole.std() > 10 and off.max() <= 1 and (off > 0).mean() < 1e-3
