"""Confidence intervals of correlations by a bootstrap over scenes (sampling with replacement).

Images of one scene share its content, so that a bootstrap over images would give intervals that are too narrow. A
sample of scenes is a weight for each row: how often its scene was drawn. Nothing is copied or sorted again:

srocc, krocc  exact for every sample (krocc to first order in the weights where there are very many rows)
plcc, rmse    the curve is refitted in every sample to first order about the curve of the whole set: scores are
              regressed on the curve's value and its derivatives by its parameters, which needs only sums per scene;
              with fewer than 100 rows, where so many regressors would overfit, on the value alone
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hdrq.evaluation.statistics.correlation import Ranking, agreements, rank_correlations, untied
from hdrq.evaluation.statistics.curves import Curve

Array = NDArray[np.float64]
# weights held at once: samples are computed in chunks that fit in the cache
_CELLS = 1 << 18
_REFITTED = 100
# limits below which Kendall's tau is exact, by pairs of scenes
_EXACT_ROWS, _EXACT_SCENES = 3_000, 1_000


def bootstrap(
    mos: ArrayLike,
    values: ArrayLike,
    curves: Sequence[Curve],
    scenes: Sequence[Hashable],
    *,
    draws: int = 1000,
    seed: int = 0,
    refit: bool = True,
) -> Mapping[str, Array]:
    """{"srocc", "krocc", "plcc", "rmse"}: (draws, M) for M metrics; all metrics use the same samples of scenes.

    mos  (n,) subjective scores
    values    (M, n) in the metrics' units, with the sign that makes them increase with the subjective scores
    curves    M curves from values to subjective scores, fitted to all rows
    scenes    (n,) scene of each row
    refit     False for curves that were fitted to other images and are not refitted
    """
    y = np.asarray(mos, dtype=np.float64)
    x = np.asarray(values, dtype=np.float64).reshape(-1, y.size)
    names, scene = np.unique(np.asarray(scenes, dtype=object).astype(str), return_inverse=True)
    ranked, by_opinion = [Ranking(row, scene) for row in x], Ranking(y, scene)
    kind = _Refit if refit else _Fixed
    fits = [kind(y, row, curve, scene, names.size) for row, curve in zip(x, curves, strict=True)]
    pairs = [_Kendall(y, row, scene, names.size) for row in x]
    out: dict[str, list[Array]] = {name: [] for name in ("srocc", "krocc", "plcc", "rmse")}
    for times in draw(names.size, draws, seed, y.size):
        spearman, untied_x, untied_y = rank_correlations(ranked, by_opinion, times)
        kendall = [p(times, untied_y, untied_x[:, i]) for i, p in enumerate(pairs)]
        out["srocc"].append(spearman)
        out["krocc"].append(np.stack(kendall, 1))
        refits = [fit(times) for fit in fits]
        out["plcc"].append(np.stack([f[0] for f in refits], 1))
        out["rmse"].append(np.stack([f[1] for f in refits], 1))
    return {name: np.concatenate(parts) for name, parts in out.items()}


def draw(scenes: int, draws: int, seed: int, rows: int) -> Iterator[Array]:
    """How often each scene was drawn, (d, scenes) per chunk, `draws` in all; reproducible by the seed."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS // max(rows, scenes))
    for at in range(0, draws, chunk):
        d = min(chunk, draws - at)
        picked = rng.integers(0, scenes, (d, scenes)) + np.arange(d)[:, None] * scenes
        yield np.bincount(picked.ravel(), minlength=d * scenes).reshape(d, scenes).astype(np.float64)


