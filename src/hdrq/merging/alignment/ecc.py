"""Subpixel registration of frames: translation, rotation, affine transform or homography.

Maximises the enhanced correlation coefficient, coarse to fine. Source: Evangelidis & Psarakis, IEEE TPAMI 30(10),
2008, doi:10.1109/TPAMI.2008.113 (forward additive form). Frames of different exposure first get the same
histogram over pixels that are well exposed in both, so that neither response nor exposure must be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.arithmetic import histogram, sums_of_four
from hdrq.image.warp import sample

Model = Literal["shift", "euclid", "affine", "homography"]
# cumulated histograms of a moving and of a fixed frame, (256,) each
Totals = tuple[np.ndarray, np.ndarray]
# range of codes that are taken as well exposed
DOWN, UP = 6, 249


def match_histogram(moving: np.ndarray, fixed: np.ndarray, totals: Totals | None = None) -> np.ndarray:
    """`moving` (uint8) with its histogram matched to `fixed`, (H, W) float32 codes.

    totals  their cumulated histograms, where they are at hand. Codes clipped in either frame keep their rank at the ends.
    """
    own, other = totals or (histogram(moving).cumsum(), histogram(fixed).cumsum())
    ranks = own / max(moving.size, 1)
    middle = ranks - np.diff(ranks, prepend=0) / 2
    target = other / max(fixed.size, 1)
    centre = target - np.diff(target, prepend=0) / 2
    rising = np.maximum.accumulate(centre + np.arange(256) * 1e-12)
    table = torch.from_numpy(np.interp(middle, rising, np.arange(256.0)).astype(np.float32))
    codes = torch.from_numpy(np.ascontiguousarray(moving)).reshape(-1).int()
    result: np.ndarray = table.index_select(0, codes).reshape(moving.shape).numpy()
    return result


@dataclass(frozen=True)
class Scale:
    """Two frames averaged over `factor` pixels, prepared for `_gauss_newton`.

    y, x, value  positions of strong gradients in the fixed frame, and its codes there;  size: (rows, columns)
    moving       (4, rows, columns): codes, derivatives along x and y, and validity of the moving frame
    """

    factor: int
    size: tuple[int, int]
    y: Tensor
    x: Tensor
    value: Tensor
    moving: Tensor


@dataclass(frozen=True)
class Pair:
    """Two grey frames (H, W) uint8 to be registered, and their scales from coarse to fine; none where too little is valid."""

    fixed: np.ndarray
    moving: np.ndarray
    scales: tuple[Scale, ...]


def pair(
    fixed: np.ndarray,
    moving: np.ndarray,
    *,
    pixels: int = 600_000,
    most: int = 6,
    totals: Totals | None = None,
    device: torch.device | str = "cpu",
) -> Pair:
    """The scales of two frames, prepared once for all motion models.

    pixels  largest size of the finest scale; more would cost time and gain hundredths of a pixel
    most    number of scales; 1 where the motion is nearly known
    totals  cumulated histograms of `moving` and `fixed`, where they are at hand
    """
    seen_f = (fixed > DOWN) & (fixed < UP)
    seen_m = (moving > DOWN) & (moving < UP)
    if min(np.count_nonzero(seen_f), np.count_nonzero(seen_m)) < 0.02 * fixed.size:
        return Pair(fixed, moving, ())
    factor = finest(fixed.size, pixels)
    full = (fixed, match_histogram(moving, fixed, totals), seen_f, seen_m)
    now = torch.cat([_averaged_codes(a, factor, device) for a in full])
    scales = [_scale(now, factor)]
    while min(fixed.shape) // (factor * 2) >= 48 and len(scales) < most:
        now, factor = _averaged(now, 2), factor * 2
        scales.insert(0, _scale(now, factor))
    return Pair(fixed, moving, tuple(scales))


def finest(size: int, pixels: int = 600_000) -> int:
    """By how many pixels, along each side, a frame of `size` pixels is averaged or thinned to at most `pixels`."""
    return max(1, int(np.ceil(np.sqrt(size / pixels))))


def _averaged_codes(image: np.ndarray, factor: int, device: torch.device | str) -> Tensor:
    """(1, H // factor, W // factor) float32 means of (H, W) of any type; whole numbers of 8 bits are added as such."""
    if factor == 2 and image.dtype.itemsize == 1:
        # torch has few operations on uint16
        sums = torch.from_numpy(sums_of_four(image.view(np.uint8)).view(np.int16))
        return sums[None].to(device).float().mul_(0.25)
    return _averaged(torch.from_numpy(image.astype(np.float32))[None].to(device), factor)


def _averaged(image: Tensor, factor: int) -> Tensor:
    """(C, H, W) averaged over factor x factor pixels; remaining rows and columns are dropped."""
    # four times as fast as pooling
    if factor == 2:
        h, w = (n // 2 * 2 for n in image.shape[-2:])
        rows = image[:, 0:h:2, :w] + image[:, 1:h:2, :w]
        return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)
    return F.avg_pool2d(image[None], factor)[0] if factor > 1 else image


def _scale(planes: Tensor, factor: int) -> Scale:
    """(4, H, W) from fixed, moving, and their validity."""
    fixed, moving, seen_f, seen_m = planes
    y, x, value = _steepest(fixed, seen_f)
    layers = torch.cat([moving[None], _slopes(moving[None]), seen_m[None]])
    return Scale(factor, (fixed.shape[0], fixed.shape[1]), y, x, value, layers)


def scaled(h: np.ndarray, factor: float) -> np.ndarray:
    """A homography between frames averaged over `factor` pixels (pixel centres are kept)."""
    to_full = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1.0]])
    result: np.ndarray = np.linalg.inv(to_full) @ h @ to_full
    return result


