"""A million rows through the commands: score to Parquet, evaluate, and the set of distill.

    OMP_NUM_THREADS=1 python bench/rows.py --rows 1000000 [--folder DIR] [--only score,recorded,evaluate,distill]

`score` compares 8x8 PNG images, every reference with every test image: 1,000 by 1,000 files for a million rows. `recorded` writes
such a table without computing, and `evaluate` reads either, with a subjective score in each row. `distill` chooses a set of as
many rows, and looks for their teacher scores in a dry run. Every step is a process of its own; the table shows its processor
time, the time by the clock and its peak of memory.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

import hdrq
from hdrq.io.rows import written
from hdrq.records import Image


def images(folder: Path, count: int) -> None:
    """Pictures of 8x8 pixels of sRGB code, refs/N.png and dists/N.png."""
    random = torch.Generator().manual_seed(0)
    for kind in ("refs", "dists"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            path = folder / kind / f"{i}.png"
            if not path.exists():
                code = torch.rand(1, 3, 8, 8, generator=random)
                hdrq.write(path, Image(code, domain="srgb"), depth="uint8")


def manifest(path: Path, rows: int, count: int) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["ref", "dist", "image", "scene", "mos"])
        for i in range(rows):
            a, b = divmod(i, count)
            table.writerow([f"refs/{a}.png", f"dists/{b}.png", f"{a} {b}", a, 1 + (a * 7 + b * 13) % 97])


def step(name: str, rows: int, *arguments: object) -> str:
    """One line of the table."""
    clock = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "hdrq", *map(str, arguments)], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{name} failed")
    processor = used.ru_utime + used.ru_stime
    return (
        f"| {name} | {rows:,} | {processor:.0f} s | {time.perf_counter() - clock:.0f} s"
        f" | {1000 * processor / rows:.2f} ms | {used.ru_maxrss / 2**20:.2f} GiB |"
    )


def steps(folder: Path, rows: int, only: set[str]) -> Iterator[str]:
    count = math.isqrt(rows - 1) + 1
    images(folder, count)
    manifest(folder / "list.csv", rows, count)
    scores = folder / "scores.parquet"
    evaluate = ("evaluate", "--scores", scores, "--column", "dist=image", "--higher", "--draws", 0)
    if "score" in only:
        yield step(
            "`score -m psnr`", rows, "score", "--pairs", folder / "list.csv", "-m", "psnr", "-o", scores, "-q"
        )
    if "recorded" in only:
        recorded(scores, rows)
    if "evaluate" in only:
        yield step("`evaluate --scores`", rows, *evaluate)
    if "distill" in only:
        distill = (
            "distill",
            "--teacher",
            "pu-psnr",
            "--images",
            folder / "sources",
            "--crop",
            64,
            "-n",
            rows,
        )
        sources(folder / "sources")
        yield step(
            "`distill --make-set recipes`", rows, *distill, "--make-set", "recipes", "-o", folder / "set"
        )
        yield step("`distill --dry-run`", rows, *distill, "--dry-run", "-o", folder / "run")


def recorded(path: Path, rows: int) -> None:
    """A table such as `score` writes."""
    columns = ["ref", "dist", "metric", "value", "better", "status", "image", "scene", "mos"]
    with written(path, "parquet", columns) as add:
        for i in range(rows):
            a, b = divmod(i, 1000)
            row = (f"refs/{a}.png", f"dists/{b}.png", "psnr", 20 + math.sin(i) * 10, "higher", "ok")
            add(dict(zip(columns, (*row, f"{a} {b}", str(a), str(1 + (a * 7 + b * 13) % 97)), strict=True)))


def sources(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(1)
    for i in range(40):
        hdrq.write(
            folder / f"{i}.png",
            Image(torch.rand(1, 3, 96, 96, generator=random), domain="srgb"),
            depth="uint8",
        )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path, help="kept afterwards; default: a temporary one")
    options.add_argument("--only", default="score,evaluate,distill")
    asked = options.parse_args()
    print("| step | rows | processor | clock | a row | peak |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for line in steps(asked.folder or Path(temporary), asked.rows, set(asked.only.split(","))):
            print(line, flush=True)


if __name__ == "__main__":
    main()
