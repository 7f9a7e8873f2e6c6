"""A response from neighbouring exposures: every pixel that is well exposed in two of them gives one equation."""

from __future__ import annotations

import numpy as np
import torch

from hdrq.errors import PixelError
from hdrq.image.transfer import srgb_to_linear
from hdrq.merging.cards import EstimatorCard, entry
from hdrq.merging.response.curve import consistency
from hdrq.merging.response.telling import HIGH, LOW, exposed
from hdrq.merging.weights import triangle

# ln units: residual up to which a pixel keeps its full weight
FLOOR = 0.03
SMOOTH = (1e-5, 3e-6, 1e-6)
# times the smallest bias + rms; prefers smooth curves, because equal exposure ratios do not determine waves
AS_WELL = 1.01
# stops between the closest exposures above which the curve is regularised towards sRGB's
WIDE = 3.5
# at 4 stops
WIDE_SMOOTH = 1e-4
# stiffness of the differences between channels relative to their mean
TOGETHER = 10


@entry(
    EstimatorCard(
        title="Response from ratios of neighbouring exposures: robust, with power laws unpenalised",
        source="hdrq: objective of Mitsunaga & Nayar 1999 on the free curve of Debevec & Malik 1997",
        automatic=True,
    )
)
def neighbour_ratios(
    samples: np.ndarray,
    seconds: np.ndarray,
    *,
    smooth: float | None = None,
    power: float = 0.0,
    rounds: int = 6,
) -> np.ndarray:
    """ln exposure of every 8-bit code, (256, C) float64, 0 at code 128.

    samples  (P, N, C) codes 0..255;  seconds (P,) relative exposures
    smooth   weight of the roughness; None takes the largest of SMOOTH with nearly the best agreement of frames
    power    of the residual that is minimised: 2 least squares, 1 least absolute deviations, 0 its logarithm, so
             that motion has almost no influence

    Minimises the mean over neighbouring exposures of w |g(z_k) - g(z_k+1) - ln(t_k / t_k+1)|^power, with equal weight of
    pairs of frames regardless of their pixels, plus the roughness ∫ (d²g/du²)² du over u = ln(z + 1), which is zero for
    power laws, unlike the usual g″ over z. The channels' deviations from their mean curve are regularised
    10 times as strongly: the channels of a camera have nearly the same curve, and grey remains grey at both ends.

    PixelError for a channel of which no pixel has different codes in two neighbouring frames that expose it well.
    """
    order = np.argsort(seconds, kind="stable")
    z = np.rint(samples[order]).astype(np.int64)
    t = np.asarray(seconds, float)[order]
    pairs = _pairs(z, np.log(t))
    if smooth is not None:
        return _curves(pairs, z.shape[2], smooth, power, rounds)
    gaps = np.diff(np.log2(np.sort(t)))
    gap = float(gaps[gaps > 0.1].min()) if (gaps > 0.1).any() else 0.0
    if gap >= WIDE:
        return _near_srgb(pairs, z.shape[2], WIDE_SMOOTH * 10 ** ((gap - 4) / 2), power, rounds)
    found = [_curves(pairs, z.shape[2], s, power, rounds) for s in SMOOTH]
    figures = [consistency(z, t, np.exp(np.clip(g, -50, 50))) for g in found]
    misfit = np.nan_to_num([f["bias"] + f["rms"] for f in figures], nan=0.0)
    return found[int(np.flatnonzero(misfit <= AS_WELL * misfit.min())[0])]


def _near_srgb(
    pairs: tuple[np.ndarray, ...], channels: int, smooth: float, power: float, rounds: int
) -> np.ndarray:
    """(256, channels) for exposures far apart: the roughness is that of the deviation from sRGB's curve.

    Frames d stops apart do not determine functions of period d in log exposure. A power law as prior left waves of
    0.2 to 1.3 stops at 4 to 6 stops; sRGB as prior, with roughness weight growing tenfold in two stops, leaves 0.02 to 0.13
    over six synthetic curves.
    """
    low, high, gap, trust = pairs
    srgb = np.log(srgb_to_linear(torch.linspace(0, 1, 256, dtype=torch.float64)).clamp(min=1e-5).numpy())
    shift = srgb[low % 256] - srgb[high % 256]
    bend = _curves((low, high, gap - shift, trust), channels, smooth, power, rounds)
    result: np.ndarray = bend + (srgb - srgb[128])[:, None]
    return result


