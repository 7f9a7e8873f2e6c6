"""Scores in just-objectionable differences, where the card of the weights says how: JOD = a + b · score."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from hdrq.cards import Output, Reading

Line = tuple[float, float]


def line_of(net: Any) -> Line | None:
    """(a, b) of the card of a network's weights; None where they are not calibrated."""
    card = getattr(net, "checkpoint", None)
    found = None if card is None else card.results.get("jod")
    return None if found is None else (float(found[0]), float(found[1]))


def in_jod(line: Line, value: Tensor) -> Tensor:
    """The score as JOD."""
    return line[0] + line[1] * value


def calibrated(line: Line, reading: Reading) -> Reading:
    """The reading with its value as JOD; the score itself becomes the further number `score`."""
    return replace(
        reading, value=in_jod(line, reading.value), extra={"score": reading.value, **reading.extra}
    )


def output_in_jod(line: Line, found: Output) -> Output:
    """What a value as JOD means: more is better, and the ends of the range are those of the score."""
    ends = [None if end is None else line[0] + line[1] * end for end in found.span]
    low, high = ends if line[1] > 0 else reversed(ends)
    best = None if found.best is None else line[0] + line[1] * found.best
    return Output("jod", "JOD", "higher", (low, high), best)