def interval(values: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """Percentile interval (low, high) over the first axis; samples with NaN (constant rows) are left out."""
    tail = (1 - confidence) / 2
    known = np.isfinite(values).any(0)
    low, high = np.nanquantile(np.where(known, values, 0.0), [tail, 1 - tail], axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def two_sided(differences: Array) -> Array:
    """Two-sided p of a zero difference from its samples: twice the smaller share on one side of 0, at least 1/draws."""
    d = differences[np.isfinite(differences).all(axis=tuple(range(1, differences.ndim)))]
    below, above = (d <= 0).mean(0), (d >= 0).mean(0)
    result: Array = np.clip(2 * np.minimum(below, above), 1 / max(len(d), 1), 1.0)
    return result


class _Refit:
    """Correlation and error of a curve refitted to first order, for any multiplicities of scenes."""

    def __init__(self, y: Array, x: Array, curve: Curve, scene: NDArray[Any], scenes: int) -> None:
        basis = (curve(x) - curve.y[0])[:, None]
        if y.size >= _REFITTED:
            basis = np.column_stack((basis, curve.jacobian(x)))
        scale = np.sqrt(np.mean(basis**2, 0))
        basis = (basis / np.where(scale > 0, scale, 1.0))[:, scale > 0]
        q, r = np.linalg.qr(basis)
        # directions that the data determine
        determined = np.abs(np.diag(r)) > 1e-7 * np.sqrt(y.size)
        self.columns = np.column_stack((np.ones_like(y), q[:, determined] * np.sqrt(y.size), y - y.mean()))
        self.width = self.columns.shape[1]
        self.upper = np.triu_indices(self.width)
        products = self.columns[:, self.upper[0]] * self.columns[:, self.upper[1]]
        order = np.argsort(scene, kind="stable")
        starts = np.searchsorted(scene[order], np.arange(scenes))
        # (pairs of columns, S)
        self.sums = np.ascontiguousarray(np.add.reduceat(products[order], starts, axis=0).T)

    def __call__(self, times: Array) -> tuple[Array, Array]:
        gram = np.zeros((len(times), self.width, self.width))
        # BLAS threads would wait
        gram[:, self.upper[0], self.upper[1]] = np.einsum("ds,ks->dk", times, self.sums)
        gram = gram + np.triu(gram, 1).transpose(0, 2, 1)
        count = gram[:, 0, 0]
        inner, cross, total = gram[:, :-1, :-1], gram[:, :-1, -1], gram[:, -1, -1]
        solved = np.einsum("dij,dj->di", np.linalg.pinv(inner, rcond=1e-9, hermitian=True), cross)
        left = np.clip(total - np.einsum("di,di->d", solved, cross), 0, None)
        spread = total - gram[:, 0, -1] ** 2 / count
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(np.clip(1 - left / spread, 0, 1)), np.sqrt(left / count)


class _Fixed:
    """Correlation and error of a fixed curve, for any multiplicities of scenes."""

    def __init__(self, y: Array, x: Array, curve: Curve, scene: NDArray[Any], scenes: int) -> None:
        mapped = curve(x)
        a, b = mapped - y.mean(), y - y.mean()
        moments = (np.ones_like(y), a, b, a * a, b * b, a * b, (mapped - y) ** 2)
        # (S, 7)
        self.sums = np.stack([np.bincount(scene, m, scenes) for m in moments], 1)

    def __call__(self, times: Array) -> tuple[Array, Array]:
        count, a, b, aa, bb, ab, squares = np.einsum("ds,sk->kd", times, self.sums)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt((aa - a * a / count) * (bb - b * b / count))
            return np.clip((ab - a * b / count) / spread, -1, 1), np.sqrt(squares / count)


class _Kendall:
    """Kendall's tau-b for any multiplicities of scenes: concordant minus discordant pairs, summed by pairs of scenes."""

    def __init__(self, y: Array, x: Array, scene: NDArray[Any], scenes: int) -> None:
        self.exact = y.size <= _EXACT_ROWS and scenes <= _EXACT_SCENES
        if not self.exact:
            alone = agreements(x, y).astype(np.float64)
            free_x, free_y = untied(x), untied(y)
            whole = np.sqrt(free_x.sum() * free_y.sum()) or np.nan
            self.tau = alone.sum() / whole
            drift = self.tau / 2 * (free_x / (free_x.sum() or 1) + free_y / (free_y.sum() or 1))
            self.pull = 2 * np.bincount(scene, alone / whole - drift, scenes)
            return
        order = np.argsort(scene, kind="stable")
        starts = np.searchsorted(scene[order], np.arange(scenes))
        rx, ry = (np.unique(v, return_inverse=True)[1][order].astype(np.int32) for v in (x, y))
        self.table = np.zeros((scenes, scenes))
        step = max(1, 2_000_000 // y.size)
        place = scene[order]
        for at in range(0, y.size, step):
            rows = slice(at, at + step)
            agree = np.sign(rx[rows, None] - rx) * np.sign(ry[rows, None] - ry)
            by_column = np.add.reduceat(agree, starts, axis=1, dtype=np.float64)
            np.add.at(self.table, place[rows], by_column)

    def __call__(self, times: Array, untied_y: Array, untied_x: Array) -> Array:
        if not self.exact:
            result: Array = self.tau + (times - 1) @ self.pull
            return result
        agreeing = np.einsum("ds,ds->d", times @ self.table, times)
        with np.errstate(invalid="ignore", divide="ignore"):
            outcome: Array = agreeing / np.sqrt(untied_y * untied_x)
            return outcome
