import hashlib
import json
import struct
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file, save_file

import impasto
from fixtures import earlier_recipes as earlier
from fixtures.command import ROOT, Impasto
from fixtures.foreign import JSON, result_or_one_line
from fixtures.noise_style import style
from impasto.config.recipe import Recipe
from impasto.data.augment import to_float, to_pixels
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.inference.load import load_translator
from impasto.inference.translator import Translator
from impasto.losses.self_similarity import self_similarity
from impasto.networks import build_generator, edsr, feature_decoder
from impasto.networks.pretrained.efficientnet import Stages
from impasto.reports.styles import describe_file
from impasto.style import FORMAT, Card, Style, available_styles, bundled_styles, find_style, with_metadata

#: The bundled styles, and those in the repository.
STYLES = {path.stem: path for path in (ROOT / "styles").glob("*.safetensors")} | bundled_styles()


def test_a_saved_style_loads_without_options_and_is_equal(tmp_path: Path) -> None:
    made = style()
    made.save(tmp_path / "monet.safetensors")
    again = Style.load(tmp_path / "monet.safetensors")
    assert again.card == made.card and again.recipe == made.recipe
    for name, tensor in made.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name
    assert impasto.load(tmp_path / "monet.safetensors").size == 16


def translator(recipe: Recipe) -> Style:
    """An untrained translation style of that recipe."""
    torch.manual_seed(0)
    network = build_generator(**recipe.generator_kwargs()).eval().requires_grad_(False)
    changed = {
        "task": "translation",
        "source": "photos",
        "target": "paintings",
        "recipe": recipe.values(),
        "source_data": {"spec": "photos"},
    }
    return Style(network, style().card.model_copy(update=changed))


