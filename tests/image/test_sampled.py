"""Integrals, interpolation and transform lengths against scipy 1.17's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import next_fast_len
from scipy.integrate import cumulative_trapezoid, trapezoid
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from hdrq.image.sampled import fast_length, integral, isotonic, monotone_cubic, running_integral

RANDOM = np.random.default_rng(5)
X = np.cumsum(RANDOM.uniform(0.1, 2, 40))
Y = RANDOM.standard_normal((40, 3))


def test_integrals_are_those_of_scipy() -> None:
    assert np.array_equal(integral(Y, X), trapezoid(Y, X, axis=0))
    assert np.array_equal(running_integral(Y[:, 0], X), cumulative_trapezoid(Y[:, 0], X, initial=0))


@pytest.mark.parametrize("shape", ["random", "rising", "flat", "with plateaus", "three points"])
def test_the_monotone_cubic_is_scipys(shape: str) -> None:
    y = {
        "random": Y,
        "rising": np.cumsum(np.abs(Y), 0),
        "flat": np.ones_like(Y),
        "with plateaus": np.maximum(Y, 0),
        "three points": Y[:3],
    }[shape]
    x = X[: len(y)]
    at = np.concatenate([np.linspace(x[0] - 1, x[-1] + 1, 500), x])
    theirs = PchipInterpolator(x, y, extrapolate=False)(at)
    assert np.allclose(monotone_cubic(x, y, at), theirs, rtol=1e-13, atol=1e-14, equal_nan=True)


def test_transform_lengths_are_those_of_scipy() -> None:
    sizes = [*range(1, 3000), *RANDOM.integers(3000, 100_000, 200).tolist()]
    assert [fast_length(n) for n in sizes] == [next_fast_len(n, real=True) for n in sizes]


@pytest.mark.parametrize("trend", [0.0, 0.05, 0.5, 5.0])
def test_the_isotonic_sequence_is_scipys(trend: float) -> None:
    y = trend * np.arange(300) + RANDOM.standard_normal(300)
    weights = RANDOM.uniform(0.01, 9, 300)
    theirs = isotonic_regression(y, weights=weights).x
    assert np.allclose(isotonic(y, weights), theirs, rtol=1e-12, atol=1e-12)
