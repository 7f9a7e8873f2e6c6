"""Image warping: homographies, dense displacement and subpixel shifts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

STILL = np.eye(3)


def translation(dy: float, dx: float) -> np.ndarray:
    """3x3 homography that reads pixel (x + dx, y + dy)."""
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def is_whole_shift(h: np.ndarray) -> bool:
    """Whether a homography is a translation by whole pixels."""
    moved = h / h[2, 2]
    return bool(
        np.array_equal(moved[:, :2], STILL[:, :2]) and np.array_equal(moved[:2, 2], np.rint(moved[:2, 2]))
    )


def apply(h: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (x, y) mapped by a homography."""
    w = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    return (h[0, 0] * x + h[0, 1] * y + h[0, 2]) / w, (h[1, 0] * x + h[1, 1] * y + h[1, 2]) / w


def corner_motion(h: np.ndarray, size: tuple[int, int]) -> float:
    """Root mean square displacement of a 5x5 grid of points in a frame (height, width), pixels."""
    y, x = np.meshgrid(np.linspace(0, size[0] - 1, 5), np.linspace(0, size[1] - 1, 5), indexing="ij")
    u, v = apply(h, x, y)
    return float(np.sqrt(np.mean((u - x) ** 2 + (v - y) ** 2)))


def positions(
    h: np.ndarray,
    top: int,
    bottom: int,
    left: int,
    right: int,
    flow: Tensor | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Positions (x, y) that the pixels of rows top..bottom, columns left..right read, each (rows, columns) float32.

    flow  (2, H, W) displacement (dx, dy) added to the homography, pixels of the moving frame
    """
    y = torch.arange(top, bottom, dtype=torch.float64, device=device)[:, None]
    x = torch.arange(left, right, dtype=torch.float64, device=device)[None]
    # a line and a column, so that each coordinate is one sum per pixel
    u, v = ((row[0] * x + row[2]) + row[1] * y for row in h[:2].tolist())
    # else the divisor is exactly 1: shifts, rotations and affine transforms
    if h[2].tolist() != [0.0, 0.0, 1.0]:
        w = (float(h[2, 0]) * x + float(h[2, 2])) + float(h[2, 1]) * y
        u, v = u.div_(w), v.div_(w)
    if flow is not None:
        part = flow[:, top:bottom, left:right].to(device)
        u, v = u + part[0], v + part[1]
    return u.float(), v.float()


def corners(
    h: np.ndarray, top: int, bottom: int, left: int, right: int
) -> tuple[float, float, float, float] | None:
    """(least x, largest x, least y, largest y) that the pixels of a rectangle read by a homography.

    Straight lines stay straight, so that the extremes are at the corners; None where the horizon crosses the rectangle.
    """
    x, y = np.array([left, right - 1, left, right - 1.0]), np.array([top, top, bottom - 1, bottom - 1.0])
    w = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    if (w <= 0).any() and (w >= 0).any():
        return None
    u, v = apply(h, x, y)
    return float(u.min()), float(u.max()), float(v.min()), float(v.max())


def sample(image: Tensor, x: Tensor, y: Tensor, mode: str = "bicubic") -> Tensor:
    """Samples of (C, H, W) at positions (x, y) in pixels; outside, the nearest pixel. Returns (C, *x.shape)."""
    return read(image, grid_of(x, y, (image.shape[-2], image.shape[-1])), mode).reshape(
        image.shape[0], *x.shape
    )


def grid_of(x: Tensor, y: Tensor, size: tuple[int, int]) -> Tensor:
    """Positions in pixels as `read` takes them, for images of (height, width): (rows, columns, 2), of a line (1, n, 2)."""
    grid = x.new_empty(*(x.shape if x.dim() > 1 else (1, *x.shape)), 2)
    torch.add(x * (2 / size[1]), 1 / size[1] - 1, out=grid[..., 0].view(x.shape))
    torch.add(y * (2 / size[0]), 1 / size[0] - 1, out=grid[..., 1].view(x.shape))
    return grid


def read(image: Tensor, grid: Tensor, mode: str = "bicubic") -> Tensor:
    """Samples (C, rows, columns) of an image (C, H, W) at the positions of a grid; outside, the nearest pixel."""
    out = F.grid_sample(
        image[None], grid[None].to(image), mode=mode, padding_mode="border", align_corners=False
    )
    return out[0]


def inside(x: Tensor, y: Tensor, size: tuple[int, int]) -> Tensor:
    """Mask of positions inside a frame of (height, width), with half a pixel of tolerance at the border."""
    return (x >= -0.5) & (x <= size[1] - 0.5) & (y >= -0.5) & (y <= size[0] - 0.5)


def common_area(transforms: list[np.ndarray], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of a rectangle covered by every frame; empty (bottom <= top) when there is none.

    For translations the rectangle is exact; otherwise it is reduced side by side until every border pixel is covered.
    """
    h, w = size
    top, bottom, left, right = 0, h, 0, w

    def missing(xs: np.ndarray, ys: np.ndarray) -> float:
        """Share of positions that at least one frame does not cover."""
        bad = np.zeros(np.broadcast(xs, ys).shape, bool)
        for t in transforms:
            u, v = apply(t, xs, ys)
            bad |= (u < -0.01) | (u > w - 0.99) | (v < -0.01) | (v > h - 0.99)
        return float(bad.mean())

    while bottom > top and right > left:
        rows, columns = np.arange(top, bottom, dtype=float), np.arange(left, right, dtype=float)
        worst = [
            missing(columns, np.array(top)),
            missing(columns, np.array(bottom - 1)),
            missing(np.array(left), rows),
            missing(np.array(right - 1), rows),
        ]
        if max(worst) == 0:
            break
        side = int(np.argmax(worst))
        step = 1 if worst[side] < 1 else _until(missing, side, (top, bottom, left, right), rows, columns)
        top, bottom = top + step * (side == 0), bottom - step * (side == 1)
        left, right = left + step * (side == 2), right - step * (side == 3)
    return top, bottom, left, right


def _until(
    missing: Callable[..., float],
    side: int,
    box: tuple[int, int, int, int],
    rows: np.ndarray,
    columns: np.ndarray,
) -> int:
    """Number of lines at a side that are not covered at all, so that they are removed in one step."""
    top, bottom, left, right = box
    limit = (bottom - top if side < 2 else right - left) - 1
    step = 1
    while step < limit:
        at = (top + step, bottom - 1 - step, left + step, right - 1 - step)[side]
        lost = missing(columns, np.array(at)) if side < 2 else missing(np.array(at), rows)
        if lost < 1:
            break
        step += 1
    return max(step, 1)


def shift(x: Tensor, down: float, right: float) -> Tensor:
    """(N, C, H, W) shifted by a subpixel translation, bilinear interpolation."""
    h, w = x.shape[-2:]
    for dim, by, n in ((-2, down, h), (-1, right, w)):
        at = torch.arange(n, dtype=torch.float64, device=x.device) - by
        low = at.floor()
        share = (at - low).to(x).view(*((n, 1) if dim == -2 else (n,)))
        a, b = (x.index_select(dim, (low + k).clamp(0, n - 1).long()) for k in (0, 1))
        x = torch.lerp(a, b, share)
    return x


def displace(x: Tensor, field: Tensor) -> Tensor:
    """(N, C, H, W) read at every pixel plus a displacement (N, 2, H, W) of (x, y), pixels, bilinear interpolation."""
    h, w = x.shape[-2:]
    y, z = torch.meshgrid(torch.arange(h).to(x), torch.arange(w).to(x), indexing="ij")
    grid = torch.stack([(2 * (z + field[:, 0]) + 1) / w - 1, (2 * (y + field[:, 1]) + 1) / h - 1], -1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
