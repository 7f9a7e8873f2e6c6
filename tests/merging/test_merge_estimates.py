"""What a stack tells of itself: standard errors that hold, and defaults where it shows too little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from hdrq.merging.noise import Noise, _non_negative, fit_noise
from hdrq.merging.response.estimators.debevec import _solve
from hdrq.merging.response.estimators.neighbour_ratios import _half_inverse, _solved
from hdrq.merging.response.exposure_ratios import exposure_ratios


@pytest.mark.parametrize(("pixels", "enough"), [(399, False), (400, True)])
def test_noise_is_fitted_from_two_bins_of_200_pixels(pixels: int, enough: bool) -> None:
    rng = np.random.default_rng(0)
    light = rng.uniform(0.3, 0.8, (1, pixels, 3))
    seconds = np.array([0.5, 1.0])
    exposed = light * seconds[:, None, None]
    codes = (exposed + 0.01 * rng.standard_normal(exposed.shape)) * 65535
    found = fit_noise(codes, seconds, np.linspace(0, 1, 65536)[:, None])
    assert (found != Noise()) == enough


@pytest.mark.parametrize(
    ("slope", "height", "found"),
    [
        (1e-4, -2e-5, {"read": 1e-10}),
        (-1e-6, 2e-6, {"photon": 1e-7}),
        (5e-2, 0, {"photon": 1e-2}),
        (0, 5e-4, {"read": 1e-4}),
    ],
    ids=["no read noise", "no photon noise", "photons", "read"],
)
def test_noise_is_within_what_cameras_have(slope: float, height: float, found: dict[str, float]) -> None:
    """Of frames whose variance is a line over the exposure that no camera has."""
    rng = np.random.default_rng(0)
    light = rng.uniform(0.45, 0.9, (1, 4000, 1))
    seconds = np.array([0.5, 1.0])
    exposed = light * seconds[:, None, None]
    noise = rng.standard_normal(exposed.shape) * np.sqrt(slope * exposed + height)
    codes = np.clip((exposed + noise) * 65535, 0, 65535)
    fitted = fit_noise(codes, seconds, np.linspace(0, 1, 65536)[:, None])
    assert {name: getattr(fitted, name) for name in found} == found


def test_the_standard_error_of_an_exposure_is_its_scatter_over_stacks() -> None:
    """400 stacks of two frames with the noise of photons alone."""
    rng = np.random.default_rng(0)
    well, found = 20_000.0, []
    for _ in range(400):
        electrons = rng.uniform(0.1, 0.8, 300) * well
        light = np.stack([rng.poisson(electrons / 4), rng.poisson(electrons)]) / well
        found.append(exposure_ratios(light, light > 2, np.array([0.25, 1.0]), full_well=well, rounds=1))
    stops = np.log2([r.relative[0] for r in found])
    assert stops.mean() == pytest.approx(-2, abs=0.001)
    assert np.mean([r.spread[0] for r in found]) == pytest.approx(stops.std(), rel=0.1)


def test_debevecs_curve_of_codes_between_8_bit_ones_is_the_least_squares_solution() -> None:
    """Of the whole system, with the light of every pixel as an unknown, that the estimator eliminates."""
    rng = np.random.default_rng(0)
    frames, pixels = 3, 30
    z = rng.uniform(20, 230, (frames, pixels))
    trust, log_t = rng.uniform(0.2, 1, (frames, pixels)), np.log([0.25, 1.0, 4.0])
    stiff = rng.uniform(0.5, 1, 254)
    rows, right = [np.eye(256 + pixels)[128]], [0.0]
    for k in range(frames):
        for n in range(pixels):
            row, low = np.zeros(256 + pixels), int(z[k, n])
            row[low], row[low + 1], row[256 + n] = 1 - (z[k, n] - low), z[k, n] - low, -1
            rows.append(row * np.sqrt(trust[k, n]))
            right.append(log_t[k] * np.sqrt(trust[k, n]))
    bend = np.diff(np.eye(256), 2, axis=0) * stiff[:, None]
    system = np.vstack([*rows, np.hstack([bend, np.zeros((254, pixels))])])
    wanted = np.linalg.lstsq(system, np.r_[right, np.zeros(254)], rcond=None)[0][:256]
    assert _solve(z, trust, log_t, stiff) == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_photon_and_read_noise_are_the_non_negative_least_squares_solution() -> None:
    rng = np.random.default_rng(2)
    bound = 0
    for _ in range(200):
        mean = rng.uniform(0.1, 1, rng.integers(4, 30))
        variance = (mean + 0.3) * rng.lognormal(0, rng.uniform(0.1, 2), len(mean))
        rows = np.stack([mean, np.ones_like(mean)], 1) / variance[:, None]
        theirs = nnls(rows, np.ones(len(rows)))[0]
        bound += theirs.min() == 0
        assert np.allclose(_non_negative(rows), theirs, rtol=1e-10, atol=1e-13)
    assert 20 < bound < 180


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_equations_of_channels_that_have_one_matrix_between_them_are_solved(channels) -> None:
    n, chance = 5, np.random.default_rng(channels)
    between = chance.standard_normal((n, n))
    between = between + between.T
    blocks = chance.standard_normal((channels, n, n))
    blocks = blocks + blocks.transpose(0, 2, 1) + 20 * np.eye(n)
    right = chance.standard_normal((channels, n))
    whole = np.block([[blocks[i] if i == j else between for j in range(channels)] for i in range(channels)])
    given = right.copy()
    assert np.allclose(
        _solved(blocks, between, right).ravel(), np.linalg.solve(whole, right.ravel()), rtol=1e-10
    )
    assert np.array_equal(right, given)


@pytest.mark.parametrize("n", [1, 3, 4, 13])
def test_half_of_an_inverse_is_that_of_the_lower_triangle(n) -> None:
    a = np.random.default_rng(n).standard_normal((n, n + 2))
    a = a @ a.T
    found = _half_inverse(a, 3)
    assert np.array_equal(found, np.tril(found))
    assert np.allclose(found @ a @ found.T, np.eye(n), atol=1e-9)
