"""Initial homography from matched corners, for frames too far apart or too rotated for bitmaps and correlation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter, zoom

from hdrq.merging.alignment.ecc import match_histogram

CORNERS = 600
# samples per side of a descriptor, distance between them in pixels
PATCH, STEP = 15, 2.0
# pixels: largest distance of an inlier from its prediction
NEAR = 3.0


def corners(image: np.ndarray, count: int = CORNERS) -> np.ndarray:
    """(K, 3) of x, y, direction in radians: Shi-Tomasi corners, the strongest of each neighbourhood.

    Source: Shi & Tomasi, CVPR 1994; direction by the intensity centroid, Rosin 1999.
    """
    gy, gx = np.gradient(gaussian_filter(image, 1.0))
    xx, yy, xy = (gaussian_filter(p, 2.0) for p in (gx * gx, gy * gy, gx * gy))
    least = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy * xy)
    margin = int(PATCH * STEP)
    least[:margin] = least[-margin:] = 0
    least[:, :margin] = least[:, -margin:] = 0
    y, x = np.nonzero((least == maximum_filter(least, 9)) & (least > 0.01 * least.max()))
    keep = np.argsort(-least[y, x], kind="stable")[:count]
    y, x = y[keep], x[keep]
    r = np.arange(-12, 13)
    dy, dx = np.meshgrid(r, r, indexing="ij")
    disc = dy**2 + dx**2 <= 144
    around = image[y[:, None] + dy[disc], x[:, None] + dx[disc]]
    around = around - around.mean(1, keepdims=True)
    return np.stack([x, y, np.arctan2(around @ dy[disc], around @ dx[disc])], 1).astype(float)


def describe(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K, 225) patches rotated to their corner's direction, with mean 0 and norm 1."""
    r = (np.arange(PATCH) - PATCH // 2) * STEP
    dy, dx = np.meshgrid(r, r, indexing="ij")
    c, s = np.cos(points[:, 2])[:, None], np.sin(points[:, 2])[:, None]
    x = points[:, :1] + c * dx.ravel() - s * dy.ravel()
    y = points[:, 1:2] + s * dx.ravel() + c * dy.ravel()
    patch = map_coordinates(image, [y, x], order=1, mode="nearest")
    patch = patch - patch.mean(1, keepdims=True)
    result: np.ndarray = patch / np.maximum(np.linalg.norm(patch, axis=1, keepdims=True), 1e-9)
    return result


def match_homography(
    fixed: np.ndarray, moving: np.ndarray, pixels: int = 600_000, seed: int = 0
) -> tuple[np.ndarray, int]:
    """(homography from `fixed` to `moving`, number of inliers); identity and 0 if none was found.

    fixed, moving  (H, W) uint8 grey frames of equal size
    """
    factor = max(1.0, float(np.sqrt(fixed.size / pixels)))
    a, b = (_smaller(image, factor) for image in (fixed.astype(np.float32), match_histogram(moving, fixed)))
    pa, pb = corners(a), corners(b)
    if min(len(pa), len(pb)) < 12:
        return np.eye(3), 0
    alike = describe(a, pa) @ describe(b, pb).T
    forth, back = alike.argmax(1), alike.argmax(0)
    mutual = np.flatnonzero((back[forth] == np.arange(len(pa))) & (alike.max(1) > 0.7))
    p, q = pa[mutual, :2], pb[forth[mutual], :2]
    if len(p) < 8:
        return np.eye(3), 0
    agree = _agreeing(p, q, np.random.default_rng(seed))
    if agree.sum() < 8:
        return np.eye(3), int(agree.sum())
    h = _direct_linear(p[agree], q[agree])
    for _ in range(3):
        miss = np.hypot(*(_through(h, p) - q).T)
        agree = miss < NEAR
        if agree.sum() < 8:
            return np.eye(3), int(agree.sum())
        h = _direct_linear(p[agree], q[agree])
    size = np.diag([factor, factor, 1.0])
    h = size @ h @ np.linalg.inv(size)
    return h / h[2, 2], int(agree.sum())


def _smaller(image: np.ndarray, factor: float) -> np.ndarray:
    if factor <= 1:
        return image
    if factor >= 2:
        pooled = F.avg_pool2d(torch.from_numpy(image)[None], int(factor))[0].numpy()
        return _smaller(pooled, factor / int(factor))
    result: np.ndarray = zoom(gaussian_filter(image, factor / 3), 1 / factor, order=1, mode="nearest")
    return result


def _agreeing(p: np.ndarray, q: np.ndarray, rng: np.random.Generator, trials: int = 2000) -> np.ndarray:
    """Inliers of the best similarity transform (RANSAC, two points per hypothesis)."""
    i, j = rng.integers(0, len(p), (2, trials))
    i, j = i[i != j], j[i != j]
    z, w = p[:, 0] + 1j * p[:, 1], q[:, 0] + 1j * q[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = (w[j] - w[i]) / (z[j] - z[i])
    ok = np.isfinite(turn) & (np.abs(np.abs(turn) - 1) < 0.2)
    turn, move = turn[ok], (w[i] - turn * z[i])[ok]
    if not len(turn):
        return np.zeros(len(p), bool)
    miss = np.abs(turn[:, None] * z + move[:, None] - w)
    result: np.ndarray = miss[(miss < 2 * NEAR).sum(1).argmax()] < 2 * NEAR
    return result


def _through(h: np.ndarray, p: np.ndarray) -> np.ndarray:
    q = np.c_[p, np.ones(len(p))] @ h.T
    result: np.ndarray = q[:, :2] / q[:, 2:]
    return result


def _direct_linear(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Least-squares homography of p to q. Source: Hartley & Zisserman, Multiple Strip Geometry, alg. 4.2."""

    def normal(points: np.ndarray) -> np.ndarray:
        m, s = (
            points.mean(0),
            np.sqrt(2) / max(float(np.linalg.norm(points - points.mean(0), axis=1).mean()), 1e-9),
        )
        return np.array([[s, 0, -s * m[0]], [0, s, -s * m[1]], [0, 0, 1]])

    tp, tq = normal(p), normal(q)
    a, b = _through(tp, p), _through(tq, q)
    one, zero = np.ones(len(a)), np.zeros(len(a))
    rows_u = np.stack(
        [a[:, 0], a[:, 1], one, zero, zero, zero, -b[:, 0] * a[:, 0], -b[:, 0] * a[:, 1], -b[:, 0]], 1
    )
    rows_v = np.stack(
        [zero, zero, zero, a[:, 0], a[:, 1], one, -b[:, 1] * a[:, 0], -b[:, 1] * a[:, 1], -b[:, 1]], 1
    )
    h = np.linalg.svd(np.concatenate([rows_u, rows_v]))[2][-1].reshape(3, 3)
    h = np.linalg.inv(tq) @ h @ tp
    result: np.ndarray = h / h[2, 2]
    return result
