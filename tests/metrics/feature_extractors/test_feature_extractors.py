import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fixtures.parameters import mostly_long
from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors import FEATURE_EXTRACTORS, FeatureExtractor, open_feature_extractor

CPU = torch.device("cpu")
OFFLINE = [name for name, network in FEATURE_EXTRACTORS.items() if network.installed]


@pytest.fixture(scope="module", params=OFFLINE)
def network(request: pytest.FixtureRequest) -> FeatureExtractor:
    return open_feature_extractor(request.param, CPU)


def distance(found: Tensor, expected: Tensor) -> float:
    """Relative, over all features."""
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("side", [17, 64, 300])
def test_features_do_not_depend_on_the_batch(network: FeatureExtractor, paintings: Tensor, side: int) -> None:
    pixels = F.interpolate(paintings.permute(0, 3, 1, 2), (side, side)).permute(0, 2, 3, 1)
    together = network.features(pixels if side == 64 else pixels[:2])
    assert together.shape == (8 if side == 64 else 2, network.dimension)
    assert together.dtype == torch.float32 and not together.requires_grad
    assert together.isfinite().all() and together.std(0).mean() > 0
    assert distance(network.features(pixels[:1]), together[:1]) < 0.02


def test_class_probabilities_are_distributions(network: FeatureExtractor, paintings: Tensor) -> None:
    features = network.features(paintings[:2])
    found = network.probabilities(features.double())
    if found is not None:
        torch.testing.assert_close(found.sum(1), torch.ones(2))
        assert found.min() >= 0
    assert (found is None) == (network.name in ("alexnet", "vgg16"))


@pytest.mark.parametrize("network", mostly_long(OFFLINE, "efficientnet-lite0"), indirect=True)
def test_bfloat16_features_are_close_and_cached_apart(network: FeatureExtractor, paintings: Tensor) -> None:
    short, long = (open_feature_extractor(network.name, CPU, precision=precision) for precision in ("bf16", "fp32"))
    assert short.identity != long.identity
    assert network.identity in (short.identity, long.identity)
    assert 0 < distance(short.features(paintings[:4]), long.features(paintings[:4])) < 0.05


def test_an_unknown_name_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="no feature network 'inception-v3'; did you mean 'inception-2015'"):
        open_feature_extractor("inception-v3", CPU)
    with pytest.raises(ImpastoError, match="there are alexnet, efficientnet-lite0, inception-2015, vgg16") as error:
        open_feature_extractor("qqqq", CPU)
    assert "did you mean" not in str(error.value)


@pytest.mark.parametrize("name", OFFLINE)
def test_installed_networks_take_no_weights_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="includes its weights"):
        open_feature_extractor(name, CPU, tmp_path / "x.pth")


def test_listing_the_names_imports_no_heavy_package() -> None:
    code = (
        "import sys\nfrom impasto.metrics.feature_extractors import FEATURE_EXTRACTORS\nlist(FEATURE_EXTRACTORS)\n"
        "heavy = {'efficientnet_lite_pytorch', 'stlpips_pytorch', 'torchvision'}\n"
        "print(heavy & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
