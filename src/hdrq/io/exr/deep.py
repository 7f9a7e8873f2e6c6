"""Flattening of deep images: the samples of a pixel are composited front to back."""

from __future__ import annotations

from typing import Any

import numpy as np


def flatten(channels: dict[str, Any], wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    """(H, W) float32 per wanted channel, from (H, W) arrays of per-pixel sample arrays (None: no sample).

    Colours are premultiplied; a sample occludes those behind it by its alpha "A" (1 without that channel).
    Samples are taken as having no depth extent: ZBack is not used.
    """
    first = channels[wanted[0]]
    shape = first.shape
    counts = np.array([0 if s is None else len(s) for s in first.flat])
    pixel = np.repeat(np.arange(counts.size), counts)

    def samples(name: str, default: float) -> np.ndarray:
        there = [s for s in channels[name].flat if s is not None] if name in channels else []
        return np.concatenate(there).astype(np.float32) if there else np.full(len(pixel), default, np.float32)

    order = np.lexsort((samples("Z", 0.0), pixel))
    alpha = samples("A", 1.0)[order]
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(pixel)) - np.repeat(starts, counts)
    through = np.ones(counts.size, np.float32)
    values = {name: samples(name, 0.0)[order] for name in wanted}
    out = {name: np.zeros(counts.size, np.float32) for name in wanted}
    for k in range(int(counts.max(initial=0))):
        at = np.flatnonzero(rank == k)
        where = pixel[at]
        for name in wanted:
            out[name][where] += through[where] * values[name][at]
        through[where] *= 1 - alpha[at]
    return {name: plane.reshape(shape) for name, plane in out.items()}