def ecc(
    frames: Pair, start: np.ndarray, model: Model = "homography", rounds: int = 30
) -> tuple[np.ndarray, float]:
    """(homography, correlation) from `fixed` to `moving`: pixel (x, y) corresponds to H(x, y) of `moving`.

    start  initial homography, from bitmaps or features
    """
    if not frames.scales or _shared_unclipped(frames.fixed, frames.moving, start) < 0.02:
        return start, 0.0
    h, rho = start / start[2, 2], 0.0
    for scale in frames.scales:
        g, rho = _gauss_newton(scale, scaled(h, scale.factor), model, rounds)
        h = scaled(g, 1 / scale.factor)
        h = h / h[2, 2]
    return h, rho


def _shared_unclipped(fixed: np.ndarray, moving: np.ndarray, start: np.ndarray) -> float:
    """Share of a sparse grid that is unclipped in both frames."""
    step = max(1, min(fixed.shape) // 64)
    y, x = np.mgrid[0 : fixed.shape[0] : step, 0 : fixed.shape[1] : step]
    w = start[2, 0] * x + start[2, 1] * y + start[2, 2]
    u = np.rint((start[0, 0] * x + start[0, 1] * y + start[0, 2]) / w).astype(int)
    v = np.rint((start[1, 0] * x + start[1, 1] * y + start[1, 2]) / w).astype(int)
    ok = (u >= 0) & (u < moving.shape[1]) & (v >= 0) & (v < moving.shape[0])
    a, b = fixed[y[ok], x[ok]], moving[v[ok], u[ok]]
    return float(((a > DOWN) & (a < UP) & (b > DOWN) & (b < UP)).sum() / y.size)


def _descents(
    slopes: Tensor, x: Tensor, y: Tensor, u: Tensor, v: Tensor, h: np.ndarray, model: Model
) -> Tensor:
    """(parameters, n) changes of a code by every parameter of a motion, from its slopes (2, n) along u and v.

    x, y, u, v  positions in the fixed and in the moving frame, in coordinates scaled to about ±1
    """
    if model == "shift":
        return slopes
    if model == "euclid":
        c, s = h[0, 0], h[1, 0]
        return torch.stack([slopes[0] * (-s * x - c * y) + slopes[1] * (c * x - s * y), *slopes])
    here = torch.stack([x, y, torch.ones_like(x)])
    if model == "affine":
        return (slopes[:, None] * here).flatten(0, 1)
    near = slopes / (h[2, 0] * x + h[2, 1] * y + 1.0)
    away = (near[0] * u + near[1] * v).neg_()
    return (torch.cat([near, away[None]])[:, None] * here).flatten(0, 1)[:8]


def _moved(h: np.ndarray, p: np.ndarray, model: Model) -> np.ndarray:
    h = h.copy()
    if model == "shift":
        h[0, 2] += p[0]
        h[1, 2] += p[1]
    elif model == "euclid":
        angle = np.arctan2(h[1, 0], h[0, 0]) + p[0]
        h[0, 2] += p[1]
        h[1, 2] += p[2]
        h[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    else:
        flat = h.reshape(-1)
        flat[: len(p)] += p
    return h


def _gauss_newton(scale: Scale, h: np.ndarray, model: Model, rounds: int) -> tuple[np.ndarray, float]:
    """One scale: Gauss-Newton steps on the correlation, over the pixels with the strongest gradients.

    Stops when a step is below a hundredth of a pixel. Returns (homography, correlation).
    """
    rows, columns = scale.size
    centre, span = np.array([(columns - 1) / 2, (rows - 1) / 2]), max(rows, columns) / 2
    norm = np.array([[1 / span, 0, -centre[0] / span], [0, 1 / span, -centre[1] / span], [0, 0, 1.0]])
    back = np.linalg.inv(norm)
    n = norm @ h @ back
    n = n / n[2, 2]
    template = scale.value
    if len(template) < 100:
        return h, 0.0
    x, y = (scale.x - centre[0]) / span, (scale.y - centre[1]) / span
    best, best_rho, last = n, -1.0, -1.0
    for _ in range(rounds):
        u, v = n[0, 0] * x + n[0, 1] * y + n[0, 2], n[1, 0] * x + n[1, 1] * y + n[1, 2]
        if n[2, 0] != 0 or n[2, 1] != 0:
            w = n[2, 0] * x + n[2, 1] * y + 1.0
            u, v = u / w, v / w
        px, py = u * span + centre[0], v * span + centre[1]
        now = sample(scale.moving, px, py, "bilinear")
        ok = ((now[3] > 0.99) & (px >= 0) & (px <= columns - 1) & (py >= 0) & (py <= rows - 1)).float()
        count = float(ok.sum())
        if count < 100:
            break
        descents = _descents(now[1:3] * span, x, y, u, v, n, model)
        stack = torch.cat([template[None], now[:1], descents])
        stack = stack.sub_((stack * ok).sum(1, keepdim=True) / count).mul_(ok)
        inner = (stack @ stack.T).double().cpu().numpy()
        rho = inner[0, 1] / max(np.sqrt(inner[0, 0] * inner[1, 1]), 1e-12)
        if rho > best_rho:
            best, best_rho = n, rho
        elif rho < best_rho - 0.02:
            break
        if abs(rho - last) < 1e-6:
            break
        last = rho
        gram, gt, gi = inner[2:, 2:], inner[2:, 0], inner[2:, 1]
        inverse = np.linalg.pinv(gram + 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram)))
        below = inner[0, 1] - gt @ inverse @ gi
        gain = (inner[1, 1] - gi @ inverse @ gi) / below if below > 0 else 1.0
        step = inverse @ (gain * gt - gi)
        n = _moved(n, step, model)
        if np.abs(step).max() * span < 0.01:
            break
    h = back @ best @ norm
    return h / h[2, 2], best_rho


