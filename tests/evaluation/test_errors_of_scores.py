"""What the stated spread of subjective scores means."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from hdrq.evaluation.ratings import _errors
from hdrq.records import Pair


def test_deviations_of_known_observers_become_standard_errors() -> None:
    pairs = [Pair(f"{i}.png", None, f"s{i}", 3.0, spread) for i, spread in enumerate((0.8, 1.2))]
    observers = SimpleNamespace(spread="sd", observers=16)
    errors, kind = _errors(pairs, observers)  # type: ignore[arg-type]
    assert kind == "standard error"
    assert np.allclose(errors, [0.2, 0.3])
    errors, kind = _errors(pairs, None)
    assert kind == "standard deviation"
    assert np.allclose(errors, [0.8, 1.2])
