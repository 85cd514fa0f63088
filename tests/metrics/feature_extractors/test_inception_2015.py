import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors.inception_2015 import FID_WEIGHTS, Inception2015, resize_tf1

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def fidelity() -> Iterator[types.SimpleNamespace]:
    """torch-fidelity's own Inception and resize, without the rest of the package, which needs torchvision."""
    package = Path(sys.prefix) / "reference" / "torch_fidelity"
    if not package.is_dir():
        pytest.skip("needs torch-fidelity's source (make setup)")
    bare = types.ModuleType("torch_fidelity")
    bare.__path__ = [str(package)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch_fidelity", bare)
        yield types.SimpleNamespace(
            Inception=importlib.import_module(
                "torch_fidelity.feature_extractor_inceptionv3"
            ).FeatureExtractorInceptionV3,
            resize=importlib.import_module(
                "torch_fidelity.interpolate_compat_tensorflow"
            ).interpolate_bilinear_2d_like_tensorflow1x,
        )
        for name in [name for name in sys.modules if name.startswith("torch_fidelity.")]:
            del sys.modules[name]


def reference(fidelity: Any, weights: Path, pixels: Tensor) -> tuple[Tensor, Tensor]:
    network = fidelity.Inception("reference", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights))
    with torch.inference_mode():
        features, logits = network(pixels.permute(0, 3, 1, 2))
    return features, logits.softmax(1)


@pytest.mark.parametrize("side", [64, 256])
def test_features_and_classes_are_torch_fidelitys(
    fidelity: Any, invented_inception: Path, paintings: Tensor, side: int
) -> None:
    pixels = paintings[:3, :side, :side].contiguous()
    expected, classes = reference(fidelity, invented_inception, pixels)
    assert expected.std(0).mean() > 0.05 * expected.mean(), "weights that do not look at the picture"
    network = Inception2015(CPU, invented_inception, "fp32")
    found = network.features(pixels)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().mean()))
    torch.testing.assert_close(network.probabilities(found), classes, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("shape", [(31, 32), (256, 256), (299, 299), (512, 300)])
def test_pictures_are_resized_as_tensorflow_1_does(fidelity: Any, shape: tuple[int, int]) -> None:
    planes = 255 * torch.rand(2, 3, *shape)
    torch.testing.assert_close(
        resize_tf1(planes, 299), fidelity.resize(planes, (299, 299), align_corners=False), rtol=0, atol=1e-3
    )


def test_a_ramp_is_resized_without_half_pixel_centres() -> None:
    ramp = torch.arange(100.0).expand(1, 1, 100, 100)
    expected = (torch.arange(299) * 100 / 299).clamp_max(99)
    torch.testing.assert_close(resize_tf1(ramp, 299)[0, 0, 0], expected, rtol=0, atol=1e-4)
    centred = F.interpolate(ramp, (299, 299), mode="bilinear")[0, 0, 0]
    assert (resize_tf1(ramp, 299)[0, 0, 0] - centred).abs().max() > 0.3


@pytest.mark.long
def test_bfloat16_and_company_change_features_by_little(invented_inception: Path, paintings: Tensor) -> None:
    exact = Inception2015(CPU, invented_inception, "fp32").features(paintings)
    network = Inception2015(CPU, invented_inception, "bf16")
    short = network.features(paintings)
    assert 0 < (short - exact).norm() / exact.norm() < 0.05
    assert (network.features(paintings[:1]) - short[:1]).norm() / short[0].norm() < 0.02


def test_older_weights_without_batch_counters_load(
    invented_inception: Path, paintings: Tensor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = torch.load(invented_inception, weights_only=True)
    kept = {name: tensor for name, tensor in state.items() if "num_batches_tracked" not in name}
    assert len(kept) < len(state)
    torch.save(kept, tmp_path / "older.pth", _use_new_zipfile_serialization=False)
    one, other = Inception2015(CPU, invented_inception, "fp32"), Inception2015(CPU, tmp_path / "older.pth", "fp32")
    assert torch.equal(one.features(paintings[:1]), other.features(paintings[:1]))
    assert one.identity != other.identity
    assert f"{invented_inception} is not the published" in caplog.text


def test_other_weights_are_refused(tmp_path: Path, invented_inception: Path) -> None:
    state = torch.load(invented_inception, weights_only=True)
    state["fc.weight"] = state["fc.weight"][:1000]
    torch.save(state, tmp_path / "torchvision.pth")
    with pytest.raises(ImpastoError, match=r"fc\.weight is \(1000, 2048\) instead of \(1008, 2048\)"):
        Inception2015(CPU, tmp_path / "torchvision.pth")


def test_the_published_names_carry_the_digest() -> None:
    assert all(f"-{FID_WEIGHTS.sha256[:8]}.pth" in name for name in FID_WEIGHTS.names)
