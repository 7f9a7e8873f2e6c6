"""Noise model of a camera: variance of the exposure that a code stands for.

In units where white is 1: var(f) = photon f + read + step²/12, for photon noise, read noise and quantisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch

Values = TypeVar("Values", np.ndarray, torch.Tensor)


@dataclass(frozen=True)
class Noise:
    """photon: variance per exposure;  read: constant variance;  both in units where white is an exposure of 1."""

    photon: float = 2e-5
    read: float = 1e-8

    def variance(self, exposure: Values, step: float = 0.0) -> Values:
        """Variance of exposures (array or tensor, white = 1); step: difference in exposure between adjacent codes."""
        result: Values = self.photon * exposure + self.read + step * step / 12
        return result


def fit_noise(samples: np.ndarray, seconds: np.ndarray, table: np.ndarray) -> Noise:
    """Noise parameters of a stack, from the differences between neighbouring exposures.

    samples  (P, N, C) codes;  seconds (P,) relative exposures;  table (levels, C or 1) exposure of every code
    returns  photon and read variance, by non-negative least squares over bins of brightness; the median absolute
             deviation of a bin reduces the effect of edges and small motion. Pixels are chosen by the longer frame alone, and
             deviations are counted upwards, for the shorter frame is cut at black. Defaults are used where a stack shows
             too little
    """
    levels = len(table)
    z = np.rint(samples).astype(np.int64)
    order = np.argsort(seconds, kind="stable")
    table = np.broadcast_to(table, (levels, z.shape[2])) / table.max()
    steps = np.gradient(table, axis=0)
    # 8-bit code is rounded too coarsely in shadows; deeper code shows the read noise there
    low, high = (
        int(0.03 * levels) if levels == 256 else int(np.argmax(table.min(1) > 5e-4)),
        int(0.96 * levels),
    )
    rows, targets = [], []
    # ranks of exposures, which sort as these do, in a tenth of the time
    ranks = [np.unique(curve, return_inverse=True)[1].astype(np.uint16) for curve in table.T]
    for a, b in pairwise(order):
        ratio = seconds[b] / seconds[a]
        for c in range(z.shape[2]):
            za, zb = z[a, :, c], z[b, :, c]
            # nearer to black the shorter frame is cut or rounded to it
            seen = table[zb, c] / ratio > 4 * steps[za, c]
            ok = (za > (low if levels == 256 else -1)) & (za < high) & (zb > low) & (zb < high) & seen
            # both as the shorter frame's exposure
            fa, fb = table[za[ok], c], table[zb[ok], c] / ratio
            width = (steps[za[ok], c] ** 2 + (steps[zb[ok], c] / ratio) ** 2) / 12
            if len(fa) < 400:
                continue
            rising = np.argsort(ranks[c][zb[ok]], kind="stable")
            for part in np.array_split(rising, max(2, min(12, len(fa) // 200))):
                miss = fa[part] - fb[part]
                above = miss - np.median(miss)
                spread = (1.4826 * np.median(above[above >= 0])) ** 2
                mean = fb[part].mean()
                if mean > 0:
                    rows.append([mean * (1 + 1 / ratio) / mean**2, (1 + 1 / ratio**2) / mean**2])
                    targets.append(max(spread - width[part].mean(), 0) / mean**2)
    if len(rows) < 4:
        return Noise()
    # errors relative to the target: bins with motion are too large and get little weight
    target = np.maximum(np.array(targets), 1e-5)
    matrix = np.array(rows) / target[:, None]
    scale = matrix.max(0)
    photon, read = _non_negative(matrix / scale) / scale
    return Noise(float(np.clip(photon, 1e-7, 1e-2)), float(np.clip(read, 1e-10, 1e-4)))


def _non_negative(matrix: np.ndarray) -> np.ndarray:
    """The non-negative (2,) x for which matrix (N, 2) x is nearest to 1; the columns are not negative."""
    both: np.ndarray = np.linalg.lstsq(matrix, np.ones(len(matrix)), rcond=None)[0]
    if (both >= 0).all():
        return both
    alone = matrix.sum(0) / (matrix**2).sum(0)
    worse = ((matrix * alone - 1) ** 2).sum(0)
    return np.where(worse == worse.min(), alone, 0.0)
