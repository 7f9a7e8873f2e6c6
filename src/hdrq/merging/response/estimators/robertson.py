"""Robertson, Borman and Stevenson's camera response."""

from __future__ import annotations

import numpy as np

from hdrq.merging.cards import EstimatorCard, entry
from hdrq.merging.weights import weight_table


@entry(
    EstimatorCard(
        title="Robertson response: alternating estimates of light and curve",
        source="Robertson, Borman & Stevenson, J. Electronic Imaging 12(2), 2003, doi:10.1117/1.1557695",
    )
)
def robertson(
    samples: np.ndarray, seconds: np.ndarray, *, rounds: int = 30, stop: float = 0.01
) -> np.ndarray:
    """ln exposure of every 8-bit code, (256, C) float64, 0 at code 128; NaN for codes that were not seen.

    samples  (P, N, C) codes 0..255;  seconds (P,) relative exposures
    rounds   largest number; iteration stops when the curves change by less than `stop` (summed over codes, mean of channels)

    Alternates E = Σ w t g / Σ w t² for every pixel and g(m) = mean of t E over all pixels of code m, with g(128) = 1.
    """
    z = np.rint(samples).astype(np.int64)
    t = np.asarray(seconds, float)
    frames, _, channels = z.shape
    w = np.maximum(weight_table("robertson", np.arange(256) / 255), 0)
    curve = np.repeat(np.arange(256.0)[:, None] / 128, channels, 1)
    seen = np.stack([np.bincount(z[..., c].ravel(), minlength=256) for c in range(channels)], 1)
    below = [sum(w[z[k, :, c]] * t[k] ** 2 for k in range(frames)) + 2.2e-16 for c in range(channels)]
    for _ in range(rounds):
        fresh = np.empty_like(curve)
        for c in range(channels):
            above = sum((w * curve[:, c])[z[k, :, c]] * t[k] for k in range(frames))
            light = above / below[c]
            total = sum(np.bincount(z[k, :, c], light, 256) * t[k] for k in range(frames))
            fresh[:, c] = total / np.maximum(seen[:, c], 1)
            fresh[:, c] /= _middle(fresh[:, c], seen[:, c])
        moved = np.abs(fresh - curve).sum() / channels
        curve = fresh
        if moved < stop:
            break
    with np.errstate(divide="ignore"):
        return np.where((seen > 0) & (curve > 0), np.log(np.maximum(curve, 1e-300)), np.nan)


def _middle(curve: np.ndarray, seen: np.ndarray) -> float:
    """The curve at code 128, interpolated from the nearest codes where 128 does not occur."""
    known = np.flatnonzero((seen > 0) & (curve > 0))
    return float(np.interp(128, known, curve[known])) if len(known) else 1.0