def _slopes(image: Tensor) -> Tensor:
    """(1, H, W) to (2, H, W): central differences along x and y."""
    p = F.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    return torch.cat([p[:, 1:-1, 2:] - p[:, 1:-1, :-2], p[:, 2:, 1:-1] - p[:, :-2, 1:-1]]) / 2


def _steepest(
    image: Tensor, seen: Tensor, per_block: int = 16, block: int = 16
) -> tuple[Tensor, Tensor, Tensor]:
    """(y, x, value) of the strongest valid gradients in every block of 16 x 16 pixels, to cover the whole frame."""
    h, w = image.shape[0] // block * block, image.shape[1] // block * block
    if min(h, w) == 0:
        h, w, block, per_block = *image.shape, 1, 1
    steep = _slopes(image[None]).square().sum(0)[:h, :w] * (seen[:h, :w] > 0.99) + 1e-6 * (
        seen[:h, :w] > 0.99
    )
    if h * w <= 30_000:
        y, x = torch.nonzero(steep > 0, as_tuple=True)
    else:
        tiles = steep.reshape(h // block, block, w // block, block).permute(0, 2, 1, 3).flatten(2)
        top, which = tiles.topk(min(per_block, block * block), -1)
        rows = torch.arange(h // block, device=image.device)[:, None, None] * block + which // block
        columns = torch.arange(w // block, device=image.device)[None, :, None] * block + which % block
        y, x = rows[top > 0], columns[top > 0]
    return y.float(), x.float(), image[y, x]
