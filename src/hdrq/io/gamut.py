"""Eight numbers in a header become Primaries."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from hdrq.records import PRIMARIES, Primaries

ROUNDING = 5e-4  # headers write three to five decimals


def primaries_of(xy: Sequence[float], rounding: float = ROUNDING) -> Primaries | None:
    """Primaries of x, y of red, green, blue and white, by name where known; None where they span nothing."""
    numbers = [float(v) for v in xy]
    if len(numbers) != 8 or not all(isfinite(v) for v in numbers):
        return None
    for known in PRIMARIES.values():
        flat = (*known.red, *known.green, *known.blue, *known.white)
        if max(abs(a - b) for a, b in zip(flat, numbers, strict=True)) <= rounding:
            return known
    (rx, ry), (gx, gy), (bx, by), (wx, wy) = pairs = list(zip(numbers[::2], numbers[1::2], strict=True))

    def area(ax: float, ay: float, bx: float, by: float, cx: float, cy: float) -> float:
        return (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)

    shares = [area(wx, wy, gx, gy, bx, by), area(rx, ry, wx, wy, bx, by), area(rx, ry, gx, gy, wx, wy)]
    whole = area(rx, ry, gx, gy, bx, by)
    if abs(whole) < 1e-4 or any(s / whole <= 0 for s in shares) or any(abs(y) < 1e-6 for _, y in pairs):
        return None
    return Primaries("file", *pairs)


def flat(primaries: Primaries) -> tuple[float, ...]:
    """The eight numbers as headers want them."""
    return (*primaries.red, *primaries.green, *primaries.blue, *primaries.white)
