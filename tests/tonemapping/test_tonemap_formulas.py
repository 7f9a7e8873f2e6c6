"""Formulas of tone mapping at values that a photograph seldom has, against the papers' numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hdrq.image.color import LUMINANCE
from hdrq.registry import find
from hdrq.tonemapping.adaptation import cone_threshold, rod_threshold
from hdrq.tonemapping.color_correction import CORRECTIONS, exponent_for
from hdrq.tonemapping.operators.pattanaik import _cone_half, _rod_half
from hdrq.tonemapping.parameter_search import _ENDS, along


@pytest.mark.parametrize("log_nits", [-6.0, -3.94, -3.0, -1.44, 0.0, 1.9, 3.0])
def test_thresholds_are_those_of_ferwerda(log_nits) -> None:
    """Ferwerda et al. 1996, section 3: log thresholds of cones and rods."""
    t = log_nits
    cones = -0.72 if t <= -2.6 else t - 1.255 if t >= 1.9 else (0.249 * t + 0.65) ** 2.7 - 0.72
    rods = -2.86 if t <= -3.94 else t - 0.395 if t >= -1.44 else (0.405 * t + 1.6) ** 2.18 - 2.86
    nits = torch.tensor(10**t, dtype=torch.float64)
    assert float(cone_threshold(nits).log10()) == pytest.approx(cones, abs=1e-6)
    assert float(rod_threshold(nits).log10()) == pytest.approx(rods, abs=1e-6)


@pytest.mark.parametrize("nits", [1e-6, 1e-4, 0.03, 1.0, 100.0])
def test_half_responses_are_those_of_hunt(nits) -> None:
    """Pattanaik et al. 2000, equations 6 and 7 in the luminances of that program's units."""
    k, j = 1 / (5 * nits + 1), 1 / (5e5 * nits / 10 + 1)
    cones = 12.9223 * nits / (k**4 * nits + 0.171 * (1 - k**4) ** 2 * math.cbrt(nits))
    rods = 2.5874 * nits / (19000 * j * j * nits + 0.2615 * (1 - j * j) ** 4 * nits ** (1 / 6))
    assert float(_cone_half(torch.tensor(nits, dtype=torch.float64))) == pytest.approx(cones, rel=1e-9)
    assert float(_rod_half(torch.tensor(nits, dtype=torch.float64))) == pytest.approx(rods, rel=1e-9)


def test_mantiuks_corrections_follow_the_slope_of_the_curve() -> None:
    """Mantiuk et al. 2009: ((1 + k1) c^k2) / (1 + k1 c^k2), (k1, k2) by the form of the correction."""
    c, y = 0.4, torch.logspace(-1, 3, 200**2, dtype=torch.float64)
    colour = torch.tensor([1.8, 1.0, 0.2], dtype=torch.float64)
    light = (y * colour[:, None]).view(1, 3, 200, 200)
    shown = (y**c * torch.ones(3, 1, dtype=torch.float64)).view(1, 3, 200, 200)
    red = 1.8 / float(torch.tensor(LUMINANCE, dtype=torch.float64) @ colour)
    for name, k1, k2 in (("mantiuk-power", 1.48, 0.82), ("mantiuk-linear", 1.6774, 0.9925)):
        s = (1 + k1) * c**k2 / (1 + k1 * c**k2)
        assert float(exponent_for(torch.tensor(c, dtype=torch.float64), k1, k2)) == pytest.approx(s)
        found = float((CORRECTIONS[name](light, shown)[0, 0] / shown[0, 0]).median())
        exponent = math.log(found) / math.log(red) if name == "mantiuk-power" else (found - 1) / (red - 1)
        assert exponent == pytest.approx(s, rel=2e-3)


def test_a_search_along_one_parameter_stays_within_its_range() -> None:
    """Equally spaced shares of the range inside its ends, then golden sections around the best."""
    asked: list[float] = []

    def value(u: torch.Tensor) -> torch.Tensor:
        asked.append(1 / (1 + math.exp(-float(u.flatten()[0]))))
        return -((torch.sigmoid(u) - 0.7) ** 2).sum()

    found = list(along(value, [0.0], 24, 0))
    shares = np.array(asked)
    assert shares.min() >= _ENDS
    assert shares.max() <= 1 - _ENDS
    grid = shares[1:13]
    assert np.diff(grid) == pytest.approx(np.full(11, (1 - 2 * _ENDS) / 12))
    best = max(found, key=lambda f: f[2])
    assert 1 / (1 + math.exp(-best[1][0])) == pytest.approx(0.7, abs=2e-3)


def test_meylan_takes_two_of_a_hundred_pixels_for_highlights() -> None:
    """Up to the 98 % quantile light has the share `diffuse` of the range, in a straight line."""
    light = torch.linspace(0, 0.9, 101, dtype=torch.float64).view(1, 1, 1, 101)
    shown = find("expander", "meylan").function(
        light ** (1 / 2.2), transfer="2.2", peak_nits=1000.0, diffuse=0.6
    )
    assert float(shown[..., 98]) == pytest.approx(600, rel=1e-6)
    assert float(shown[..., 49]) == pytest.approx(300, rel=1e-6)
    assert float(shown[..., 100]) == pytest.approx(600 + 400 * 0.018 / 0.118, rel=1e-6)


@pytest.mark.parametrize("filter", ["exact", "grid", "blur"])
def test_a_sun_on_black_stays_finite_and_the_brightest(filter) -> None:
    """L / (L + c) is rounded to 1 there, and its inverse divides by what is left."""
    light = torch.full((1, 3, 24, 24), 1e-3)
    light[..., 6:18, 6:18] = 1e12
    shown = find("tonemapper", "reinhard-bilateral").function(light, key=0.18, white=1e30, filter=filter)
    assert bool(shown.isfinite().all())
    assert float(shown[..., 12, 12].mean()) > float(shown[..., 0, 0].mean()) >= 0
