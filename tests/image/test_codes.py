"""Histogram and sums of frames of 8-bit codes, and a search, against the same in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hdrq.image.arithmetic import histogram, outside, positive, sums_of_four, whole_codes


@pytest.mark.parametrize("shape", [(1, 1), (6, 8), (7, 9), (64, 33)])
def test_sums_of_four_are_those_of_2_by_2_pixels(shape) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    h, w = shape[0] // 2, shape[1] // 2
    wide = image[: 2 * h, : 2 * w].astype(int).reshape(h, 2, w, 2)
    assert np.array_equal(sums_of_four(image), wide.sum((1, 3)))
    assert sums_of_four(np.full((2, 2), 255, np.uint8)).tolist() == [[1020]]


def test_histograms_count_every_code_of_a_part() -> None:
    image = np.random.default_rng(2).integers(0, 256, (40, 50)).astype(np.uint8)
    part = image[3:37:2, 5:]  # not contiguous
    assert np.array_equal(histogram(part), np.bincount(part.ravel(), minlength=256))
    assert histogram(np.zeros((2, 3), np.uint8)).tolist() == [6] + [0] * 255


def test_positive_values_are_found_in_order() -> None:
    x = torch.tensor([[0.0, -1.0, 2.0], [float("nan"), 1e-30, 0.0]])
    assert positive(x).tolist() == [2, 4]
    # not contiguous
    assert positive(x.T).tolist() == [3, 4]
    assert positive(x > 1).tolist() == [2]
    assert positive(torch.zeros(3)).dtype == torch.int64


def test_values_beyond_a_floor_or_a_roof_are_found_in_order() -> None:
    low = torch.tensor([[1.0, 5.0, 2.0], [2.0, 1.0, 0.0]])
    high = torch.tensor([[4.0, 9.0, 2.0], [2.0, 2.0, 0.5]])
    roof, floor = torch.full((2, 3), 2.0), torch.full((2, 3), 1.0)
    assert outside(low, high, floor, roof).tolist() == [1, 5]
    assert outside(low.T, high.T, floor.T, roof.T).tolist() == [2, 5]
    assert outside(low, high, floor, roof).dtype == torch.int64


@pytest.mark.parametrize(("kind", "most"), [(np.uint8, 255), (np.uint16, 65535)])
def test_pixels_become_the_nearest_codes(kind, most) -> None:
    pixels = torch.linspace(-0.1, 1.1, 2 * 3 * 40_000).reshape(2, 3, 40_000)
    for given in (pixels, pixels.transpose(0, 2)):
        found = whole_codes(given, kind)
        assert (found.dtype, found.shape) == (kind, tuple(given.shape))
        assert np.array_equal(found, (given * most).round().clamp(0, most).numpy().astype(kind))
    codes = np.arange(most + 1)
    assert np.array_equal(whole_codes(torch.from_numpy(codes / most).float(), kind), codes)
