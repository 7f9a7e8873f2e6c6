"""hdrq merge beside OpenCV's programs: the same files, one run, wall and processor's seconds.

    python bench/merge.py [--rounds 3] [--threads 2] [--stack DIR]

Two brackets are made: three frames of 1536x1024, handheld, with something that moves; sixteen of 768x512 from a
tripod. hdrq reads, aligns, estimates the response, removes ghosts and merges, once as the command (with the start of
Python) and once within this process. OpenCV (`pip install opencv-python-headless`) reads, aligns by AlignMTB,
calibrates by Debevec or Robertson and merges by Debevec; it has no deghosting. --stack times the files of a folder
(with EXIF) instead.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from merge_large import scene

from hdrq import io, process
from hdrq.image.transfer import linear_to_srgb
from hdrq.image.warp import positions, sample
from hdrq.merging.merge import merge
from hdrq.merging.settings import Settings
from hdrq.records import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--stack", type=Path)
    asked = parser.parse_args()
    process.keep_freed_memory()
    torch.set_num_threads(asked.threads)
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    with tempfile.TemporaryDirectory() as made:
        brackets = (
            {asked.stack.name: (sorted(asked.stack.glob("*.*")), None)}
            if asked.stack
            else {
                "3 frames of 1536x1024, handheld": shot(Path(made), 3, 1024, 1536, 2.0, True),
                "16 frames of 768x512, tripod": shot(Path(made), 16, 512, 768, 1.0, False),
            }
        )
        print(f"{asked.threads} threads, least of {asked.rounds}: wall and processor's seconds")
        for name, (paths, times) in brackets.items():
            print(name)
            for rival, job in rivals(paths, times, Path(made) / "out.exr", asked.threads).items():
                wall, busy = timed(job, asked.rounds)
                print(f"  {rival:30} {wall:6.2f} {busy:6.2f}")


def shot(
    folder: Path, count: int, h: int, w: int, stops: float, handheld: bool
) -> tuple[list[Path], list[float]]:
    """Frames of a made-up scene as JPEG, and their times; handheld: up to 12 pixels, half a degree, and a lamp that walks."""
    times = [2.0 ** ((i - count / 2) * stops) for i in range(count)]
    random, paths = np.random.default_rng(3), []
    for i, seconds in enumerate(times):
        light = scene(h, w)
        move = torch.eye(3, dtype=torch.float64)
        if handheld:
            light[:, h // 2 : h // 2 + 80, 200 + 120 * i : 260 + 120 * i] = 8
            angle = np.deg2rad(random.uniform(-0.5, 0.5))
            move[:2, :2] = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            move[:2, 2] = torch.from_numpy(random.uniform(-12, 12, 2))
        x, y = positions(move.numpy(), 0, h, 0, w)
        seen = sample(light, x, y).clamp(min=0)
        exposed = seen * seconds
        exposed += (
            torch.from_numpy(random.standard_normal(exposed.shape)).float() * (1e-5 * exposed + 1e-7).sqrt()
        )
        paths.append(folder / f"{count}_{i:02}.jpg")
        io.write(paths[-1], Image(linear_to_srgb(exposed.clamp(0, 1))[None].float(), "srgb"))
    return paths, times


def rivals(
    paths: list[Path], times: list[float] | None, out: Path, threads: int
) -> dict[str, Callable[[], object]]:
    given = [] if times is None else ["--times", ",".join(f"{t:.9f}" for t in times)]
    command = [sys.executable, "-m", "hdrq", "merge", "-q", *map(str, paths), *given, "-o", str(out)]
    jobs: dict[str, Callable[[], object]] = {
        "hdrq merge, the command": lambda: subprocess.run(command, check=True, capture_output=True),
        "hdrq, within Python": lambda: merge(paths, Settings(times=times)),
        "hdrq, --align none --deghost none": lambda: merge(
            paths, Settings(times=times, align="none", deghost="none")
        ),
        "hdrq --fuse": lambda: merge(paths, Settings(times=times, fuse=True)),
    }
    try:
        import cv2
    except ImportError:
        return jobs
    cv2.setNumThreads(threads)
    seconds = np.array(times or [1.0] * len(paths), np.float32)

    def merged(aligned: bool, calibrate: Callable[[], Any] = cv2.createCalibrateDebevec) -> object:
        frames: Any = [cv2.imread(str(p)) for p in paths]
        if aligned:
            cv2.createAlignMTB().process(frames, frames)
        response = calibrate().process(frames, seconds)
        return cv2.createMergeDebevec().process(frames, seconds, response)

    def fused() -> object:
        frames: Any = [cv2.imread(str(p)) for p in paths]
        cv2.createAlignMTB().process(frames, frames)
        return cv2.createMergeMertens().process(frames)

    return jobs | {
        f"OpenCV {cv2.__version__}, no deghosting": lambda: merged(True),
        "OpenCV, Robertson's response": lambda: merged(True, cv2.createCalibrateRobertson),
        "OpenCV, not aligned": lambda: merged(False),
        "OpenCV, fusion": fused,
    }


def timed(job: Callable[[], object], rounds: int) -> tuple[float, float]:
    found = []
    for _ in range(rounds):
        began, busy = time.perf_counter(), _busy()
        job()
        found.append((time.perf_counter() - began, _busy() - busy))
    return min(w for w, _ in found), min(b for _, b in found)


def _busy() -> float:
    """Of this process and the ones it waited for."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


if __name__ == "__main__":
    main()
