"""What the card of weights says of their score: how it becomes JOD (a + b · score), and what identical images have."""

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


def anchored(net: Any) -> bool:
    """Whether identical images are given the best score: of weights that hdrq distilled, or fine-tuned on scores scaled to
    0..1, whose labels have their best at 1 for quality and at 0 for a loss. Weights that were imported, or trained by a
    recipe of a paper, keep the numbers of their authors' program."""
    card = getattr(net, "checkpoint", None)
    if card is None:
        return False
    return bool(
        card.recipe.startswith("distilled")
        or (card.recipe.startswith("fine-tuned") and "mos" in card.results)
    )


def in_jod(line: Line, value: Tensor, net: Any = None) -> Tensor:
    """The score as JOD, at most the best of the scale where identical images have it."""
    jod = line[0] + line[1] * value
    return jod.clamp(max=max(line[0], sum(line))) if anchored(net) else jod


def calibrated(line: Line, reading: Reading, net: Any = None) -> Reading:
    """The reading with its value as JOD; the score itself becomes the further number `score`."""
    return replace(
        reading, value=in_jod(line, reading.value, net), extra={"score": reading.value, **reading.extra}
    )


def output_best(output: Output, net: Any) -> Output:
    """The output of a metric of two images, with the value that identical images have where these weights are anchored."""
    if output.best is not None or not anchored(net):
        return output
    return replace(output, best=1.0 if output.better == "higher" else 0.0)


def output_in_jod(line: Line, output: Output, net: Any = None) -> Output:
    """What a value as JOD means: more is better, and the ends of the range are those of the score."""
    ends = [None if end is None else line[0] + line[1] * end for end in output.span]
    low, high = ends if line[1] > 0 else reversed(ends)
    best = None if output.best is None else line[0] + line[1] * output.best
    if high is None and anchored(net):
        high = max(line[0], sum(line))
    return Output("jod", "JOD", "higher", (low, high), best)
