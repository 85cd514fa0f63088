"""Push and pull, with the Hub's own client against a local server."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fixtures import hub_server
from fixtures.command import Impasto
from fixtures.hub_server import Hub, used
from fixtures.noise_style import style as noise_style
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.hub_styles import CONFIG, WEIGHTS
from impasto.inference.load import load_translator
from impasto.interop.model_card import THUMBNAIL, model_card
from impasto.style import Card, Style

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of huggingface_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with used(monkeypatch, tmp_path / "token") as server:
        yield server


def one_line(impasto: Impasto, *arguments: str) -> str:
    done = impasto(*arguments, check=False)
    assert done.returncode == 1 and done.stderr.startswith("impasto: ") and done.stderr.count("\n") == 1
    return done.stderr


def test_a_pushed_style_is_pulled_unchanged_and_found_by_name(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    translator(-1).save(tmp_path / "mine.safetensors", torch.float16)
    printed = impasto("push", "mine.safetensors", "me/negative").stdout
    assert f"{hub.address}/me/negative" in printed and "impasto pull me/negative" in printed
    assert hub.repositories["me/negative"].keys() == {WEIGHTS, CONFIG, "README.md", "paintings.jpg"}
    printed = impasto("pull", "me/negative").stdout
    assert printed.startswith("styles/negative.safetensors: photos → paintings, ")
    pulled, mine = tmp_path / "styles" / "negative.safetensors", tmp_path / "mine.safetensors"
    assert Card.load(pulled) == Card.load(mine)
    weights, expected = load_file(pulled), load_file(mine)
    assert weights.keys() == expected.keys()
    assert all(weights[name].equal(expected[name]) and weights[name].dtype == torch.float16 for name in weights)
    Image.new("RGB", (5, 4), (10, 20, 30)).save(tmp_path / "photo.png")
    impasto("paint", "photo.png", "--style", "negative", "--out", "painted")
    assert np.asarray(Image.open(tmp_path / "painted" / "photo.png"))[0, 0].tolist() == [245, 235, 225]
    assert "overwrite" in one_line(impasto, "pull", "me/negative")
    impasto("push", "mine.safetensors", "me/negative")  # again, into the existing repository


def test_a_push_adds_the_model_card_a_preview_and_what_other_programs_read(
    impasto: Impasto, hub: Hub, tmp_path: Path
) -> None:
    style = noise_style()
    style.save(tmp_path / "noise.safetensors")
    impasto("push", "noise.safetensors", "me/noise", "--private")
    files = hub.repositories["me/noise"]
    assert files["README.md"].decode() == model_card(style.card, "me/noise")
    assert json.loads(files[CONFIG])["library_name"] == "impasto"
    with Image.open(io.BytesIO(files["paintings.jpg"])) as sheet:
        assert min(sheet.size) >= 64
    assert "me/noise" in hub.private
    (tmp_path / "pushed.safetensors").write_bytes(files[WEIGHTS])
    with safe_open(tmp_path / "pushed.safetensors", "pt") as opened:
        kind, _, encoded = opened.metadata()["modelspec.thumbnail"].partition("base64,")
    assert kind == "data:image/jpeg;" and len(encoded) < 30_000
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as small:
        assert small.size == (THUMBNAIL, THUMBNAIL)


def test_a_style_on_the_hub_is_loaded_by_its_name_and_cached(
    impasto: Impasto, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = translator(-1)
    assert style.push_to_hub("me/negative") == f"{hub.address}/me/negative"
    loaded = Style.from_pretrained("me/negative")
    assert loaded.card == style.card
    assert load_translator("me/negative@main").paint_pixels(np.full((1, 4, 5, 3), 10, np.uint8)).min() == 245
    assert hub.fetched == [CONFIG, WEIGHTS]
    hub_server.unreachable(monkeypatch)
    assert Style.from_pretrained("me/negative", local_files_only=True).card == style.card
    with pytest.raises(ImpastoError, match="me/other is not in the cache"):
        Style.from_pretrained("me/other", local_files_only=True)


def test_a_local_file_or_folder_of_that_name_is_loaded_instead(
    impasto: Impasto, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    translator(-1).push_to_hub("me/style")
    translator(1).save_pretrained("me/style")
    hub.revisions.clear()
    assert load_translator("me/style").paint_pixels(np.full((1, 4, 5, 3), 10, np.uint8)).min() == 10
    assert hub.revisions == []
    assert {file.name for file in Path("me/style").iterdir()} == {WEIGHTS, CONFIG}


def test_a_name_that_is_neither_here_nor_on_the_hub_is_a_one_line_error(
    impasto: Impasto, hub: Hub, tmp_path: Path
) -> None:
    Image.new("RGB", (5, 4)).save(tmp_path / "photo.png")
    said = one_line(impasto, "paint", "photo.png", "--style", "runs/monet", "--out", "painted")
    assert "There is no file or folder runs/monet. There is no runs/monet on the Hub" in said
    hub.revisions.clear()
    assert "the file is not there" in one_line(impasto, "paint", "photo.png", "--style", "runs/x.safetensors")
    assert hub.revisions == []


def test_a_repository_of_an_earlier_version_is_loaded(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    hub.repositories["me/old"] = {"old.safetensors": translator(-1).to_bytes(), "other.safetensors": b"x"}
    assert Style.from_pretrained("me/old").card.source == "photos"


@pytest.mark.long  # a training
def test_training_from_a_style_on_the_hub_names_it_as_the_base_model(
    impasto: Impasto, hub: Hub, tmp_path: Path
) -> None:
    noise_style().push_to_hub("me/base")
    impasto(
        "train", "--from", "me/base", "--paintings", "sample:paintings", "--out", "run", "--budget", "1steps",
        "--set", "batch=2", "--set", "heldout=0",
    )  # fmt: skip
    card = Style.load(tmp_path / "run").card
    assert card.start == "me/base"
    assert "base_model: me/base\n" in model_card(card, "me/tuned")


def test_errors_are_one_line_and_leave_no_file(
    impasto: Impasto, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator(-1).save(tmp_path / "mine.safetensors")
    impasto("push", "mine.safetensors", "me/mine", "--private")
    hub.repositories["me/empty"] = {"README.md": b"nothing"}
    hub.repositories["me/two"] = {"a.safetensors": b"a", "b.safetensors": b"b"}
    hub.repositories["me/cut"] = {"cut.safetensors": (tmp_path / "mine.safetensors").read_bytes()[:200]}
    save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    hub.repositories["me/foreign"] = {"model.safetensors": (tmp_path / "foreign.safetensors").read_bytes()}
    assert "no safetensors file" in one_line(impasto, "pull", "me/empty")
    assert "a.safetensors, b.safetensors" in one_line(impasto, "pull", "me/two")
    assert "cut.safetensors of me/cut cannot be read as a style" in one_line(impasto, "pull", "me/cut")
    assert "model.safetensors of me/foreign holds weights, but not a style" in one_line(impasto, "pull", "me/foreign")
    assert "no me/nowhere on the Hub" in one_line(impasto, "pull", "me/nowhere")
    assert "me/mine" in one_line(impasto, "pull", "me/mine@never", "--out", "x.safetensors")
    assert "OWNER/NAME" in one_line(impasto, "pull", "mine")
    assert "OWNER/NAME" in one_line(impasto, "push", "mine.safetensors", "a/b/c")
    assert "no style nowhere" in one_line(impasto, "push", "nowhere", "me/nowhere")
    assert "denies access to" in one_line(impasto, "push", "mine.safetensors", "others/mine")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "denies access to" in one_line(impasto, "push", "mine.safetensors", "me/mine")
    assert "or not for you" in one_line(impasto, "pull", "me/mine")
    assert not list((tmp_path / "styles").glob("*"))


def test_an_unreachable_hub_is_a_one_line_error(
    impasto: Impasto, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_server.unreachable(monkeypatch)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client retries with growing delays
    assert "cannot be reached" in one_line(impasto, "pull", "me/mine")


def test_an_upload_that_is_refused_is_a_one_line_error_without_its_signature(
    impasto: Impasto, hub: Hub, tmp_path: Path
) -> None:
    translator(-1).save(tmp_path / "mine.safetensors")
    hub.uploads = 400
    line = one_line(impasto, "push", "mine.safetensors", "me/mine")
    assert "The Hub refused me/mine (" in line and "confidential" not in line
    hub.uploads = 403
    assert "denies access to me/mine" in one_line(impasto, "push", "mine.safetensors", "me/mine")


def test_a_license_that_the_hub_does_not_know_is_pushed_as_other(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    for number, license in enumerate(("Free for artists, © Ann", "AGPL-99", "CC0-1.0")):
        style = noise_style()
        Style(style.network, style.card.model_copy(update={"license": license})).save(tmp_path / "s.safetensors")
        impasto("push", "s.safetensors", f"me/s{number}")
    assert hub.repositories["me/s0"]["LICENSE"].decode() == "Free for artists, © Ann\n"
    fronts = [yaml.safe_load(hub.repositories[f"me/s{number}"]["README.md"].split(b"---")[1]) for number in range(3)]
    assert [(front["license"], front.get("license_name")) for front in fronts] == [
        ("other", "free-for-artists-ann"),
        ("other", "agpl-99"),
        ("cc0-1.0", None),
    ]
    assert "Free for artists, © Ann" in hub.repositories["me/s0"]["README.md"].decode()


def test_a_card_that_the_hub_refuses_is_refused_before_the_repository_is_made(
    impasto: Impasto, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_server, "LICENSES", ())
    translator(-1).save(tmp_path / "mine.safetensors")
    assert "does not accept the description of this style" in one_line(impasto, "push", "mine.safetensors", "me/new")
    assert hub.repositories == {}


def test_the_listing_and_the_download_are_of_one_commit(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    translator(-1).save(tmp_path / "mine.safetensors")
    impasto("push", "mine.safetensors", "me/mine")
    hub.revisions.clear()
    impasto("pull", "me/mine@main")
    assert set(hub.revisions) == {"main", hub_server.COMMIT}
    assert hub.revisions.index(hub_server.COMMIT) == hub.revisions.count("main")


def test_a_file_that_is_too_large_is_not_downloaded(impasto: Impasto, hub: Hub) -> None:
    hub.repositories["me/big"] = {"big.safetensors": b"x"}
    hub.sizes["big.safetensors"] = 3_000_000_000
    assert "big.safetensors of me/big is larger than 2,000 MB" in one_line(impasto, "pull", "me/big")
    hub.repositories["me/big"] = {"small.safetensors": b"x", CONFIG: b"{}"}
    hub.sizes[CONFIG] = 2_000_000
    assert "config.json of me/big is larger than 1 MB" in one_line(impasto, "pull", "me/big")
    assert hub.fetched == []


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/x.safetensors", "a/../../x.safetensors"])
def test_a_file_outside_of_its_repository_is_no_style(impasto: Impasto, hub: Hub, name: str) -> None:
    hub.repositories["me/odd"] = {name: b"x"}
    assert "holds no safetensors file" in one_line(impasto, "pull", "me/odd")


def test_a_pulled_card_cannot_control_the_terminal(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    style = translator(-1)
    card = style.card.model_copy(update={"source": "\x1b[2Jphotos\r[red]"})
    Style(style.network, card).save(tmp_path / "mine.safetensors")
    hub.repositories["me/mine"] = {"mine.safetensors": (tmp_path / "mine.safetensors").read_bytes()}
    assert (
        "\N{REPLACEMENT CHARACTER}[2Jphotos\N{REPLACEMENT CHARACTER}[red] → paintings"
        in impasto("pull", "me/mine").stdout
    )
    assert "\x1b" not in impasto("styles").stdout


@pytest.mark.parametrize(
    "repository", ["me", "me/", "/x", "a/b/c", "me/..", "me/a b", "me/a\n", "me/\x1b[2J", "me/" + "x" * 300]
)
def test_a_name_that_is_no_repository_is_refused_before_anything_is_asked(
    impasto: Impasto, hub: Hub, repository: str
) -> None:
    assert "is not a repository name" in one_line(impasto, "pull", repository)
    assert hub.revisions == []
