"""The command computes the same file whatever number of threads the environment gives to numpy."""

from __future__ import annotations

import os
import subprocess
import sys

from shooting import save, scene, shoot


def test_a_merged_file_does_not_depend_on_the_threads_of_numpy(tmp_path) -> None:
    times = (1 / 8, 1 / 2, 2.0)
    frames = save([shoot(scene(48, 64, stops=8), t, i) for i, t in enumerate(times)], tmp_path)
    merged = []
    for threads in ("1", "2"):
        settings = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
        merged.append(tmp_path / f"{threads}.exr")
        command = [
            sys.executable,
            "-m",
            "hdrq",
            "merge",
            *frames,
            "--times",
            "0.125,0.5,2",
            "--align",
            "none",
        ]
        subprocess.run(
            [*command, "-o", merged[-1], "-q"], env=settings | {"OMP_NUM_THREADS": threads}, check=True
        )
    assert merged[0].read_bytes() == merged[1].read_bytes()
