"""What a training tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hdrq.engine.training.look import Validation


@dataclass(frozen=True)
class Step:
    """One update."""

    epoch: int
    step: int
    loss: float
    aligned: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class Kept:
    """A file written."""

    path: Path


Record = Step | Validation | Kept
