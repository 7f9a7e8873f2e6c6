"""Measure the memory peak of every metric: a process each, at 1920x1080, 3840x2160 and 7680x4320.

    OMP_NUM_THREADS=1 python bench/memory.py --json memory.json [--only hdrvdp3,cvvdp] [--sizes 1920x1080,7680x4320]

Each process imports torch, renders a pair of float32 images, and runs the metric once without its map where it can be left
out. The table shows, in GB, the peak of the whole process, and what of it the metric took beyond its pair; then that in planes
of the image's size beside the card's number, by which hdrq refuses before memory runs out; and seconds of processor time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FLOAT32 = 4


def main() -> None:
    args = arguments()
    if args.child:
        print(json.dumps(measured(args.only, *sides(args.sizes))))
        return
    print(
        f"{'metric':16} {'size':>10} {'process, GB':>12} {'metric, GB':>11} {'planes':>7} {'card':>5} {'processor, s':>13}"
    )
    rows = []
    for name in args.only.split(",") if args.only else shelf():
        for size in args.sizes.split(","):
            row = {"metric": name, "size": size} | child(name, size)
            rows.append(row)
            print(cells(row), flush=True)
            if args.json:
                Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Memory peaks of metrics.")
    parser.add_argument(
        "--only", default="", help="metrics, comma-separated; default: those without a network"
    )
    parser.add_argument(
        "--sizes", default="1920x1080,3840x2160,7680x4320", help="WIDTHxHEIGHT, comma-separated"
    )
    parser.add_argument("--json", default="", help="file for the numbers")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def sides(size: str) -> tuple[int, int]:
    width, height = (int(n) for n in size.split("x"))
    return height, width


def shelf() -> list[str]:
    from hdrq import registry

    return [n for n in registry.names("metric") if registry.find("metric", n).card.net is None]


def child(name: str, size: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", "--only", name, "--sizes", size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(name: str, height: int, width: int) -> dict[str, Any]:
    import torch

    from hdrq import registry

    metric = registry.find("metric", name)
    card = metric.card
    pair = [rendered(height, width, 1 if card.grey else 3, k) for k in (0, 1)]
    given = [
        convert(x, reads, card.codes) for x, reads in zip(pair, (card.reference_reads, card.reads)) if reads
    ]
    del pair
    options: dict[str, Any] = {"ppd": 45.0} if "ppd" in card.needs else {}
    if "maps" in card.needs:
        options["maps"] = False
    before, start = resident(), time.process_time()
    with torch.inference_mode():
        found = metric(*given, **options)
    value = float(getattr(found, "value", found))
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "value": value,
        "process": peak,
        "metric_bytes": peak - before,
        "planes": (peak - before) / (height * width * FLOAT32),
        "card": card.planes,
        "seconds": seconds,
    }


def rendered(height: int, width: int, channels: int, noise: int) -> Any:
    """(1, C, H, W), 0.05 to 0.95: gradients and waves, with grain in the second image; made row by row, in place."""
    import torch

    random = torch.Generator().manual_seed(noise)
    image = torch.empty(1, channels, height, width)
    x = torch.linspace(0, 1, width)
    for row in range(height):
        y = row / height
        for c in range(channels):
            line = 0.5 + 0.25 * torch.sin((40 + 9 * c) * x + 25 * y) + 0.15 * torch.sin(700 * x * (y + 0.3))
            image[0, c, row] = line + 0.03 * noise * torch.randn(width, generator=random)
    return image.clamp_(0.05, 0.95)


def convert(image: Any, reads: str, codes: bool) -> Any:
    """Code, or light from 0.4 to 230 cd/m², in place."""
    if reads in ("nits", "linear"):
        return image.mul_(7).exp_().mul_(0.3)
    return image.mul_(255) if codes else image


def resident() -> int:
    """Bytes of memory that the process holds now."""
    line = next(n for n in Path("/proc/self/status").read_text().splitlines() if n.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def cells(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['metric']:16} {row['size']:>10} {row['error'][:80]}"
    own, whole = row["metric_bytes"] / 1e9, row["process"] / 1e9
    return (
        f"{row['metric']:16} {row['size']:>10} {whole:12.2f} {own:11.2f} {row['planes']:7.1f} {row['card']:5.0f}"
        f" {row['seconds']:13.2f}"
    )


if __name__ == "__main__":
    main()
