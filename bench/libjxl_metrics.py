"""Processor time of ssimulacra2 and butteraugli at 1920x1080 beside libjxl, taking turns.

python bench/libjxl_metrics.py [--butteraugli /usr/bin/butteraugli_main] [--ssimulacra2 PROGRAM] [--rounds 3] [--threads 1]

butteraugli_main is timed as a whole process, with the reading of two PNG files. PROGRAM is bench/libjxl_ssimulacra2.cc, which
times the function alone; bench/libjxl_ssimulacra2.sh builds it.
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

from hdrq.image.render import distort, room
from hdrq.image.transfer import srgb_to_linear
from hdrq.process import keep_freed_memory
from hdrq.scoring.metrics.butteraugli import butteraugli
from hdrq.scoring.metrics.ssimulacra2 import ssimulacra2


def spent_by(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--butteraugli", help="butteraugli_main of libjxl")
    parser.add_argument("--ssimulacra2", help="the program of bench/libjxl_ssimulacra2.cc")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    request = parser.parse_args()
    # as the command does, see docs/performance.md
    keep_freed_memory()
    torch.set_num_threads(request.threads)
    ref = room(1920, 1080)
    code = [((x / 150).clamp(0, 1) ** (1 / 2.2) * 255).round() for x in (ref, distort(ref))]
    linear = [80 * srgb_to_linear(x / 255) for x in code]
    runs = {
        "ssimulacra2": lambda: ssimulacra2(*(255 / 80 * x for x in linear), maps=False),
        "butteraugli": lambda: butteraugli(*linear),
    }
    least: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        pictures = [Picture.fromarray(x[0].permute(1, 2, 0).numpy().astype(np.uint8)) for x in code]
        png, ppm = (
            [str(Path(folder) / f"{name}.{kind}") for name in ("ref", "dist")] for kind in ("png", "ppm")
        )
        for picture, *files in zip(pictures, png, ppm):
            for file in files:
                picture.save(file)
        for _ in range(request.rounds):
            for name, run in runs.items():
                start = time.process_time()
                run()
                least[name] = min(least.get(name, 1e9), time.process_time() - start)
            if request.butteraugli:
                least["butteraugli_main"] = min(
                    least.get("butteraugli_main", 1e9), spent_by([request.butteraugli, *png])
                )
            if request.ssimulacra2:
                said = subprocess.run(
                    [request.ssimulacra2, *ppm, "1"], check=True, capture_output=True, text=True
                ).stdout
                least["libjxl's ssimulacra2"] = min(
                    least.get("libjxl's ssimulacra2", 1e9), float(said.split()[1])
                )
    for name, seconds in least.items():
        print(f"{name:22} {seconds:6.2f} s of processor time")


if __name__ == "__main__":
    main()
