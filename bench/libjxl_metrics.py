"""Processor time of ssimulacra2 and butteraugli at 1920x1080 beside libjxl's butteraugli_main, taking turns.

python bench/libjxl_metrics.py [--peer /usr/bin/butteraugli_main] [--rounds 3] [--threads 1]

The peer is a whole process; what it needs for an 8x8 pair and for reading is not taken off.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture

from hdrq.heap import keep
from hdrq.image.render import room, spoil
from hdrq.scoring.metrics.butteraugli import butteraugli
from hdrq.scoring.metrics.ssimulacra2 import ssimulacra2


def spent_by(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="butteraugli_main of libjxl")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    keep()  # as the command does, see docs/performance.md
    torch.set_num_threads(asked.threads)
    ref = room(1920, 1080)
    code = [((x / 150).clamp(0, 1) ** (1 / 2.2) * 255).round() for x in (ref, spoil(ref))]
    linear = [80 * (x / 255) ** 2.2 for x in code]
    runs = {
        "ssimulacra2": lambda: ssimulacra2(*linear, maps=False),
        "butteraugli": lambda: butteraugli(*linear),
    }
    least: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        files = [str(Path(folder) / name) for name in ("ref.png", "dist.png")]
        for file, x in zip(files, code):
            Picture.fromarray(x[0].permute(1, 2, 0).numpy().astype(np.uint8)).save(file, compress_level=1)
        for _ in range(asked.rounds):
            for name, run in runs.items():
                start = time.process_time()
                run()
                least[name] = min(least.get(name, 1e9), time.process_time() - start)
            if asked.peer:
                least["butteraugli_main"] = min(
                    least.get("butteraugli_main", 1e9), spent_by([asked.peer, *files])
                )
    for name, seconds in least.items():
        print(f"{name:20} {seconds:6.2f} s of processor time")


if __name__ == "__main__":
    main()
