"""Measure the processor time of `hdrq score` at the prompt, beyond importing torch and reading the images.

    OMP_NUM_THREADS=1 python bench/prompt.py [--rounds 5] [--metrics pu-psnr,pu-ssim,pu-vtamiq]

Each round is a process: it imports torch, runs the command, whose processor time is taken, and reads the pair once more, which is
subtracted. The table shows the least of the rounds, in seconds. As at the prompt, imports are spared from garbage
collection, and modules have been compiled before: a first round, which does not count, writes bytecode to a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description="Processor time of hdrq score beyond torch and reading.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--metrics", default="pu-psnr,pu-ssim,pu-ms-ssim,hdrvdp3,pu-vtamiq,pu-diqm")
    parser.add_argument("--child", nargs=3, metavar=("REF", "DIST", "METRIC"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measured(*args.child)))
        return
    print(f"{'metric':14} {'torch':>7} {'reading':>8} {'the rest':>9}")
    with tempfile.TemporaryDirectory() as folder:
        pair = pictures(Path(folder))
        for name in args.metrics.split(","):
            child(*pair, name, folder)
            found = [child(*pair, name, folder) for _ in range(args.rounds)]
            least = [min(f[key] for f in found) for key in ("torch", "reading", "rest")]
            print(f"{name:14} {least[0]:7.2f} {least[1]:8.3f} {least[2]:9.2f}", flush=True)


def pictures(folder: Path) -> tuple[str, str]:
    import torch

    import hdrq
    from hdrq.records import Image

    light = 10 ** (2 * torch.rand(1, 3, 192, 192, generator=torch.Generator().manual_seed(0)))
    files = folder / "ref.exr", folder / "dist.exr"
    for path, gain in zip(files, (1.0, 1.1)):
        hdrq.write(path, Image(light * gain, "nits"))
    return str(files[0]), str(files[1])


def child(ref: str, dist: str, name: str, folder: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", ref, dist, name]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(Path(folder, "bytecode"))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(ref: str, dist: str, name: str) -> dict[str, float]:
    from hdrq.process import spare_imports

    spare_imports()
    clock = time.process_time
    start = clock()
    import torch  # noqa: F401

    torch_s = clock() - start
    start = clock()
    from hdrq.cli.app import main as command

    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        command(["score", ref, dist, "-m", name])
    whole = clock() - start
    import hdrq

    start = clock()
    for path in (ref, dist):
        hdrq.read(path)
    reading = clock() - start
    return {"torch": torch_s, "reading": reading, "rest": whole - reading}


if __name__ == "__main__":
    main()
