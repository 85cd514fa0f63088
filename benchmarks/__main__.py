"""All benchmarks of speed as one table of ratios, with the machine, the load and the commit.

    python -m benchmarks PAINTINGS PHOTOS [LARGE.jpg] [--only NAME …] [--markdown FILE]

Each is a script of this folder, which can be run alone with more options. A ratio is how many times as fast impasto is
as the plain way in the same run; commands are run as users run them, start-up included.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch

from impasto.device import choose_device, choose_precision

sys.path.insert(0, str(Path(__file__).parent))  # as for the scripts
from results import COLLECT, Result, collected

#: The scripts by name, with their arguments.
SCRIPTS: dict[str, list[str]] = {
    "dcgan": ["dcgan_step.py", "PHOTOS"],
    "cyclegan": ["translate_step.py", "PAINTINGS", "PHOTOS"],
    "cut": ["cut_step.py"],
    "projected": ["noise_step.py", "projected-128"],
    "fastgan": ["noise_step.py", "fastgan-128"],
    "paint": ["paint.py", "PHOTOS", "LARGE"],
    "pack": ["pack.py", "PHOTOS"],
    "explore": ["explore.py", "PAINTINGS", "PHOTOS"],
    "score": ["score.py", "PHOTOS", "PAINTINGS"],
    "studio": ["studio.py"],
    "growth": ["growth.py", "--sizes", "500", "2000", "8000"],
}


def machine() -> str:
    """Return what the numbers depend on, in one line."""
    device = choose_device("auto")
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    root = Path(__file__).parents[1]
    commit = subprocess.run(["git", "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    parts = [
        card,
        f"{psutil.cpu_count()} cores",
        f"{torch.get_num_threads()} threads",
        f"{choose_precision('auto', device)} in training",
        f"torch {torch.__version__}",
        f"load {psutil.getloadavg()[0]:.1f} at the start",
        f"commit {commit.stdout.strip() or 'unknown'}",
        f"{datetime.now(UTC):%Y-%m-%d}",
    ]
    return ", ".join(parts)


def _processor() -> str:
    """Return the name of the processor, and the widest of its instructions that matter."""
    path = Path("/proc/cpuinfo")
    text = path.read_text() if path.exists() else ""
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in values.items()}
    flags = facts.get("flags", "").split()
    widest = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags][:1]
    return " ".join([facts.get("model name", platform.processor() or platform.machine()), *widest])


def table(results: list[Result]) -> str:
    """Return the results as a table in Markdown."""
    lines = ["| what | plain | impasto | ratio | limit | |", "|---|---|---|---|---|---|"]
    for each in results:
        plain = "" if each.plain is None else f"{each.plain:.3g} s"
        ratio = "" if each.plain is None else f"{each.plain / each.ours:.2f}"
        limit = "" if each.limit is None or each.plain is None else f"{each.plain / each.limit:.2f}"
        lines.append(f"| {each.what} | {plain} | {each.ours:.3g} s | {ratio} | {limit} | {each.note} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paintings", type=Path, help="a folder of paintings of 256 pixels and nothing else")
    parser.add_argument("photos", type=Path, help="the same of photos")
    parser.add_argument("large", type=Path, nargs="?", help="a large photo; without it, none is painted")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS), metavar="NAME")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    arguments = parser.parse_args()
    given = {"PAINTINGS": arguments.paintings, "PHOTOS": arguments.photos, "LARGE": arguments.large}
    words = {name: str(path.resolve()) for name, path in given.items() if path is not None}
    about, failed = machine(), list[str]()
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.jsonl"
        for name in arguments.only:
            script, *rest = SCRIPTS[name]
            command = [words.get(word, word) for word in rest if word != "LARGE" or word in words]
            print(f"{name}: {script} {' '.join(command)}", flush=True)
            path = Path(__file__).with_name(script)
            done = subprocess.run(
                [sys.executable, str(path), *command], env=os.environ | {COLLECT: str(results)}, check=False
            )
            failed += [name] if done.returncode else []
        text = f"{about}\n\n{table(collected(results))}\n"
    print(f"\n{text}")
    if arguments.markdown is not None:
        arguments.markdown.write_text(text, encoding="utf-8")
    if failed:
        sys.exit(f"These failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
