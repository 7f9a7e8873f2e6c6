"""What a merge imports: not what takes longer than the merge."""

from __future__ import annotations

import subprocess
import sys

from shooting import save, scene, seen_through, shoot, turned

HEAVY = ("sympy", "scipy.linalg", "scipy.ndimage", "scipy.optimize", "matplotlib")


def test_a_merge_imports_neither_sympy_nor_scipy(tmp_path) -> None:
    """Before: torch.unravel_index imported sympy, half a second, and the response scipy.linalg, a fifth."""
    light = scene(240, 320, stops=8)
    times = (1 / 8, 1 / 2, 2.0)
    frames = [
        shoot(seen_through(light, turned(0.3 * i, 1.3 * i, -2.4 * i, (240, 320))), t, i)
        for i, t in enumerate(times)
    ]
    # something that moves, so that pixels are compared one by one
    frames[0][100:140, 100:140], frames[2][100:140, 150:190] = 200, 120
    program = (
        "import sys, hdrq\n"
        f"found = hdrq.merge({save(frames, tmp_path)}, times={times}).report\n"
        "assert max(f.ghosts for f in found.frames) > 0, found.frames\n"
        f"print(*sorted(set(sys.modules) & set({HEAVY})))\n"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stdout.split() == []
