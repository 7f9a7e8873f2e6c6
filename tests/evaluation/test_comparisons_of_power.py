"""Tests of metrics' resolving power: p by their formulas, and where the data hold no question of a kind."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, norm

from hdrq.evaluation.statistics.resolving_power import compare, delong, hanley_mcneil, image_pairs, power


@pytest.mark.parametrize(
    ("errors", "absent"),
    [(0.0, {"different"}), (100.0, {"different", "better", "correct"})],
    ids=["all differ", "none differs"],
)
def test_without_pairs_of_a_kind_p_is_1(errors: float, absent: set[str]) -> None:
    mos, rng = np.arange(12.0), np.random.default_rng(0)
    asked = image_pairs(mos, np.full(12, errors))
    a = power(mos + rng.normal(0, 1, 12), asked)
    b = power(rng.normal(0, 1, 12), asked)
    p = compare(a, b, asked)
    assert {k for k, v in p.items() if v == 1} == absent
    assert all(v < 0.05 for k, v in p.items() if k not in absent)


def test_the_critical_ratio_of_two_areas_is_that_of_independent_errors() -> None:
    """Hanley & McNeil 1982 of each area, by their formulas; taus of 0 where both metrics order the cases independently."""
    rng = np.random.default_rng(0)
    a = rng.normal(1.5, 1, 40), rng.normal(0, 1, 60)
    b = rng.normal(0.5, 1, 40), rng.normal(0, 1, 60)
    variance, areas = 0.0, []
    for positive, negative in (a, b):
        area = float((positive[:, None] > negative).mean())
        twice_positive, twice_negative = area / (2 - area), 2 * area**2 / (1 + area)
        variance += (
            area * (1 - area) + 39 * (twice_positive - area**2) + 59 * (twice_negative - area**2)
        ) / (40 * 60)
        areas.append(area)
    z = abs(areas[0] - areas[1]) / variance**0.5
    assert 1 < z < 6
    p = hanley_mcneil(a, b)
    shared = np.mean([kendalltau(a[k], b[k]).statistic for k in (0, 1)])
    assert abs(shared) < 0.1
    assert norm.isf(p / 2) == pytest.approx(z, rel=0.1)
    assert hanley_mcneil(a, a) == 1
    assert hanley_mcneil(b, a) == pytest.approx(p)


def test_delongs_p_is_that_of_placements_counted_one_by_one() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 1, 90)
    cases = [(truth + rng.normal(0, s, 90)) for s in (0.4, 1.5)]
    a, b = ((x[:40] + 1, x[40:]) for x in cases)
    gaps = []
    for positive, negative in (a, b):
        wins = (positive[:, None] > negative).astype(float)
        gaps.append((wins.mean(1), wins.mean(0), wins.mean()))
    rows, columns = gaps[0][0] - gaps[1][0], gaps[0][1] - gaps[1][1]
    z = (gaps[0][2] - gaps[1][2]) / np.sqrt(rows.var(ddof=1) / 40 + columns.var(ddof=1) / 50)
    assert delong(a, b) == pytest.approx(2 * norm.sf(abs(z)), rel=1e-9)
    assert delong(a, a) == 1
