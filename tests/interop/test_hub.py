"""Push and pull, with the Hub's own client against a local server."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.torch import save_file
from torch import zeros

from fixtures import hub_server
from fixtures.command import Impasto
from fixtures.hub_server import Hub, used
from fixtures.noise_style import style as noise_style
from fixtures.translators import translator
from impasto.interop.model_card import model_card
from impasto.style import Style


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with used(monkeypatch, tmp_path / "token") as server:
        yield server


def one_line(impasto: Impasto, *arguments: str) -> str:
    done = impasto(*arguments, check=False)
    assert done.returncode == 1 and done.stderr.startswith("impasto: ") and done.stderr.count("\n") == 1
    return done.stderr


def test_a_pushed_style_is_pulled_unchanged_and_found_by_name(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    translator(-1).save(tmp_path / "mine.safetensors")
    printed = impasto("push", "mine.safetensors", "me/negative").stdout
    assert f"{hub.address}/me/negative" in printed and "impasto pull me/negative" in printed
    assert hub.repositories["me/negative"].keys() == {"negative.safetensors", "README.md", "paintings.jpg"}
    printed = impasto("pull", "me/negative").stdout
    assert printed.startswith("styles/negative.safetensors: photos → paintings, ")
    assert (tmp_path / "styles" / "negative.safetensors").read_bytes() == (tmp_path / "mine.safetensors").read_bytes()
    Image.new("RGB", (5, 4), (10, 20, 30)).save(tmp_path / "photo.png")
    impasto("paint", "photo.png", "--style", "negative", "--out", "painted")
    assert np.asarray(Image.open(tmp_path / "painted" / "photo.png"))[0, 0].tolist() == [245, 235, 225]
    assert "overwrite" in one_line(impasto, "pull", "me/negative")
    impasto("push", "mine.safetensors", "me/negative")  # again, into the existing repository


def test_a_push_adds_the_model_card_and_a_preview(impasto: Impasto, hub: Hub, tmp_path: Path) -> None:
    style = noise_style()
    style.save(tmp_path / "noise.safetensors")
    impasto("push", "noise.safetensors", "me/noise", "--private")
    files = hub.repositories["me/noise"]
    assert files["README.md"].decode() == model_card(style.card, "me/noise")
    with Image.open(io.BytesIO(files["paintings.jpg"])) as sheet:
        assert min(sheet.size) >= 64
    assert "me/noise" in hub.private


def test_errors_are_one_line_and_leave_no_file(
    impasto: Impasto, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator(-1).save(tmp_path / "mine.safetensors")
    impasto("push", "mine.safetensors", "me/mine", "--private")
    hub.repositories["me/empty"] = {"README.md": b"nothing"}
    hub.repositories["me/two"] = {"a.safetensors": b"a", "b.safetensors": b"b"}
    hub.repositories["me/cut"] = {"cut.safetensors": (tmp_path / "mine.safetensors").read_bytes()[:200]}
    save_file({"weight": zeros(3)}, tmp_path / "foreign.safetensors")
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
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
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
    assert hub.revisions[0] == "main" and set(hub.revisions[1:]) == {hub_server.COMMIT}


def test_a_file_that_is_too_large_is_not_downloaded(impasto: Impasto, hub: Hub) -> None:
    hub.repositories["me/big"] = {"big.safetensors": b"x"}
    hub.sizes["big.safetensors"] = 3_000_000_000
    assert "big.safetensors of me/big is larger than 2 GB" in one_line(impasto, "pull", "me/big")
    assert not any("resolve" in revision for revision in hub.revisions) and len(hub.revisions) == 2


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
