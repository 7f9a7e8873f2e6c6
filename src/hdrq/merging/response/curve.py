"""Camera response: the exposure (light x time, relative) of every code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.image.sampled import isotonic
from hdrq.image.transfer import pq_to_nits, srgb_to_linear


@dataclass(frozen=True)
class Response:
    """Exposure of every code.

    curve  (levels, C) float64, exposure of code k/(levels - 1); non-negative and non-decreasing.
           C is 1 (one curve for all channels) or 3
    how    its origin, in one line
    """

    curve: np.ndarray
    how: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def levels(self) -> int:
        return len(self.curve)

    def table(self, levels: int) -> np.ndarray:
        """(levels, C) exposures for that number of codes, by linear interpolation."""
        if levels == self.levels:
            return self.curve
        at = np.linspace(0, self.levels - 1, levels)
        knots = np.arange(self.levels)
        return np.stack([np.interp(at, knots, c) for c in self.curve.T], 1)

    def codes(self, exposure: np.ndarray) -> np.ndarray:
        """Inverse, (..., C) exposure to code 0..1, clipped at both ends."""
        x = np.linspace(0, 1, self.levels)
        curves = np.broadcast_to(self.curve, (self.levels, exposure.shape[-1]))
        out = [np.interp(exposure[..., c], _rising(curves[:, c]), x) for c in range(exposure.shape[-1])]
        return np.stack(out, -1)


def _rising(curve: np.ndarray) -> np.ndarray:
    """The curve made strictly increasing by the smallest representable steps, for inversion."""
    result: np.ndarray = curve + np.arange(len(curve)) * 1e-12 * max(curve[-1], 1e-300)
    return result


def look_up(codes: Tensor, table: Tensor, out: Tensor | None = None) -> Tensor:
    """table (levels,) or (C or 1, levels) at integer codes (C, ...), same shape; into `out`, whose channels are contiguous."""
    whole = codes if codes.dtype in (torch.int32, torch.int64) else codes.long()
    if out is not None or (table.dim() == 2 and len(table) > 1):
        out = table.new_empty(codes.shape) if out is None else out
        rows = table.expand(len(codes), table.shape[-1])
        for own, row, code in zip(out, rows, whole):
            torch.index_select(row, 0, code.reshape(-1), out=own.view(-1))
        return out
    # nine times as fast as take
    return table.reshape(-1).index_select(0, whole.reshape(-1)).reshape(codes.shape)


# --- fixed curves -------------------------------------------------------------------------------------


def _hlg(x: Tensor) -> Tensor:
    """HLG code to scene light, 1 at 1. Source: ITU-R BT.2100-2, inverse of the OETF."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return torch.where(x <= 0.5, x * x / 3, (torch.exp((x - c) / a) + b) / 12)


FIXED: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "srgb": srgb_to_linear,
    "pq": lambda x: pq_to_nits(x) / 10000,
    "hlg": _hlg,
}


def fixed_response(name: str, levels: int = 256) -> Response:
    """A curve by name: linear, srgb, pq, hlg, or gamma with its exponent (gamma2.2). 1 at white."""
    x = torch.linspace(0, 1, levels, dtype=torch.float64)
    if name in FIXED:
        return Response(FIXED[name](x).numpy()[:, None], f"fixed: {name}")
    if name.startswith("gamma"):
        try:
            power = float(name.removeprefix("gamma") or 2.2)
        except ValueError:
            power = 0.0
        if power > 0:
            return Response((x**power).numpy()[:, None], f"fixed: gamma {power:g}")
    raise UsageError(f"unknown fixed response '{name}'; choose one of {', '.join(FIXED)}, gamma2.2")


# --- from a raw estimate to a usable curve ------------------------------------------------------------


def usable(
    log_curve: np.ndarray, counts: np.ndarray, how: str, ends: tuple[float, float] = (0.02, 0.98)
) -> Response:
    """An estimate made bounded, increasing and neutral; applied to the curve of every estimator.

    log_curve  (levels, C) ln exposure, any additive constant per channel; NaN where unknown
    counts     (levels, C) frequency of every code, the weight in the isotonic regression
    ends       codes outside are extrapolated linearly in exposure, at least 0
    returns    mid-grey codes of all channels have the same exposure, and white has exposure 1 in all
    """
    levels = len(log_curve)
    x = np.linspace(0, 1, levels)
    curve = np.empty_like(log_curve, dtype=float)
    for c in range(log_curve.shape[1]):
        g, seen = log_curve[:, c], np.isfinite(log_curve[:, c])
        if seen.sum() < 2:
            raise PixelError("too few codes were seen to estimate a response; give --response srgb")
        g = np.interp(x, x[seen], g[seen])
        g = isotonic(g, np.maximum(counts[:, c], 1e-3 * max(counts[:, c].max(), 1e-9)))
        light = np.exp(g - g[levels // 2])
        first, last = (round(e * (levels - 1)) for e in ends)
        span = max(2, levels // 64)
        slope = (light[first + span] - light[first]) / span
        light[:first] = np.maximum(
            light[first] - slope * np.arange(first, 0, -1), light[first] * x[:first] / x[first]
        )
        slope = (light[last] - light[last - span]) / span
        light[last + 1 :] = light[last] + slope * np.arange(1, levels - last)
        curve[:, c] = np.maximum.accumulate(light)
    # white is only a lower bound: pixels clipped in every frame remain neutral
    curve[-1] = curve[-1].max()
    return Response(curve / curve[-1].max(), how)


# --- how good is it -----------------------------------------------------------------------------------


def consistency(
    samples: np.ndarray, seconds: np.ndarray, curve: np.ndarray, low: int = 15, high: int = 245
) -> dict[str, Any]:
    """Disagreement of neighbouring exposures about the same light, in stops.

    samples  (P, N, C) 8-bit codes;  seconds (P,) relative exposures;  curve (256, C or 1)
    returns  bias: mean over pairs and channels of |median|; rms: mean of root mean squares;
             pairs: one dict per pair. Only codes strictly between low and high in both frames are used.
    """
    order = np.argsort(seconds, kind="stable")
    z, t = samples[order].astype(np.int64), np.asarray(seconds, float)[order]
    log = np.log2(np.maximum(np.broadcast_to(curve, (len(curve), z.shape[2])), 1e-300))
    pairs, bias, rms = [], [], []
    for k in range(len(t) - 1):
        ok = (z[k] > low) & (z[k] < high) & (z[k + 1] > low) & (z[k + 1] < high)
        medians, spreads = [], []
        for c in range(z.shape[2]):
            m = ok[:, c]
            if m.sum() < 50:
                continue
            d = log[z[k, m, c], c] - log[z[k + 1, m, c], c] - np.log2(t[k] / t[k + 1])
            medians.append(float(np.median(d)))
            spreads.append(float(np.sqrt(np.mean(d * d))))
        if medians:
            bias += [abs(m) for m in medians]
            rms += spreads
            pairs.append(
                {
                    "frames": (int(order[k]), int(order[k + 1])),
                    "bias": float(np.mean(medians)),
                    "rms": float(np.mean(spreads)),
                    "samples": int(ok.sum()),
                }
            )
    nothing = float("nan")
    return {
        "bias": float(np.mean(bias)) if bias else nothing,
        "rms": float(np.mean(rms)) if rms else nothing,
        "pairs": pairs,
    }
