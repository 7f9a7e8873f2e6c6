"""On which subjective scores the metrics were checked, and how they agreed; bench/agreement.py measures the figures."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FIGURES = Path(__file__).parent / "metrics" / "_checked.json"


@cache
def _figures() -> dict[str, Any]:
    """{"sets": {set: what it is}, "metrics": {metric: {set: [SROCC, low, high]}}}, intervals of 95 %."""
    found: dict[str, Any] = json.loads(_FIGURES.read_text(encoding="utf-8"))
    return found


def checked_on(metric: str, weights: str = "") -> str:
    """SROCC of a metric with subjective scores and its 95 % interval, set by set; "" where none at hand support it.

    metric   name of an entry, with its default options and for code without a stage;  weights: of its network
    """
    wanted, found = f"{metric}@{weights}" if weights else metric, _figures()
    return "; ".join(
        f"SROCC {value:.2f} ({low:.2f} … {high:.2f}) on {found['sets'][name]}"
        for text, figures in found["metrics"].items()
        if text.rpartition(":")[2] == wanted
        for name, (value, low, high) in figures.items()
    )
