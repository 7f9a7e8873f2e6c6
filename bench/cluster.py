"""Speed-up of `hdrq score --cluster local:N` over one process of one thread.

python bench/cluster.py --pairs 100 --size 1152x900 --metric hdrvdp3 --processes 2

For a machine without other work: the runs are timed by the clock. Files are rendered into a temporary folder. "Runs apart"
state what the machine allows: as many runs of one process at the same time, each with its share of the list.
Processor time is that of all processes of a run; unlike the clock it can be compared on a machine with other work. The last
line is what the engine takes for itself: items that take no time, from the first chunk to the last result.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch

import hdrq
from hdrq.image.render import room
from hdrq.records import Image
from hdrq.work import Needs


class Nothing:
    """A job whose items take no time."""

    def begin(self) -> Callable[[Sequence[int]], Iterator[int]]:
        return iter

    def lost(self, item: int, reason: str) -> int:
        return item

    def needs(self, item: int) -> Needs:
        return Needs()


def overhead(count: int, processes: int) -> float:
    """Seconds an item."""
    # by the name under which the processes import it
    from cluster import Nothing as Job

    with hdrq.connect(f"local:{processes}", device="cpu") as spread:
        # the first chunks import what they need
        list(spread(Job(), range(processes)))
        start = time.perf_counter()
        assert list(spread(Job(), range(count), total=count)) == list(range(count))
        return (time.perf_counter() - start) / count


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


def started(pairs: Path, metric: str, output: Path, *more: str) -> subprocess.Popen[bytes]:
    """A run with one thread a process."""
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
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)


def timed(start: Callable[[], Iterable[subprocess.Popen[bytes]]]) -> tuple[float, float]:
    """Seconds by the clock, and of processor time, until the runs that are started have ended."""
    clock, processors = time.perf_counter(), processor_time()
    for run in list(start()):
        if run.wait():
            raise SystemExit("a run failed")
    return time.perf_counter() - clock, processor_time() - processors


def processor_time() -> float:
    """Of all child processes that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
        one, many = folder / "one.csv", folder / "many.csv"
        metric, count = asked.metric, asked.processes
        alone = timed(lambda: [started(pairs, metric, one, "--jobs", "1")])
        divided = timed(lambda: [started(pairs, metric, many, "--cluster", f"local:{count}")])
        same = one.read_bytes() == many.read_bytes()
        shares = [("--shard", f"{n}/{count}", "--jobs", "1") for n in range(1, count + 1)]
        apart = timed(
            lambda: [started(pairs, metric, folder / f"{i}.csv", *share) for i, share in enumerate(shares)]
        )
    print(f"{asked.pairs} pairs of {asked.size}, {metric}")
    for name, (clock, processors) in (
        ("one process", alone),
        (f"local:{count}", divided),
        (f"{count} runs apart", apart),
    ):
        print(f"{name}: {clock:.1f} s, {processors:.1f} s of processor time, speed-up {alone[0] / clock:.2f}")
    print(f"files {'equal' if same else 'DIFFER'}")
    print(f"overhead: {1000 * overhead(20000, count):.2f} ms an item")


if __name__ == "__main__":
    main()
