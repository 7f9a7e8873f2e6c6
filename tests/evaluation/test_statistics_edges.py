"""Statistics where nothing differs, everything differs, or the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hdrq.evaluation.protocols import random_splits
from hdrq.evaluation.statistics.correlation import steiger, williams
from hdrq.evaluation.statistics.curves import cubic


@pytest.mark.parametrize("test", [williams, steiger])
def test_equal_correlations_and_too_few_images_are_no_difference(test) -> None:
    assert test(0.5, 0.5, 0.3, 20) == (0, 1)
    assert test(0.9, 0.1, 0.3, 3) == (0, 1)
    assert test(0.9, 0.1, 0.3, 4)[1] < 1
    assert all(math.isnan(v) for v in test(math.nan, 0.1, 0.3, 20))


def test_a_perfect_correlation_is_beyond_every_other() -> None:
    assert steiger(1.0, 0.2, 0.2, 20) == (math.inf, 0)
    assert steiger(0.2, -1.0, -0.2, 20) == (math.inf, 0)
    assert steiger(0.2, 1.0, 0.2, 20) == (-math.inf, 0)


def test_a_cubic_with_increasing_coefficients_is_found_exactly() -> None:
    x = np.linspace(-2, 7, 40)
    u = (x + 2) / 9
    y = 30 - 4 * (0.2 + u + 2 * u**2 + 0.5 * u**3)
    assert cubic(x, -y)(x) == pytest.approx(-y, abs=1e-6)


def test_splits_are_counted_from_one() -> None:
    scenes = [f"s{i}" for i in range(10)]
    assert [s.name for s in random_splits(scenes, 3)] == ["split 1", "split 2", "split 3"]
