"""Fuzz one target in this process: ``python -m fuzz.process TARGET SECONDS SEED``."""

import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path


def main(name: str, seconds: int, seed: int) -> None:
    """Fuzz for that time; mutations are guided by coverage if Atheris is installed."""
    (_guided if importlib.util.find_spec("atheris") else _random)(name, seconds, seed)


def _random(name: str, seconds: int, seed: int) -> None:
    from fuzz.runs import Run

    run = Run(name)
    run.random(seed, seconds=seconds)
    print(run, flush=True)


def _guided(name: str, seconds: int, seed: int) -> None:
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["impasto", "PIL", "tfrecord", "zipfile", "yaml"]):
        from fuzz.runs import Run
        from fuzz.targets import TARGETS
    run, end = Run(name), time.monotonic() + seconds

    def once(data: bytes) -> None:
        run.once(data)
        if time.monotonic() > end:
            print(run, flush=True)
            os._exit(0)  # libFuzzer never returns

    corpus = Path(tempfile.gettempdir()) / f"corpus-{name}"  # which the next process of this target continues
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(TARGETS[name].corpus()):
        (corpus / str(number)).write_bytes(data)
    options = [f"-seed={seed + 1}", "-max_len=20000", "-timeout=60", "-rss_limit_mb=6000", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}/", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
