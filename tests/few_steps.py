"""Operators that optimise a network on each image, with few iterations, so that tests of all operators stay fast."""

from __future__ import annotations

from contextlib import AbstractContextManager
from unittest.mock import patch

from hdrq.registry import find

FEW = 3


def few_steps() -> AbstractContextManager[object]:
    """Within this block the default number of iterations is FEW."""
    return patch.dict(find("tonemapper", "selftmo").function.__kwdefaults__, {"iterations": FEW})
