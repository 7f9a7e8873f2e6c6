"""Split by scene: rows for training, rows for choosing the best epoch, and rows held out for the report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from hdrq.distillation.rows import Row, Rows
from hdrq.distillation.sources import Source
from hdrq.errors import UsageError

# shares of the scenes: held out, for choosing the best epoch
HELD_OUT, VALIDATION = 0.2, 0.12


@dataclass(frozen=True)
class Split:
    """Rows of each part, and the names of the scenes held out."""

    train: Rows
    validation: Rows
    held_out: Rows
    scenes: list[str]


def split(rows: Sequence[Row], sources: Sequence[Source], hold_out: Sequence[str], seed: int) -> Split:
    """Split by scene, separately for light and for code, so that both are held out.

    hold_out  names of scenes, or patterns such as "*7"; empty: a random fifth by the seed
    """
    scenes = {r.scene for r in rows}
    light = {s.scene for s in sources if s.light}
    held, validation = matching(scenes, hold_out), set[str]()
    for number, kind in enumerate((light & scenes, scenes - light)):
        free = sorted(kind - held)
        order = [free[i] for i in np.random.default_rng([seed, 2, number]).permutation(len(free))]
        cut = 0 if hold_out else _count(len(order), HELD_OUT)
        held |= set(order[:cut])
        validation |= set(order[cut : cut + _count(len(order) - cut, VALIDATION)])
    if not scenes - held - validation:
        raise UsageError("no scene is left to train on; give more --images, or hold out fewer")
    parts = [
        Rows(r for r in rows if keep(r.scene))
        for keep in (
            lambda s: s not in held and s not in validation,
            lambda s: s in validation,
            lambda s: s in held,
        )
    ]
    return Split(parts[0], parts[1], parts[2], sorted(held))


def matching(scenes: Collection[str], patterns: Sequence[str]) -> set[str]:
    """The scenes that fit some pattern. UsageError for a pattern that fits none, and where all are held out."""
    if unknown := [p for p in patterns if not any(fnmatchcase(s, p) for s in scenes)]:
        some = f"{', '.join(sorted(scenes)[:8])}{' ...' if len(scenes) > 8 else ''}"
        raise UsageError(f"there is no scene '{unknown[0]}' in the set; its scenes are {some}")
    found = {s for s in scenes if any(fnmatchcase(s, p) for p in patterns)}
    if len(found) == len(scenes):
        raise UsageError("no scene is left to train on; give more --images, or hold out fewer")
    return found


def _count(scenes: int, share: float) -> int:
    """A share of the scenes, at least one where there are three."""
    return max(round(share * scenes), 1) if scenes >= 3 else 0
