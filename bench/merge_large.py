"""Many large frames in little memory: writes a bracket, merges it by the command, prints the time and the most memory.

    python bench/merge_large.py [--frames 30] [--size 8192x5464] [--kind jpg|tif] [--align none] [--deghost none] [--folder DIR]

Frames are 8-bit JPEGs, or 16-bit TIFFs, of one made-up scene of ten stops through an sRGB camera, a third of a stop apart, each
moved by up to four pixels unless --align none. Memory is the process's peak resident set, as Linux counts it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from hdrq import io
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--size", default="8192x5464")
    parser.add_argument("--kind", choices=("jpg", "tif"), default="jpg")
    parser.add_argument("--align", default="none")
    parser.add_argument("--deghost", default="none")
    parser.add_argument("--folder", type=Path, help="where the frames are made, and kept")
    asked = parser.parse_args()
    w, h = (int(n) for n in asked.size.split("x"))
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        times = shoot(folder, asked.kind, asked.frames, h, w, 0 if asked.align == "none" else 4)
        frames = sorted(str(p) for p in folder.glob(f"f*.{asked.kind}"))
        command = [sys.executable, "-m", "hdrq", "merge", *frames]
        command += ["-o", str(folder / "merged.exr"), "--times", ",".join(times), "--align", asked.align]
        command += ["--deghost", asked.deghost, "--depth", "half"]
        began = time.perf_counter()
        subprocess.run(command, check=True)
        wall = time.perf_counter() - began
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    print(f"{asked.frames} frames of {w}x{h}: {wall:.0f} s, {most:.2f} GB at most")


def shoot(folder: Path, kind: str, count: int, h: int, w: int, move: int) -> list[str]:
    """Write the frames that are not there; their times."""
    times = [f"{2 ** ((i - count // 2) / 3) / 30:.8f}" for i in range(count)]
    wanted = [folder / f"f{i:02}.{kind}" for i in range(count)]
    if all(p.exists() for p in wanted):
        return times
    light = scene(h + 2 * move, w + 2 * move)
    shifts = np.random.default_rng(1).integers(0, 2 * move + 1, (count, 2))
    for path, seconds, (dy, dx) in zip(wanted, times, shifts):
        code = linear_to_srgb((light[:, dy : dy + h, dx : dx + w] * (float(seconds) * 30)).clamp(0, 1))
        io.write(path, Image(code[None], "srgb"), **({"depth": "uint16"} if kind == "tif" else {}))
    return times


def scene(h: int, w: int) -> torch.Tensor:
    """(3, H, W) light of ten stops: cloud over cloud, the finest of one pixel."""
    seed = torch.Generator().manual_seed(0)
    stops = torch.zeros(1, 1, h, w)
    for cell, high in ((512, 2.5), (64, 1.0), (8, 0.4), (1, 0.1)):
        small = torch.randn(1, 1, h // cell + 2, w // cell + 2, generator=seed)
        stops += F.interpolate(small, size=(h, w), mode="bilinear") * high
    tint = torch.tensor([0.9, 1.0, 1.1])[:, None, None]
    return stops[0].clamp(-5, 5).exp2() * tint * 0.3


if __name__ == "__main__":
    main()
