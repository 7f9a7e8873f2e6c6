"""Learning rates over epochs, and the order in which a meta-training takes its batches."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hdrq.training.meta_learning import MetaLearner
from hdrq.training.network import factor, step_factor


def test_a_step_of_the_rate_falls_every_few_epochs_or_compounds() -> None:
    assert [step_factor(e, 0.5, 2) for e in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    # the factor of an epoch multiplies the rate of the one before: exponents 0, 0, 1, 2, 4, 6
    assert [step_factor(e, 0.5, 2, compounding=True) for e in range(6)] == [1, 1, 0.5, 0.25, 0.0625, 0.015625]


def test_schedules_are_their_formulas() -> None:
    assert [factor("steps", s, 0.1) for s in (0, 0.49, 0.5, 0.75)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [factor("cosine", s, 0.2) for s in (0, 0.5, 1)] == pytest.approx([1, 0.6, 0.2])
    assert [factor("exponential", s, 0.01) for s in (0, 0.5, 1)] == pytest.approx([1, 0.1, 0.01])
    assert [factor("cosine", s, 0.0, 0.2) for s in (0, 0.1, 0.2, 0.6)] == pytest.approx([1e-3, 0.5, 1, 0.5])
    assert factor("constant", 0.7, 0.1) == 1


def test_batches_are_prepared_ahead_in_their_order() -> None:
    loaded: list[int] = []

    def batch(number: int, key: int) -> int:
        loaded.append(number)
        assert key == 10 * number
        return number

    learner = SimpleNamespace(loader=SimpleNamespace(batch=batch))
    found = list(MetaLearner._prefetched(learner, [(n, 10 * n) for n in range(4)]))  # type: ignore[arg-type]
    assert found == loaded == [0, 1, 2, 3]
