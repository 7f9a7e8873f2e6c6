"""Speed-up of `hdrq score --cluster local:N` over one process of one thread.

python bench/cluster.py --pairs 100 --size 1152x900 --metric hdrvdp3 --processes 2

For a machine without other work: both runs are timed by the clock. Files are rendered into a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

import hdrq
from hdrq.image.render import room
from hdrq.records import Image


def render(folder: Path, count: int, width: int, height: int) -> Path:
    """A manifest of `count` pairs of a room in light and noisy copies of it."""
    light = room(height, width, seed=0)
    hdrq.write(folder / "ref.exr", Image(light))
    lines = ["ref,dist"]
    for i in range(count):
        noise = torch.randn(light.shape, generator=torch.Generator().manual_seed(i))
        hdrq.write(folder / f"d{i}.exr", Image((light * (1 + 0.05 * noise)).clamp(min=0.005)))
        lines.append(f"ref.exr,d{i}.exr")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder / "list.csv"


def score(pairs: Path, metric: str, output: Path, *more: str) -> float:
    """Seconds of one run with one thread a process."""
    command = [
        sys.executable,
        "-m",
        "hdrq",
        "score",
        "--pairs",
        str(pairs),
        "-m",
        metric,
        "-o",
        str(output),
        *more,
    ]
    start = time.perf_counter()
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--pairs", type=int, default=100)
    options.add_argument("--size", default="1152x900", help="WIDTHxHEIGHT")
    options.add_argument("--metric", default="hdrvdp3")
    options.add_argument("--processes", type=int, default=2)
    asked = options.parse_args()
    width, height = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        pairs = render(folder, asked.pairs, width, height)
        alone = score(pairs, asked.metric, folder / "one.csv", "--jobs", "1")
        many = score(pairs, asked.metric, folder / "many.csv", "--cluster", f"local:{asked.processes}")
        same = (folder / "one.csv").read_bytes() == (folder / "many.csv").read_bytes()
    print(f"{asked.pairs} pairs of {asked.size}, {asked.metric}: one process {alone:.1f} s")
    print(
        f"local:{asked.processes} {many:.1f} s, speed-up {alone / many:.2f}, files {'equal' if same else 'DIFFER'}"
    )


if __name__ == "__main__":  # the processes of the cluster import this module
    main()
