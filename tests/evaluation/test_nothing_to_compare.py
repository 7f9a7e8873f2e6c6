"""Metrics are not told apart where the data hold no question of a kind."""

from __future__ import annotations

import numpy as np
import pytest

from hdrq.evaluation.statistics.resolving_power import compare, power, questions


@pytest.mark.parametrize(
    ("errors", "absent"),
    [(0.0, {"different"}), (100.0, {"different", "better", "correct"})],
    ids=["all differ", "none differs"],
)
def test_without_pairs_of_a_kind_p_is_1(errors: float, absent: set[str]) -> None:
    opinions, rng = np.arange(12.0), np.random.default_rng(0)
    asked = questions(opinions, np.full(12, errors))
    a = power(opinions + rng.normal(0, 1, 12), asked)
    b = power(rng.normal(0, 1, 12), asked)
    p = compare(a, b, asked)
    assert {k for k, v in p.items() if v == 1} == absent
    assert all(v < 0.05 for k, v in p.items() if k not in absent)