def _curves(
    pairs: tuple[np.ndarray, ...], channels: int, smooth: float, power: float, rounds: int
) -> np.ndarray:
    """(256, channels) for one smoothness, by iteratively reweighted least squares.

    Only codes that are used are unknown: beyond them nothing but the roughness holds the curve, which is then straight over u.
    """
    first, n = LOW + 1, HIGH - LOW - 1
    size = n * channels
    *codes, gap, trust = pairs
    low, high = (code // 256 * n + code % 256 - first for code in codes)
    # of the mean curve, and of the deviations from it: a channel's own, and that between any two
    u = np.log(np.arange(256) + 1.0)
    rough = smooth * _roughness(u[first:HIGH])
    own, between = rough * (1 + TOGETHER * (channels - 1)) / channels, rough * (1 - TOGETHER) / channels
    # g(128) = 0
    own[128 - first, 128 - first] += 1.0
    belief, total, both = np.ones_like(gap), trust.sum(), np.concatenate([low, high])
    cells = np.concatenate([low * n + high % n, high * n + low % n])
    for _ in range(rounds):
        # so that `smooth` keeps its meaning
        w = trust * belief * (total / (trust @ belief))
        twice = np.concatenate([w, w])
        blocks = own - np.bincount(cells, twice, size * n).reshape(channels, n, n)
        blocks.reshape(channels, -1)[:, :: n + 1] += np.bincount(both, twice, size).reshape(channels, n)
        right = np.bincount(both, np.concatenate([w * gap, -w * gap]), size)
        g = _solved(blocks, between, right.reshape(channels, n)).reshape(-1)
        belief = np.maximum(np.abs(g[low] - g[high] - gap), FLOOR) ** (power - 2)
    known = g.reshape(channels, n).T
    result: np.ndarray = np.empty((256, channels))
    result[first:HIGH] = known
    for beyond, near, next_ in ((slice(first), first, 1), (slice(HIGH, 256), HIGH - 1, -2)):
        slope = (known[next_] - known[near - first]) / (u[first:HIGH][next_] - u[near])
        result[beyond] = known[near - first] + (u[beyond] - u[near])[:, None] * slope
    return result


def _solved(blocks: np.ndarray, between: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (C, n) of the equations Σ_j B_cj x_j = right_c, where B_cc is blocks[c] and every other B_cj is `between`.

    blocks (C, n, n), between (n, n) and the whole are symmetric, the whole is positive definite. Cholesky's method by blocks:
    what remains between two channels, and what is taken from a block, is the same for all channels that are not yet
    eliminated. By numpy, for importing scipy.linalg takes longer, and torch's result depends on its threads.
    """
    left, taken, x = between, np.zeros_like(between), right.copy()
    halves, ties = [], []
    for c, block in enumerate(blocks):
        if c + 1 == len(blocks):
            x[c] = np.linalg.solve(block - taken, x[c])
            continue
        halves.append(_half_inverse(block - taken))
        x[c] = halves[c] @ x[c]
        ties.append(halves[c] @ left)
        square = ties[c].T @ ties[c]
        left, taken = left - square, taken + square
        x[c + 1 :] -= x[c] @ ties[c]
    for c in reversed(range(len(halves))):
        x[c] = (x[c] - ties[c] @ x[c + 1 :].sum(0)) @ halves[c]
    return x


def _half_inverse(a: np.ndarray, base: int = 64) -> np.ndarray:
    """Inverse of the lower triangular L with L Lᵀ = a, (n, n) symmetric positive definite; by halves down to `base`."""
    n = len(a)
    if n <= base:
        result: np.ndarray = np.linalg.inv(np.linalg.cholesky(a))
        return result
    m = n // 2
    whole = np.zeros_like(a)
    whole[:m, :m] = upper = _half_inverse(a[:m, :m], base)
    across = upper @ a[:m, m:]
    whole[m:, m:] = lower = _half_inverse(a[m:, m:] - across.T @ across, base)
    whole[m:, :m] = (lower @ across.T) @ -upper
    return whole


def _pairs(z: np.ndarray, log_t: np.ndarray) -> tuple[np.ndarray, ...]:
    """(M,) each: code + 256 channel in the shorter and in the longer frame, ln of the exposure ratio, weight.

    Pixels with the same two codes in the same two frames give the same equation: they are one row of their common weight.
    """
    w = triangle(np.arange(256) / 255)
    rows, found = [], 0
    for c in range(z.shape[2]):
        for k in range(len(z) - 1):
            a, b = z[k, :, c], z[k + 1, :, c]
            ok = exposed(a) & exposed(b)
            n = int(ok.sum())
            found += n
            counts = np.bincount(a[ok] * 256 + b[ok], minlength=65536)
            a, b = np.divmod(np.flatnonzero(counts), 256)
            rows.append(
                (
                    a + 256 * c,
                    b + 256 * c,
                    np.full(len(a), log_t[k] - log_t[k + 1]),
                    counts[a * 256 + b] * w[a] * w[b] / max(n, 200),
                )
            )
    low, high, gap, trust = (np.concatenate(column) for column in zip(*rows)) if rows else (np.zeros(0),) * 4
    # of a channel whose two codes are always equal the curve is free
    if found < 50 * z.shape[2] or len(np.unique(low[low != high] // 256)) < z.shape[2]:
        raise PixelError("neighbouring exposures share too few unclipped pixels; give --response srgb")
    return low, high, gap, trust / trust.sum() * z.shape[2]


def _roughness(u: np.ndarray) -> np.ndarray:
    """(n, n) quadratic form of the integral of (d²g/du²)² over u, (n,) = ln(code + 1)."""
    h, count = np.diff(u), len(u) - 2
    mid = (h[:-1] + h[1:]) / 2
    bend = np.zeros((count, count + 2))
    i = np.arange(count)
    bend[i, i], bend[i, i + 2] = 1 / (h[:-1] * mid), 1 / (h[1:] * mid)
    bend[i, i + 1] = -bend[i, i] - bend[i, i + 2]
    bend *= np.sqrt(mid)[:, None]
    return bend.T @ bend
