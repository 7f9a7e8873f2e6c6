"""ColorVideoVDP of hdrq beside the authors' package, in turns: time a frame and memory beyond the frames themselves.

    python bench/cvvdp.py --threads 2 --rounds 3 [--peer-python PYTHON] [--json out.json]

Every contestant is a process of its own, so that peaks of memory can be told apart; it scores once to warm up, then
once for the clock. The table has the least of the rounds. PYTHON is one that has cvvdp==0.5.7 (default: this one).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

# standard_hdr_linear
PPD, PEAK, FLOOR, REFLECTED = 75.40244934519434, 1500.0, 0.005, 0.015915494309189534
FRAMES, RATE = 12, 24


def main() -> None:
    parser = argparse.ArgumentParser(description="Time ColorVideoVDP of hdrq beside the authors' package.")
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT of the frames")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has cvvdp")
    parser.add_argument("--json", default="", help="file for the numbers")
    parser.add_argument("--contestant", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contestant:
        print(json.dumps(measure(*args.contestant, args.size, args.threads)))
        return
    rows = {}
    print(
        f"{args.size}, {args.threads} threads, least of {args.rounds}; clips of {FRAMES} frames at {RATE} a second"
    )
    print(f"{'':6} {'':8} {'JOD':>9} {'s/frame':>8} {'CPU s/frame':>12} {'MiB':>7}")
    for kind in ("still", "clip"):
        found: dict[str, list[dict[str, float]]] = {"hdrq": [], "package": []}
        for _ in range(args.rounds):
            for who, results in found.items():
                results.append(run(who, kind, args))
        rows[kind] = {who: {k: min(r[k] for r in rs) for k in rs[0]} for who, rs in found.items()}
        for who, r in rows[kind].items():
            numbers = f"{r['jod']:9.5f} {r['wall']:8.3f} {r['cpu']:12.3f} {r['mib']:7.0f}"
            print(f"{kind:6} {who:8} {numbers}", flush=True)
        ours, theirs = rows[kind].values()
        ratios = {k: theirs[k] / ours[k] for k in ("wall", "cpu", "mib")}
        print(
            f"{kind:6} {'ratio':8} {'':9} {ratios['wall']:7.1f}x {ratios['cpu']:11.1f}x {ratios['mib']:6.1f}x"
        )
    if args.json:
        Path(args.json).write_text(
            json.dumps({"size": args.size, "threads": args.threads, "rows": rows}, indent=1)
        )


def run(who: str, kind: str, args: argparse.Namespace) -> dict[str, float]:
    python = sys.executable if who == "hdrq" else args.peer_python
    command = [
        python,
        __file__,
        "--size",
        args.size,
        "--threads",
        str(args.threads),
        "--contestant",
        who,
        kind,
    ]
    threads = {"OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads)
    if done.returncode:
        raise SystemExit(f"{who} failed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measure(who: str, kind: str, size: str, threads: int) -> dict[str, float]:
    """JOD, seconds a frame by the wall and by the processor, and MiB that scoring took beyond its input."""
    torch.set_num_threads(threads)
    width, height = (int(n) for n in size.split("x"))
    count = 1 if kind == "still" else FRAMES
    ref = scene(count, height, width)
    dist = ref * (1 + 0.1 * torch.rand(ref.shape, generator=torch.Generator().manual_seed(2)))
    score = {"hdrq": ours, "package": theirs}[who](ref, dist, kind)
    # the peak counts from here
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    with torch.inference_mode():
        jod = score()
        wall, cpu = time.perf_counter(), time.process_time()
        score()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"jod": jod, "wall": wall / count, "cpu": cpu / count, "mib": memory("VmHWM") - before}


def memory(what: str) -> float:
    """MiB of this process, by Linux: VmRSS is what it holds, VmHWM the most it held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def scene(count: int, height: int, width: int) -> Tensor:
    """(F, 3, H, W) light, cd/m²: waves and grain."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = torch.sin(x / 37) + torch.cos(y / 23) + 2.2
    grain = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))
    return waves * torch.tensor([40.0, 60.0, 30.0]).view(3, 1, 1) + 5 * grain


def ours(ref: Tensor, dist: Tensor, kind: str) -> Callable[[], float]:
    from hdrq.scoring.metrics.cvvdp import cvvdp

    options = {"mode": "video", "frame_rate": RATE} if kind == "clip" else {}

    for light in (
        ref,
        dist,
    ):  # what its display shows of it is the package's first step, and the caller's here
        light.clamp_(FLOOR, PEAK).add_(REFLECTED)

    def score() -> float:
        return float(cvvdp(ref, dist, ppd=PPD, maps=False, **options).value)

    return score


def theirs(ref: Tensor, dist: Tensor, kind: str) -> Callable[[], float]:
    library = torch.library.Library(
        "torchvision", "FRAGMENT"
    )  # its compiled part does not fit every CPU torch
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import pycvvdp

    metric = pycvvdp.cvvdp(display_name="standard_hdr_linear", quiet=True, device=torch.device("cpu"))

    def score() -> float:
        if kind == "still":
            return float(metric.predict(dist, ref, dim_order="BCHW")[0])
        clips = (x.permute(1, 0, 2, 3)[None] for x in (dist, ref))
        return float(metric.predict(*clips, dim_order="BCFHW", frames_per_second=RATE)[0])

    score.keep = library  # type: ignore[attr-defined]
    return score


if __name__ == "__main__":
    main()
