"""Durations in words, before a training and a distillation."""

from __future__ import annotations

import pytest

from hdrq.distillation import checks
from hdrq.training import estimate


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.9, "0 min 0 s"), (125, "2 min 5 s"), (3599.9, "59 min 59 s"), (3600, "1 h 0 min"), (2 * 3600 + 3 * 60 + 59, "2 h 3 min")],
)  # fmt: skip
def test_a_training_states_hours_and_minutes_or_minutes_and_seconds(seconds: float, words: str) -> None:
    assert estimate.clock(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(29.4, "29 s"), (30.6, "1 min"), (89, "1 min"), (59 * 60 + 29, "59 min"), (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_a_distillation_states_them_to_the_nearest_minute(seconds: float, words: str) -> None:
    assert checks.clock(seconds) == words


def test_quality_is_covered_where_tenths_hold_2_per_cent() -> None:
    histogram = (0.02, 0.0199, 0.5, 0.3, 0.1, 0.0601, 0, 0, 0, 0)
    found = checks.Check(histogram, {"a": 0.8, "b": 0.79}, 3)
    assert found.covered == pytest.approx(0.5)
    lines = found.lines()
    assert "the rows cover only 50 % of the quality scale" in lines[1]
    assert [line.endswith("nearly as well") for line in lines[2:4]] == [True, False]
    assert lines[4].startswith("3 rows have no teacher score")
