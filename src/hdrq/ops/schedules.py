"""How a learning rate falls: the factor on it at a share of the run, 0 at the start and 1 at the end."""

from __future__ import annotations

from math import cos, pi


def factor(kind: str, share: float, floor: float, warmup: float = 0.0) -> float:
    """Factor in (0, 1].

    kind    constant; exponential: floor^share; cosine: half a wave from 1 to floor; steps: x0.1 at 1/2 and 3/4
    warmup  share of the run over which it rises linearly first
    """
    if warmup > 0 and share < warmup:
        return max(share / warmup, 1e-3)
    left = (share - warmup) / (1 - warmup) if warmup < 1 else 1.0
    if kind == "exponential":
        return float(floor**left)
    if kind == "cosine":
        return floor + (1 - floor) * (1 + cos(pi * left)) / 2
    if kind == "steps":
        return 0.1 ** ((left >= 0.5) + (left >= 0.75))
    return 1.0


def stepped(epoch: int, fall: float, every: int, compounding: bool = False) -> float:
    """Factor of an epoch, counted from 0: fall^(epoch // every).

    compounding  the factor of every epoch multiplies the rate of the one before, as MetaIQA's programs have it
    """
    if not compounding:
        return float(fall ** (epoch // every))
    return float(fall ** sum(e // every for e in range(epoch + 1)))
