"""Throughput, latency and memory of ``impasto studio``, compared with ``impasto paint``.

    python benchmarks/studio.py [--photos 200] [--clients 16] [--side 1000] [--requests 2000] [--style monet]

Paint: different synthesised photos, each sent by one of the clients to ``POST /v1/paint/photo``, against ``impasto
paint`` of the same photos as a folder. Start-up is measured apart: of the command by a run with one photo, of the
studio by the time until its first painting. Both run one after the other on the same machine.

Small: requests for one job and one file, as many as the rate limit lets through, with the memory before and after.
"""

import argparse
import contextlib
import os
import queue
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image, ImageFilter

from impasto.style import bundled_styles
from results import record

COMMAND = [sys.executable, "-c", "from impasto.cli import main; main()"]
#: Seconds for the first painting, and for any other.
PATIENCE = 600


def synthesise(folder: Path, count: int, side: int) -> list[Path]:
    """Write different JPEGs of ``side`` × ``side`` pixels: smooth shapes with some grain."""
    paths = []
    for number in range(count):
        random = np.random.default_rng(number)
        coarse = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        smooth = coarse.resize((side, side), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))
        grain = random.normal(0, 6, (side, side, 1))
        path = folder / f"photo-{number:04d}.jpg"
        Image.fromarray(np.clip(np.asarray(smooth) + grain, 0, 255).astype(np.uint8)).save(path, quality=92)
        paths.append(path)
    return paths


def paint(photos: Path, out: Path, style: str) -> float:
    """Return the seconds of ``impasto paint``."""
    begun = time.perf_counter()
    command = [*COMMAND, "paint", str(photos), "--style", style, "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


@contextmanager
def studio(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run ``impasto studio``; yield its process and address."""
    (folder / "examples").mkdir(parents=True)
    for name in bundled_styles():  # so that none are made meanwhile
        (folder / "examples" / f"{name}.jpg").touch()
    command = [*COMMAND, "studio", "--folder", str(folder), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the studio did not start"
        yield psutil.Process(process.pid), found[0]
    finally:
        process.terminate()
        process.wait(PATIENCE)


def memory(server: psutil.Process) -> str:
    """Return the resident memory of the server and of its workers, as text."""
    found = [server, *server.children()]
    return ", ".join(f"{each.memory_info().rss / 1e6:.0f} MB" for each in found)


def ask(client: httpx.Client, method: str, path: str, content: bytes | None = None) -> tuple[httpx.Response, int]:
    """Send a request until it is let through; return the answer and how often it was not."""
    refused = 0
    while True:
        answer = client.request(method, path, content=content)
        if answer.status_code != 429:
            return answer, refused
        refused += 1
        time.sleep(float(answer.headers.get("retry-after", "1")))


def send(address: str, photos: list[Path], clients: int, style: str) -> tuple[float, list[float], int]:
    """Paint photos through the API; return seconds, the latency of each and the number of failures."""
    waiting: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for path in photos:
        waiting.put(path)
    latencies, failures = list[float](), list[str]()

    def work() -> None:
        with httpx.Client(base_url=address, timeout=PATIENCE) as client, contextlib.suppress(queue.Empty):
            while True:
                path = waiting.get_nowait()
                begun = time.perf_counter()
                answer, _ = ask(
                    client, "POST", f"/v1/paint/photo?style={style}&name={path.name}&wait=60", path.read_bytes()
                )
                latencies.append(time.perf_counter() - begun)
                if answer.status_code != 200:
                    failures.append(answer.text[:200])

    threads = [threading.Thread(target=work) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for text in failures[:3]:
        print(f"  failed: {text}")
    return time.perf_counter() - begun, latencies, len(failures)


def small(address: str, count: int) -> tuple[float, int, int]:
    """Send small requests; return seconds, failures and how often the rate limit held one back."""
    failures = held = 0
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        job = client.get("/v1/jobs?limit=1").json()["jobs"][0]
        paths = [f"/v1/jobs/{job['id']}", f"/v1/files/{job['results'][0]['id']}", "/v1/files?limit=5", "/v1/nothing"]
        begun = time.perf_counter()
        for number in range(count):
            path = paths[number % len(paths)]
            answer, refused = ask(client, "GET", path)
            failures += answer.status_code != (404 if path == "/v1/nothing" else 200)
            held += refused
    return time.perf_counter() - begun, failures, held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--side", type=int, default=1000, help="of a photo, in pixels")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--style", default="monet")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        one, many = folder / "one", folder / "many"
        for each in (one, many):
            each.mkdir()
        photos = synthesise(many, arguments.photos, arguments.side)
        first = synthesise(one, 1, arguments.side)[0]
        start = paint(one, folder / "first", arguments.style)
        whole = paint(many, folder / "painted", arguments.style)
        command = (whole - start) / max(len(photos) - 1, 1)
        print(
            f"impasto paint   {len(photos)} photos {whole:7.1f} s, one photo {start:.1f} s: {1 / command:.2f} photos/s"
        )
        begun = time.perf_counter()
        with studio(folder / "studio") as (server, address):
            listens = time.perf_counter() - begun
            send(address, [first], 1, arguments.style)
            ready = time.perf_counter() - begun
            before = memory(server)
            seconds, latencies, failures = send(address, photos, arguments.clients, arguments.style)
            rate, cuts = len(photos) / seconds, statistics.quantiles(latencies, n=20)
            print(f"impasto studio  {len(photos)} photos {seconds:7.1f} s: {rate:.2f} photos/s")
            print(f"  listens after {listens:.1f} s, first painting after {ready:.1f} s")
            print(
                f"  throughput {rate * command:.2f} of the command's without start-up, {whole / seconds:.2f} with its"
            )
            record(
                f"studio, {len(photos)} photos by {arguments.clients} clients against impasto paint", seconds, whole,
                note=f"p95 {cuts[-1]:.1f} s, {failures} failures",
            )  # fmt: skip
            print(f"  latency: p50 {statistics.median(latencies):.2f} s, p95 {cuts[-1]:.2f} s")
            print(f"  {failures} failures; memory of server and workers {before} before, {memory(server)} after")
            before = memory(server)
            seconds, failures, held = small(address, arguments.requests)
            print(f"{arguments.requests} small requests in {seconds:.1f} s, {held} held back by the rate limit")
            print(f"  {failures} failures; memory of server and workers {before} before, {memory(server)} after")


if __name__ == "__main__":
    main()
