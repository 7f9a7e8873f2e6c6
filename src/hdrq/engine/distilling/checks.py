"""Can it be learnt? What the transfer-learning papers ask of a set before a network is trained on it.

Source: Bahnemiri, Ponomarenko & Egiazarian 2024, doi:10.3934/aci.2024007, and IMQNet's protocol: scores that cover
their scale, and a teacher that simple metrics do not predict already (|SROCC| below about 0.8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hdrq.ops.correlation import srocc

EASY = 0.8
CHEAP = ("pu21:psnr", "pu21:ssim")
_BINS, _FEW = 10, 0.02  # of the quality scale; share of the rows below which a bin counts as empty


@dataclass(frozen=True)
class Check:
    """Shares of the rows in ten bins of quality from worst to best; what simple metrics make of the teacher."""

    histogram: tuple[float, ...]
    cheap: Mapping[str, float]
    lost: int

    @property
    def covered(self) -> float:
        """Share of the bins that hold at least 2 % of the rows."""
        return float(np.mean([share >= _FEW for share in self.histogram]))

    def lines(self) -> list[str]:
        """What a user should read before the training."""
        shares = " ".join(f"{100 * s:.0f}" for s in self.histogram)
        said = [f"teacher's qualities from worst to best, % of the rows in each tenth: {shares}"]
        if self.covered < 0.6:
            said.append(
                f"only {100 * self.covered:.0f} % of the scale is covered; add levels, or other distortions"
            )
        for name, value in self.cheap.items():
            verdict = "" if value < EASY else f"; above {EASY}: the teacher says little that {name} does not"
            said.append(f"|SROCC| of {name} with the teacher: {value:.3f}{verdict}")
        if self.lost:
            said.append(f"{self.lost} rows have no score of the teacher and are left out")
        return said


def check(quality: np.ndarray, cheap: Mapping[str, Sequence[float] | np.ndarray]) -> Check:
    """quality (n,) with NaN where there is none; cheap metrics' scores of the first rows."""
    known = quality[np.isfinite(quality)]
    counts, _ = np.histogram(known, _BINS, (0, 1))
    found = {}
    for name, values in cheap.items():
        v, q = np.asarray(values, dtype=np.float64), quality[: len(values)]
        ok = np.isfinite(v) & np.isfinite(q)
        found[name] = abs(srocc(v[ok], q[ok])) if ok.sum() > 2 else float("nan")
    return Check(tuple(counts / max(known.size, 1)), found, int(quality.size - known.size))
