"""Point spread functions by their moments: area, mean and variance of the shapes that they stand for."""

from __future__ import annotations

from math import cos, exp, pi, radians, sin

import pytest
import torch
from torch import Tensor

from hdrq.distillation.distortions.sharpening import sharpening
from hdrq.image.blur import apply_psf, disk, gaussian_blur, reinhard_profile, streak


def moments(kernel: Tensor) -> tuple[float, float, float, float, float]:
    """Sum, centre and variances over rows and columns, from the middle pixel."""
    h, w = kernel.shape
    rows, columns = torch.arange(h).double() - h // 2, torch.arange(w).double() - w // 2
    total = kernel.sum()
    y, x = (kernel.sum(1) * rows).sum() / total, (kernel.sum(0) * columns).sum() / total
    vy = (kernel.sum(1) * rows**2).sum() / total - y**2
    vx = (kernel.sum(0) * columns**2).sum() / total - x**2
    return float(total), float(y), float(x), float(vy), float(vx)


@pytest.mark.parametrize("radius", [0.7, 1.0, 2.5, 6.3])
def test_defocus_is_a_disk(radius: float) -> None:
    """Of area pi r^2, by 8 x 8 samples a pixel, and variance r^2 / 4; samples count at the centres of their pixels."""
    total, y, x, vy, vx = moments(disk(radius))
    assert total == pytest.approx(pi * radius**2, rel=0.04)
    assert (y, x) == pytest.approx((0, 0), abs=1e-9)
    assert vy == pytest.approx(vx) == pytest.approx(radius**2 / 4, abs=0.16)
    assert float(disk(radius).max()) == 1
    assert len(disk(radius)) == 2 * max(round(radius), 1) + 1


@pytest.mark.parametrize(("length", "degrees"), [(6.0, 0.0), (6.0, 90.0), (9.0, 30.0), (12.5, -60.0)])
def test_motion_is_a_line(length: float, degrees: float) -> None:
    """Even along its length: variance L^2 / 12; placing a sample between pixels adds at most a quarter."""
    _, y, x, vy, vx = moments(streak(length, degrees))
    assert (y, x) == pytest.approx((0, 0), abs=1e-9)
    along = length**2 / 12
    assert along * sin(radians(degrees)) ** 2 <= vy + 1e-9 <= along * 1.05 * sin(radians(degrees)) ** 2 + 0.25
    assert along * cos(radians(degrees)) ** 2 <= vx + 1e-9 <= along * 1.05 * cos(radians(degrees)) ** 2 + 0.25


def test_a_gaussian_has_its_standard_deviation() -> None:
    """Cut half a pixel beyond 3 sigma, its variance is 0.983 sigma^2."""
    point = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    point[..., 20, 20] = 1
    seen = gaussian_blur(point, 3.0)[0, 0]
    total, _, _, vy, vx = moments(seen)
    assert total == pytest.approx(1)
    assert vy == pytest.approx(vx) == pytest.approx(0.983 * 9, rel=0.01)
    assert int((seen[20] > 0).sum()) == 2 * 9 + 1


def test_light_is_kept_by_a_point_spread_function() -> None:
    flat = torch.full((1, 3, 16, 16), 7.0)
    assert torch.allclose(apply_psf(flat, disk(2.0)), flat)
    point = torch.zeros(1, 1, 15, 15)
    point[..., 7, 7] = 1
    seen = apply_psf(point, disk(2.0))[0, 0]
    assert float(seen.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(seen[5:10, 5:10], (disk(2.0) / disk(2.0).sum()).float(), atol=1e-7)


@pytest.mark.parametrize(("level", "more"), [(0, 0.0), (1, 0.5), (3, 2.0), (4, 4.0)])
def test_sharpening_adds_a_multiple_of_what_a_blur_of_1_5_pixels_takes_away(level: int, more: float) -> None:
    """Of a point of 1 the blur keeps the square of its middle weight; the kernel has 11 taps."""
    middle = 1 / sum(exp(-(k**2) / (2 * 1.5**2)) for k in range(-5, 6))
    point = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    point[..., 10, 10] = 1
    seen = (sharpening(0.5 + 0.05 * point, level) - 0.5) / 0.05  # code stays within 0..1
    assert float(seen[..., 10, 10]) == pytest.approx(1 + more * (1 - middle**2))
    assert float(seen.sum()) == pytest.approx(1)
    assert torch.allclose(sharpening(torch.full((1, 3, 8, 8), 0.4), level), torch.tensor(0.4))


@pytest.mark.parametrize(("width", "reach"), [(1.9875, 8), (2.0, 8), (2.01, 9), (0.1, 1)])
def test_reinhards_profile_is_cut_at_four_widths_rounded_up(width: float, reach: int) -> None:
    """Its standard deviation is the width over sqrt 2, its sum 1."""
    point = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    point[..., 20, 20] = 1
    seen = reinhard_profile(point, width / 0.35, 0.35)[0, 0]
    total, _, _, vy, vx = moments(seen)
    assert total == pytest.approx(1)
    if width > 1:
        assert int((seen[20] > 0).sum()) == 2 * reach + 1
        assert vy == pytest.approx(vx) == pytest.approx(width**2 / 2, rel=1e-3)
