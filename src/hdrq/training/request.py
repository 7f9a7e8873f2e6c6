"""The arguments of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrainingRequest:
    """The arguments of a training; see hdrq.train."""

    recipe: str = ""
    variant: str = ""
    metric: str = ""
    dataset: str = ""
    data: Path | None = None
    align: str | None = None
    target: str = ""
    lower: bool = False
    name: str = ""
    output: Path | None = None
    settings: Mapping[str, Any] = ()  # type: ignore[assignment]
    small: bool = False
    resume: bool = False
    replace: bool = False
    like: str = ""

    @property
    def better(self) -> str:
        """Direction of the subjective scores where the dataset does not state it."""
        return "lower" if self.lower else "higher"