def test_a_style_of_the_first_monet_recipe_loads_and_translates(tmp_path: Path) -> None:
    """Its card holds the recipe of then, without later settings and with old names."""
    made = translator(earlier.monet())
    card = made.card.model_copy(update={"recipe": earlier.MONET})
    Style(made.network, card).save(tmp_path / "old.safetensors")
    loaded = load_translator(tmp_path / "old.safetensors")
    assert isinstance(loaded.style.network, edsr.Generator)
    assert loaded.card.recipe == earlier.MONET and loaded.style.recipe == earlier.monet()
    photo = np.random.default_rng(0).integers(0, 256, (1, 60, 70, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = to_pixels(made.network(to_float(torch.from_numpy(photo)))).numpy()
    assert np.abs(loaded.paint_pixels(photo).astype(int) - expected).max() <= 1
    assert np.abs(expected.astype(int) - photo).mean() > 5


def test_a_style_with_moods_stores_them_but_not_its_fixed_network(tmp_path: Path) -> None:
    small = ["generator.width=4", "generator.body=8", "generator.blocks=1"]
    made, photo = translator(Recipe.load("monet").replace(small)), torch.rand(1, 3, 64, 96) * 2 - 1
    assert isinstance(made.network, feature_decoder.Generator)
    with torch.no_grad():
        made.network.set_moods(made.network.statistics(torch.rand(3, 3, 64, 64) * 2 - 1))
    torch.nn.init.normal_(made.network.tone.weight, 0, 0.05)
    made.save(tmp_path / "style.safetensors")
    assert not any("stages" in name or "blocks" in name for name in load_file(tmp_path / "style.safetensors"))
    loaded = Style.load(tmp_path / "style.safetensors").network
    with torch.no_grad():
        assert torch.equal(loaded(photo), made.network(photo))
    assert torch.equal(loaded.get_buffer("moods"), made.network.moods) and len(made.network.moods) == 3


def test_a_run_folder_loads_its_best_style_else_its_last(tmp_path: Path) -> None:
    style(1).save(tmp_path / "last.safetensors")
    assert Style.load(tmp_path).network.state_dict().keys()
    last = Style.load(tmp_path).network.layers[0].weight  # type: ignore[index, union-attr]
    style(2).save(tmp_path / "best.safetensors")
    best = Style.load(tmp_path).network.layers[0].weight  # type: ignore[index, union-attr]
    assert not torch.equal(last, best)


def test_an_unreadable_style_is_refused_in_one_line(tmp_path: Path) -> None:
    made, file = tmp_path / "made.safetensors", tmp_path / "x.safetensors"
    style().save(made)

    def message() -> str:
        with pytest.raises(ImpastoError) as error:
            Style.load(file)
        assert "\n" not in str(error.value) and str(file) in str(error.value)
        return str(error.value)

    assert "There is no style" in message()
    file.write_bytes(b"")
    assert "damaged" in message()
    file.write_bytes(made.read_bytes()[:-100])
    assert "damaged" in message()
    save_file({"weight": torch.zeros(3)}, file)
    assert "not a style" in message()
    card = style().card.model_dump(mode="json")
    save_file(load_file(made), file, metadata={"impasto": json.dumps(card | {"format": 99})})
    assert "newer impasto" in message()
    save_file({"weight": torch.zeros(3)}, file, metadata={"impasto": json.dumps(card)})
    assert "does not fit its own description" in message()
    save_file(load_file(made), file, metadata={"impasto": json.dumps({"format": FORMAT - 2})})
    assert "older impasto" in message()
    save_file(load_file(made), file, metadata={"impasto": json.dumps({"format": FORMAT})})
    assert "does not fit its own description" in message()
    with pytest.raises(ImpastoError, match="no style in"):
        Style.load(tmp_path)


def test_float16_halves_the_file_without_a_visible_difference(tmp_path: Path) -> None:
    made = style()
    made.save(tmp_path / "whole.safetensors")
    made.save(tmp_path / "half.safetensors", torch.float16)
    latents = torch.randn(8, 10)
    painted = Style.load(tmp_path / "half.safetensors").network(latents)
    assert (painted - made.network(latents)).abs().max() < 2 / 127
    sizes = [sum(t.nbytes for t in load_file(tmp_path / f"{n}.safetensors").values()) for n in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]


def layouts_apart(given: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Self-similarity losses (N, N) between each of N images and each of N others, uint8 (N, 256, 256, 3)."""
    with torch.inference_mode():
        one, other = (Stages("lite0")(to_float(torch.tensor(each)))[1] for each in (given, made))
        places = torch.arange(0, one.shape[2] * one.shape[3], 7)
        rows = [[self_similarity(a[None], b[None], places).item() for b in other] for a in one]
    return np.array(rows)


@pytest.mark.parametrize("name", STYLES)
def test_a_bundled_style_describes_itself_and_works_without_training(name: str) -> None:
    pipeline = impasto.load(STYLES[name])
    card = pipeline.card
    assert card.license and card.target_data["pictures"] > 200 and card.scores and "/" not in card.target_data["spec"]
    if isinstance(pipeline, Translator):
        with open_source("sample:photos" if card.target == "paintings" else "sample:paintings") as source:
            sizes = [decode(entry.read()).image.resize((256, 256)) for entry in islice(source.entries(), 5)]
        given = np.stack([np.asarray(each) for each in sizes])
        made = np.concatenate([pipeline.paint_pixels(each[None]) for each in given])
        assert (np.abs(made.astype(int) - given).mean((1, 2, 3)) > 4).all() and (made.std((1, 2, 3)) > 15).all()
        away = layouts_apart(given, made)
        assert (away.argmin(0) == np.arange(5)).all() and (away.argmin(1) == np.arange(5)).all()  # the same scene
    else:
        pictures = np.stack(list(pipeline.stream(32, seed=1)))
        assert pictures.std(0).mean() > (25 if name in bundled_styles() else 3)  # of 255: as varied as paintings are
    assert STYLES[name].stat().st_size < 16e6


def test_the_package_stays_small() -> None:
    assert sum(path.stat().st_size for path in bundled_styles().values()) < 40e6


def test_a_name_means_a_bundled_style_then_a_path_then_a_file_in_styles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("styles").mkdir()
    for number, name in enumerate(("monet", "mine", "run")):
        style(number).save(tmp_path / "styles" / f"{name}.safetensors")
    Path("run").mkdir()
    style(7).save(tmp_path / "run" / "last.safetensors")
    assert find_style("monet") == bundled_styles()["monet"]
    assert (
        find_style("mine") == Path("styles/mine.safetensors")
        and {"mine", *bundled_styles()} <= available_styles().keys()
    )
    assert find_style("run") == Path("run") and find_style("nothing") == Path("nothing")
    assert impasto.load("mine").size == 16
    with pytest.raises(ImpastoError, match=r"There is no style nothing: .*mine"):
        Style.load("nothing")
    with pytest.raises(ImpastoError, match="There is no style monet-drem; did you mean 'monet-dream'"):
        Style.load("monet-drem")
    with pytest.raises(ImpastoError, match=r"There is no style styles/other.safetensors: the file is not there"):
        Style.load("styles/other.safetensors")


def test_unreadable_files_in_styles_are_listed_as_such_beside_the_others(impasto: Impasto) -> None:
    Path("styles").mkdir()
    style().save(Path("styles/good.safetensors"))
    Path("styles/torn.safetensors").write_bytes(Path("styles/good.safetensors").read_bytes()[:900])
    save_file({"a": torch.zeros(1)}, "styles/weights.safetensors")
    card = style().card.model_dump() | {"recipe": {}}
    save_file({"a": torch.zeros(1)}, "styles/empty.safetensors", {"impasto": json.dumps(card)})
    said = impasto("styles").stdout
    assert "chinese-landscape-64" in said and "16×16, trained on 300 images" in said
    assert "torn.safetensors cannot be read as a style" in said and "holds weights, but not a style" in said
    assert "empty.safetensors is damaged: its card is incomplete" in said


Parts = tuple[dict[str, torch.Tensor], dict[str, Any]]


@pytest.fixture(scope="module")
def parts() -> Parts:
    """The weights and the card of a style."""
    made = style()
    return dict(made.network.state_dict()), made.card.model_dump(mode="json")


def written(folder: Path, weights: dict[str, torch.Tensor], card: str | dict[str, Any]) -> Path:
    path = folder / "x.safetensors"
    save_file(weights, path, {"impasto": card if isinstance(card, str) else json.dumps(card)})
    return path


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_style_with_weights_that_are_not_finite_is_refused(
    tmp_path: Path, parts: Parts, value: float, dtype: torch.dtype
) -> None:
    weights, card = parts
    last = [name for name, tensor in weights.items() if tensor.is_floating_point()][-1]
    damaged = weights[last].to(dtype).clone()
    damaged.view(-1)[-1] = value
    path = written(tmp_path, weights | {last: damaged}, card)
    with pytest.raises(ImpastoError, match="holds NaN or Inf weights"):
        Style.load(path)


def test_a_card_that_names_a_huge_network_takes_no_memory_for_it(
    tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, card = parts
    generator = card["recipe"]["generator"] | {"width": 4096, "max_width": 4096}
    path = written(tmp_path, weights, card | {"recipe": card["recipe"] | {"size": 1024, "generator": generator}})
    monkeypatch.setattr(torch.nn.Module, "to_empty", lambda *_, **__: pytest.fail("memory for 300 million weights"))
    with pytest.raises(ImpastoError, match="does not fit its own description"):
        Style.load(path)


@pytest.mark.parametrize(
    "card",
    [
        "[" * 100_000,
        '{"recipe":' * 900 + "1" + "}" * 900,
        "[]",
        "7",
        '{"format": 3, "steps": ' + "9" * 5000 + "}",
        "x" * 1_000_001,
        '{"format": "3"}',
        '{"format": 2, "recipe": 3, "turns": []}',
    ],
)
def test_a_malformed_card_is_refused_in_one_line(tmp_path: Path, parts: Parts, card: str) -> None:
    path = written(tmp_path, parts[0], card)
    for load in (Card.load, Style.load):
        with pytest.raises(ImpastoError, match=r"is damaged|older impasto"):
            load(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 45\n", "a Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html>Quota exceeded</html>", "a web page.*download it again"),
        (b"hello", "damaged or not a safetensors file"),
    ],
)
def test_a_file_that_is_no_style_is_named_for_what_it_is(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ImpastoError, match=reason):
        Style.load(tmp_path / "x.safetensors")


@given(
    st.dictionaries(
        st.sampled_from([*Card.model_fields, "new"]),
        JSON | st.fixed_dictionaries({}, optional={"pictures": JSON, "spec": JSON, "name": JSON, "generator": JSON}),
        min_size=1,
        max_size=3,
    )
)
def test_any_card_is_loaded_and_described_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    parts: Parts,
    changes: dict[str, Any],
) -> None:
    path = written(tmp_path_factory.getbasetemp(), parts[0], parts[1] | changes)
    result_or_one_line(lambda: Style.load(path))
    assert all(isinstance(line, str) for line in describe_file(path))


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 2**63))
def test_any_safetensors_header_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int, length: int
) -> None:
    data = bytearray(style().to_bytes())
    data[8 + place : 8 + place + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "header.safetensors"
    for content in (bytes(data), struct.pack("<Q", length) + bytes(data[8:]), noise):
        path.write_bytes(content)
        result_or_one_line(lambda: Style.load(path))


def test_a_style_is_loaded_without_torchs_compiler() -> None:
    """Its symbolic shapes, with sympy, take a fifth of the start-up."""
    code = "import sys; from impasto.style import Style; Style.load('monet'); sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_saved_style_has_the_metadata_of_modelspec_with_the_hash_of_its_tensors(tmp_path: Path) -> None:
    made = style()
    made.save(tmp_path / "style.safetensors")
    with safe_open(tmp_path / "style.safetensors", "pt") as file:
        metadata = file.metadata()
    expected = {"sai_model_spec", "architecture", "implementation", "title", "date", "resolution", "hash_sha256"}
    assert {f"modelspec.{key}" for key in expected} <= metadata.keys()
    size = made.card.recipe["size"]
    assert metadata["modelspec.resolution"] == f"{size}x{size}" and made.card.domains in metadata["modelspec.title"]
    data = (tmp_path / "style.safetensors").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    assert begin % 8 == 0 and metadata["modelspec.hash_sha256"] == f"0x{hashlib.sha256(data[begin:]).hexdigest()}"


def test_added_metadata_changes_no_tensor(tmp_path: Path) -> None:
    data = style().to_bytes()
    more = with_metadata(data, {"modelspec.author": "Ann Ω"})
    assert load_bytes(more).keys() == load_bytes(data).keys()
    assert all(tensor.equal(load_bytes(data)[name]) for name, tensor in load_bytes(more).items())
    assert Style.from_bytes(more).card == Style.from_bytes(data).card
