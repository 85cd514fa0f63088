"""Files that version 0.1.0 wrote with card format 2 open in this version: a style, a run folder, a pack and a study."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fixtures.command import ROOT, Impasto
from impasto.config import migrations
from impasto.data.pixel_store import PixelStore
from impasto.reports.run_record import RunRecord
from impasto.style import Style

FILES = ROOT / "tests" / "fixtures" / "format-2.zip"
#: The search that the study belongs to, as it was started.
SMALL = ["size=32", "generator.width=8", "generator.max_width=8", "discriminator.width=8", "discriminator.max_width=8"]
SMALL += ["batch=4", "latent=8", "augment.scale=[1.0,1.0]"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with ``run-gan``, ``run-plain``, ``pack`` and ``study``."""
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_a_style_names_task_domains_and_license(old: Path) -> None:
    card = Style.load(old / "run-gan").card
    assert (card.task, card.source, card.target, card.domains) == (
        "generation",
        "noise",
        "paintings",
        "noise → paintings",
    )
    assert card.license == "CC0-1.0" and card.target_data["pictures"] == 60 and card.source_data is None
    assert card.checkerboard is not None and card.checkerboard.value > 1


def test_a_style_of_a_renamed_method_and_renamed_networks_paints(old: Path, impasto: Impasto) -> None:
    style = Style.load(old / "run-plain")
    assert style.recipe.method == "unconstrained" and style.recipe.generator.network == "edsr"
    assert style.recipe.discriminator.network == "patchgan" and style.card.domains == "photos → paintings"
    weights = load_file(old / "run-plain" / "best.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in style.network.state_dict().items())
    impasto("paint", "sample:photos", "--style", "run-plain", "--out", "painted")
    assert len(list((old / "painted").glob("*.jpg"))) == 5


def test_a_run_resumes_and_its_log_has_one_name_for_each_column(old: Path, impasto: Impasto) -> None:
    before = load_file(old / "run-gan" / "last.safetensors")
    impasto("train", "--resume", "run-gan", "--budget", "8steps")
    record = RunRecord.read(old / "run-gan")
    assert list(record.log.columns["step"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert np.isfinite(record.log.columns["diversity_ratio"]).all() and "spread" not in record.log.columns
    assert record.facts.paintings.pictures == 60
    after = Style.load(old / "run-gan" / "last.safetensors")
    assert after.card.steps == 8 and after.card.format == 3
    assert any(not torch.equal(tensor, before[name]) for name, tensor in after.network.state_dict().items())
    assert "license" in json.loads((old / "run-gan" / "run.json").read_text())


def test_a_report_of_an_old_run_is_written_again(old: Path, impasto: Impasto) -> None:
    impasto("report", "run-plain")
    assert "photos → paintings" in (old / "run-plain" / "report.html").read_text()


def test_a_pack_opens_without_being_read_again(old: Path) -> None:
    store = PixelStore.open(old / "pack")
    assert store.pixels.shape == (60, 32, 32, 3) and len(store.inventory.pictures) == 60


@pytest.mark.long
def test_a_study_continues(old: Path, impasto: Impasto) -> None:
    settings = [part for setting in SMALL for part in ("--set", setting)]
    trials = ("--trials", "4", "--budget-per-trial", "6steps")
    impasto("tune", "dcgan-64", "--paintings", "pack", "--out", "study", *trials, *settings)
    found = json.loads((old / "study" / "tuning.json").read_text())
    assert [trial["number"] for trial in found["trials"]] == [0, 1, 2, 3]
    assert len({trial["settings"]["generator.lr"] for trial in found["trials"]}) == 4


def test_values_of_this_version_come_back_unchanged(old: Path) -> None:
    shutil.copytree(old / "run-gan", old / "again")
    facts = migrations.run_facts(json.loads((old / "run-gan" / "run.json").read_text()))
    assert migrations.run_facts(facts) == facts
    card = Style.load(old / "run-gan").card.model_dump(mode="json")
    assert migrations.card(card) == card
    recipe = Style.load(old / "run-plain").recipe.values()
    assert migrations.recipe(recipe) == recipe
