"""Filters as shifted additions, shrinking and pyramids, against slow arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import convolve2d

from hdrq.image.filters import CACHE, slide, strips
from hdrq.image.pyramids import double, laplacian_pyramid
from hdrq.image.resize import shrink


@pytest.mark.parametrize("dim", [-2, -1])
@pytest.mark.parametrize("shape", [(1, 1, 12, 13), (2, 3, 40, 31), (5, 9, 14)])
def test_sliding_is_correlation(shape, dim):
    x = torch.rand(shape, dtype=torch.float64)
    taps = (0.1, -0.5, 0.0, 0.7)
    kernel = torch.tensor(taps, dtype=torch.float64).reshape((1, 1, 4, 1) if dim == -2 else (1, 1, 1, 4))
    expected = F.conv2d(x.reshape(-1, 1, *shape[-2:]), kernel)
    torch.testing.assert_close(slide(x, taps, dim).reshape(expected.shape), expected)


def test_sliding_a_frame_larger_than_the_cache_is_the_same():
    x = torch.rand(1, 2, 900, 1200)
    assert x[0, 0].numel() > CACHE
    taps = (0.25, 0.5, 0.25)
    torch.testing.assert_close(slide(x, taps, -2), (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4)


def test_the_gradient_of_sliding_is_right():
    x = torch.rand(2, 1, 6, 7, dtype=torch.float64, requires_grad=True)
    for dim in (-2, -1):
        assert torch.autograd.gradcheck(lambda x, dim=dim: slide(x, (0.2, 0.5, -0.3), dim), x)
        assert torch.autograd.gradgradcheck(lambda x, dim=dim: slide(x, (0.2, 0.5, -0.3), dim).square(), x)


def test_taps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="5 taps"):
        slide(torch.rand(1, 1, 4, 9), (1.0,) * 5, -2)


def test_strips_cover_every_row_once():
    rows = [i for part in strips(101, CACHE // 3, torch.ones(1)) for i in range(101)[part]]
    assert rows == list(range(101))


@pytest.mark.parametrize("f", [2, 3, 4, 5])
@pytest.mark.parametrize("size", [(12, 13), (15, 8), (17, 22)])
def test_shrinking_is_a_box_mean_and_every_f_th_pixel(size, f):
    x = np.random.default_rng(0).random(size)
    box = np.full((f, f), 1 / f**2)
    full = convolve2d(x, box)  # MATLAB's 'same' starts at f // 2
    zero = full[f // 2 :, f // 2 :][: size[0], : size[1]][::f, ::f]
    padded = np.pad(x, f, mode="symmetric")
    mirror = convolve2d(padded, box)[f + f // 2 :, f + f // 2 :][: size[0], : size[1]][::f, ::f]
    image = torch.from_numpy(x)[None, None]
    np.testing.assert_allclose(shrink(image, f)[0, 0].numpy(), zero)
    np.testing.assert_allclose(shrink(image, f, mirror=True)[0, 0].numpy(), mirror)


def test_shrinking_can_be_trained_through():
    x = torch.rand(1, 1, 7, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: shrink(x, 3, mirror=True), x)


@pytest.mark.parametrize("size", [(64, 48), (37, 51)])
def test_a_flat_picture_has_no_laplacian_bands(size):
    *bands, rest = laplacian_pyramid(torch.full((1, 1, *size), 3.0, dtype=torch.float64), 4)
    for band in bands:
        torch.testing.assert_close(band, torch.zeros_like(band), atol=1e-12, rtol=0)
    torch.testing.assert_close(rest, torch.full_like(rest, 24.0))


def test_doubling_keeps_straight_lines_straight():
    ramp = torch.arange(9.0, dtype=torch.float64).repeat(8, 1)[None, None]
    steps = double(ramp)[0, 0, 0].diff()
    assert double(ramp).shape == (1, 1, 16, 18)
    torch.testing.assert_close(steps[2:-3], steps[2].expand(12))
