from pathlib import Path

import pytest
import torch

from fixtures.command import Impasto
from fixtures.peers import Resnet
from impasto.style import Card


@pytest.mark.parametrize(
    "options",
    [
        ["--source", "horses", "--target", "zebras", "--license", "CC0-1.0"],
        ["--turns", "horses into zebras", "--licence", "CC0-1.0"],
    ],
)
def test_import_stores_domains_and_license_under_their_present_and_former_options(
    options: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    weights = Resnet(8, 6, torch.nn.InstanceNorm2d, True, False, False, False).state_dict()
    torch.save(weights, tmp_path / "zebras.pth")
    printed = impasto("import", "zebras.pth", *options).stdout
    card = Card.load(tmp_path / "styles" / "zebras.safetensors")
    assert (card.source, card.target, card.license) == ("horses", "zebras", "CC0-1.0")
    assert "impasto paint PHOTO --style" in printed
    assert "--turns" not in impasto("import", "--help").stdout


@pytest.mark.parametrize("options", [["--turns", "horse2zebra"], ["--turns", "a into b", "--source", "c"]])
def test_incomplete_or_contradictory_domains_are_refused_in_one_line(options: list[str], impasto: Impasto) -> None:
    refused = impasto("import", "zebras.pth", *options, check=False)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and "--source" in refused.stderr
