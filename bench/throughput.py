"""Pairs per second of `hdrq score --pairs` beside a loop over the library, and how busy the processor's cores are.

    python bench/throughput.py [--pairs 1000] [--size 1920x1080] [--metrics pu-psnr,pu-ssim] [--kind exr|png] [--json out.json]

A few different pairs are written and linked under as many names as are asked for, so that reading and decoding are those
of as many files and the disk does not have to hold them. Wall and processor time are of whole processes, the start of
Python and the import of torch included; `busy` is processor time over wall time and the number of cores.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIFFERENT = 8
LOOP = """
import csv, sys
import hdrq
metrics = [hdrq.metric(name) for name in sys.argv[2].split(",")]
with open(sys.argv[1], newline="") as rows, open(sys.argv[3], "w", newline="") as out:
    writer = csv.writer(out)
    for row in csv.DictReader(rows):
        ref, dist = hdrq.read(row["ref"]), hdrq.read(row["dist"])
        writer.writerow([row["dist"], *(float(metric(ref, dist)) for metric in metrics)])
"""


def main() -> None:
    args = arguments()
    metrics = args.metrics if args.kind == "exr" else args.metrics.replace("pu-", "")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pairs = linked(Path(folder), args)
        out = str(Path(folder, "scores.csv"))
        ways = {
            "hdrq score": [
                *(sys.executable, "-m", "hdrq", "score", "-q", "--pairs", str(pairs)),
                *("-m", metrics, "-o", out, "--device", "cpu"),
            ],
            "hdrq score --cluster": [],
            "a loop over the library": [sys.executable, "-c", LOOP, str(pairs), metrics, out],
        }
        ways["hdrq score --cluster"] = [*ways["hdrq score"], "--cluster", "local"]
        print(f"{args.pairs} pairs of {args.size} {args.kind}, {metrics}, {os.cpu_count()} cores")
        print(f"{'':26} {'wall, s':>9} {'processor, s':>13} {'pairs/s':>8} {'busy':>6}")
        for name, command in ways.items():
            Path(out).unlink(missing_ok=True)
            wall, busy = timed(command)
            row = {"way": name, "wall": wall, "processor": busy, "pairs_per_second": args.pairs / wall}
            rows.append(row | {"busy": busy / wall / (os.cpu_count() or 1)})
            print(
                f"{name:26} {wall:9.1f} {busy:13.1f} {args.pairs / wall:8.2f} {rows[-1]['busy']:6.0%}",
                flush=True,
            )
    if args.json:
        Path(args.json).write_text(json.dumps(vars(args) | {"rows": rows}, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pairs per second of hdrq score beside a loop.")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT")
    parser.add_argument("--metrics", default="pu-psnr,pu-ssim", help="for EXR; for PNG without pu-")
    parser.add_argument("--kind", choices=("exr", "png"), default="exr")
    parser.add_argument("--json", default="", help="file for the numbers")
    return parser.parse_args()


def linked(folder: Path, args: argparse.Namespace) -> Path:
    """A table of pairs, whose files are hard links to a few different ones."""
    import torch
    from bench import scene

    import hdrq
    from hdrq.records import Image

    width, height = (int(n) for n in args.size.split("x"))
    light = scene(height, width, noise=0.05)
    for i in range(DIFFERENT):
        noise = torch.randn(light.shape, generator=torch.Generator().manual_seed(i))
        for side, x in (
            ("ref", light.roll(97 * i, -1)),
            ("dist", light.roll(97 * i, -1) * (1 + 0.05 * noise)),
        ):
            image = Image(x.clamp(min=0.005), "nits")
            shown = image if args.kind == "exr" else hdrq.tonemap(image, "reinhard")
            hdrq.write(folder / f"{side}{i}.{args.kind}", shown)
    table = folder / "pairs.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["ref", "dist"])
        for n in range(args.pairs):
            names = [folder / f"{side}-{n}.{args.kind}" for side in ("ref", "dist")]
            for side, name in zip(("ref", "dist"), names):
                os.link(folder / f"{side}{n % DIFFERENT}.{args.kind}", name)
            writer.writerow(names)
    return table


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, busy


if __name__ == "__main__":
    main()
