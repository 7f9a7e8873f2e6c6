"""Mitsunaga and Nayar's camera response, with a monotonic basis."""

from __future__ import annotations

from math import comb

import numpy as np

from hdrq.errors import PixelError
from hdrq.merging.cards import EstimatorCard, entry

# codes outside are too close to black or clipping
LOW, HIGH = 0.04, 0.96


@entry(
    EstimatorCard(
        title="Mitsunaga-Nayar response: a polynomial fitted to the exposure ratios",
        source="Mitsunaga & Nayar, CVPR 1999, doi:10.1109/CVPR.1999.786966",
    )
)
def mitsunaga_nayar(
    samples: np.ndarray, seconds: np.ndarray, *, orders: tuple[int, ...] = (6, 8, 10)
) -> np.ndarray:
    """ln exposure of every 8-bit code, (256, C) float64, 0 at white.

    samples  (P, N, C) codes 0..255;  seconds (P,) relative exposures
    orders   degrees to try; the one with the smallest error is used

    Minimises Σ (f(M_q) - R f(M_q+1))² over neighbouring exposures. Departure from the paper: the polynomial is
    expressed in the Bernstein basis with increasing coefficients, found by non-negative least squares, so that it is
    monotonic (the powers of the paper often are not); errors are divided by the brighter code, to give shadows weight.
    """
    order = np.argsort(seconds, kind="stable")
    m, t = samples[order] / 255.0, np.asarray(seconds, float)[order]
    curves = []
    for c in range(m.shape[2]):
        low, high, ratio = [], [], []
        for k in range(len(t) - 1):
            ok = (m[k, :, c] > LOW) & (m[k, :, c] < HIGH) & (m[k + 1, :, c] > LOW) & (m[k + 1, :, c] < HIGH)
            low.append(m[k, ok, c])
            high.append(m[k + 1, ok, c])
            ratio.append(np.full(ok.sum(), t[k] / t[k + 1]))
        a, b, r = (np.concatenate(part) for part in (low, high, ratio))
        if len(a) < 50:
            raise PixelError("neighbouring exposures share too few unclipped pixels; give --response srgb")
        fits = [_fit(a, b, r, n) for n in orders]
        curves.append(min(fits, key=lambda fit: fit[0])[1])
    result: np.ndarray = np.log(np.maximum(np.stack(curves, 1), 1e-12))
    return result


def _steps(x: np.ndarray, n: int) -> np.ndarray:
    """(len(x), n + 1) increasing functions: partial sums of the Bernstein basis of degree n. The first is constant 1."""
    k = np.arange(n + 1)
    basis = np.array([comb(n, i) for i in k]) * x[:, None] ** k * (1 - x[:, None]) ** (n - k)
    result: np.ndarray = basis[:, ::-1].cumsum(1)[:, ::-1]
    return result


def _fit(low: np.ndarray, high: np.ndarray, ratio: np.ndarray, n: int) -> tuple[float, np.ndarray]:
    """(error, curve (256,)) of one degree; the curve is 1 at white and 0 or more at black."""
    # here, because every merge imports this module, and scipy takes long
    from scipy.optimize import nnls

    rows = (_steps(low, n) - ratio[:, None] * _steps(high, n))[:, 1:] / high[:, None]
    gram = rows.T @ rows / len(low)
    root = np.linalg.cholesky(gram + 1e-12 * np.trace(gram) * np.eye(n)).T
    # f(1) = 1
    pull = np.full((1, n), 1e3 * np.sqrt(np.trace(gram) / n))
    part = nnls(np.vstack([root, pull]), np.append(np.zeros(n), pull[0, 0]))[0]
    return float(part @ gram @ part), _steps(np.linspace(0, 1, 256), n)[:, 1:] @ part
