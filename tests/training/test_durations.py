"""Durations in words, before a training and a distillation."""

from __future__ import annotations

import pytest

from hdrq.training.estimate import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (29.4, "29 s"), (59.4, "59 s"), (59.6, "1 min"), (89, "1 min"), (91, "2 min"),
     (59 * 60 + 29, "59 min"), (59 * 60 + 31, "1 h 0 min"), (3600, "1 h 0 min"), (7500, "2 h 5 min"), (90000, "25 h 0 min")],
)  # fmt: skip
def test_a_duration_is_in_seconds_or_to_the_nearest_minute(seconds: float, words: str) -> None:
    assert duration(seconds) == words
