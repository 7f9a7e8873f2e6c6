"""Figures of arrays that tests/golden/steps.json holds: a wrong sign, constant or index shows in them.

    HDRQ_PIN=1 pytest tests/merging/test_merge_steps.py        writes the figures of what these tests compute

They hold steps of an algorithm as they are. That the whole is right is what other tests show, against the authors' programs,
against scenes whose answer is known, or by hand; so look at why a figure changed before you write it again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

GOLDEN = Path(__file__).parent / "golden" / "steps.json"


def figures(values: Any) -> list[float]:
    """Root mean square, and a sum with weights of both signs that are like no others, of the same order of magnitude."""
    numbers = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    flat = numpy_float(numbers).ravel()
    weights = (np.arange(flat.size) * 0.6180339887498949 + 0.3) % 1 - 0.45
    return [float(np.sqrt(np.mean(flat**2))), float(flat @ weights / max(flat.size, 1) ** 0.5)]


def numpy_float(numbers: Any) -> np.ndarray:
    """float64, with what is not finite as large numbers, which have to stay where they are."""
    return np.nan_to_num(np.asarray(numbers, dtype=np.float64), nan=1234.5, posinf=2345.6, neginf=-3456.7)


def pinned(name: str, *values: Any, tolerance: float = 2e-4) -> None:
    """Assert that figures of `values` are those of steps.json, within a share of their root mean square."""
    found = [figures(v) for v in values]
    known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("HDRQ_PIN"):
        known[name] = [[float(f"{n:.8g}") for n in pair] for pair in found]
        lines = (f"{json.dumps(key)}: {json.dumps(known[key])}" for key in sorted(known))
        fresh = GOLDEN.with_suffix(".new")
        fresh.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        fresh.replace(GOLDEN)
        return
    assert name in known, f"no figures of '{name}'; HDRQ_PIN=1 writes them"
    assert len(found) == len(known[name])
    for part, (ours, theirs) in enumerate(zip(found, known[name])):
        room = tolerance * max(theirs[0], 1e-12)
        assert abs(ours[0] - theirs[0]) <= room, f"part {part} of '{name}': {ours} in place of {theirs}"
        assert abs(ours[1] - theirs[1]) <= room, f"part {part} of '{name}': {ours} in place of {theirs}"
