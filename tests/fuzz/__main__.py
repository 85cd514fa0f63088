"""Fuzz targets and print what is found; see the docstring of the package."""

import argparse
import importlib.util
import subprocess
import sys

#: Whether mutations are guided by coverage.
GUIDED = importlib.util.find_spec("atheris") is not None


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz everything that reads files and text of other people.")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if len(arguments.targets) == 1:
        (_guided if GUIDED else _random)(arguments.targets[0], arguments.seconds, arguments.seed)
        return
    from fuzz.targets import TARGETS

    for name in arguments.targets or TARGETS:  # a process each, as a decoder may crash
        options = ["--seconds", str(arguments.seconds), "--seed", str(arguments.seed)]
        done = subprocess.run([sys.executable, "-m", "fuzz", name, *options])
        if done.returncode:
            print(f"{name}: the process ended with {done.returncode}", flush=True)


def _random(name: str, seconds: int, seed: int) -> None:
    from fuzz.runs import Run

    run = Run(name)
    run.random(seed, seconds=seconds)
    print(f"{name}: {run.executions:,} executions, {len(run.findings)} findings", flush=True)


def _guided(name: str, seconds: int, seed: int) -> None:
    """Fuzz with Atheris, which ends the process itself."""
    import atexit
    import tempfile
    from pathlib import Path

    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["impasto", "PIL", "tfrecord", "zipfile", "yaml"]):
        from fuzz.runs import Run
        from fuzz.targets import TARGETS
    run = Run(name, lambda line: print(line, flush=True))
    atexit.register(lambda: print(f"{name}: {run.executions:,} executions, {len(run.findings)} findings", flush=True))
    corpus = Path(tempfile.mkdtemp(prefix="impasto-corpus-"))
    for number, data in enumerate(TARGETS[name].corpus()):
        (corpus / str(number)).write_bytes(data)
    options = [f"-max_total_time={seconds}", f"-seed={seed + 1}", "-max_len=20000", "-timeout=60", "-rss_limit_mb=6000"]
    atheris.Setup([sys.argv[0], *options, "-verbosity=0", f"-artifact_prefix={corpus}/", str(corpus)], run.once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
